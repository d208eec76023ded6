"""Data quality: what became of the raw rows, how fresh the marts are, what was checked."""

from __future__ import annotations

import pandas as pd

from dashboards.published import Published

FRESHNESS = {
    "fct_orders": "order_date",
    "fct_sessions": "session_date",
    "fct_refunds": "refund_date",
    "fct_ad_spend": "spend_date",
    "fct_carts": "cart_date",
}


def load_report(published: Published) -> pd.DataFrame:
    """Every raw table: rows read, kept, duplicate and rejected."""
    return published.query("select * from agg_load_report order by read_row_count desc, table_name")


def has_kept_rows(published: Published) -> bool:
    """Whether any order was kept, be it of a day that is not over."""
    return not published.query(
        "select 1 from agg_load_report where table_name = 'orders' and kept_row_count > 0"
    ).empty


def reject_reasons(published: Published) -> pd.DataFrame:
    """Rejected rows by table and reason, with an example."""
    return published.query(
        """
        select
            table_name,
            reject_reason,
            count(*) as rejected_row_count,
            min_by(row_content, rejected_row_key) as row_content
        from fct_rejected_rows
        group by table_name, reject_reason
        order by rejected_row_count desc, table_name, reject_reason
        """
    )


def freshness(published: Published) -> pd.DataFrame:
    """The last day of each fact; NULL where it holds nothing."""
    parts = [
        f"select '{mart}' as mart, max({column}) as last_date from {mart}"
        for mart, column in FRESHNESS.items()
    ]
    return published.query(" union all ".join(parts) + " order by last_date desc nulls last, mart")

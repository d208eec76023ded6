"""Carts: how many are abandoned, where, and what comes back."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import UNKNOWN, Filters
from dashboards.published import Published

PARTS = {"channel": "channel", "device": "device", "country": "country"}
STAGES = ("cart", "checkout", "shipping", "payment")
SUMS = """
    sum(cart_count)::bigint as cart_count,
    sum(mature_cart_count)::bigint as mature_cart_count,
    sum(ordered_cart_count)::bigint as ordered_cart_count,
    sum(abandoned_cart_count)::bigint as abandoned_cart_count,
    sum(settled_cart_count)::bigint as settled_cart_count,
    sum(settled_recovered_cart_count)::bigint as settled_recovered_cart_count,
    sum(recovered_by_message_cart_count)::bigint as recovered_by_message_cart_count,
    sum(abandoned_amount) as abandoned_amount,
    sum(recovered_net_amount) as recovered_net_amount,
    sum(abandoned_cart_count)::double / nullif(sum(mature_cart_count), 0) as abandonment_rate,
    sum(settled_recovered_cart_count)::double / nullif(sum(settled_cart_count), 0)
        as recovery_rate
"""


def cart_sums(published: Published, filters: Filters) -> pd.DataFrame:
    """One row: the carts begun in the days."""
    condition, parameters = filters.condition("cart_date", **PARTS)
    stages = ", ".join(
        f"sum(abandoned_at_{stage}_count)::bigint as abandoned_at_{stage}_count" for stage in STAGES
    )
    return published.query(
        f"select {SUMS}, {stages} from agg_cart_abandonment_daily where {condition}"
        " having count(*) > 0",
        **parameters,
    )


def carts_over_time(published: Published, period: str, filters: Filters) -> pd.DataFrame:
    """The same by week or month of the cart."""
    condition, parameters = filters.condition("cart_date", **PARTS)
    return published.query(
        f"""
        select cast(date_trunc($period, cart_date) as date) as period_start_date, {SUMS}
        from agg_cart_abandonment_daily
        where {condition}
        group by all
        order by period_start_date
        """,
        period=period,
        **parameters,
    )


def carts_by_part(published: Published, part: str, filters: Filters) -> pd.DataFrame:
    """The same by channel, device or country."""
    condition, parameters = filters.condition("cart_date", **PARTS)
    return published.query(
        f"""
        select coalesce({PARTS[part]}, '{UNKNOWN}') as code, {SUMS}
        from agg_cart_abandonment_daily
        where {condition}
        group by all
        order by mature_cart_count desc, code
        """,
        **parameters,
    )

"""Cohorts: customers by the month of their first order, month after month."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.published import Published

MEASURES = {
    "retention_rate": "agg_cohort_retention",
    "repeat_rate": "agg_cohort_retention",
    "cumulative_net_amount_per_customer": "agg_cohort_value",
    "cumulative_margin_amount_per_customer": "agg_cohort_value",
}


def dimension_values(published: Published, dimension: str) -> list[str]:
    """The channels or categories that cohorts are told by, the largest first."""
    rows = published.query(
        "select dimension_value as code, sum(cohort_customer_count) as size"
        " from agg_cohort_retention"
        " where dimension = $dimension and months_since = 0 and dimension_value is not null"
        " group by code order by size desc, code",
        dimension=dimension,
    )
    return [str(code) for code in rows["code"]]


def triangle(
    published: Published, measure: str, dimension: str, dimension_value: str, filters: Filters
) -> pd.DataFrame:
    """A measure by cohort and months since, of cohorts that began within the days' months.

    `value` is NULL where the month is not over (is_mature is false).
    """
    return published.query(
        f"""
        select
            cohort_month_start_date, months_since, cohort_customer_count, is_mature,
            {measure}::double as value
        from {MEASURES[measure]}
        where
            dimension = $dimension
            and ($dimension = 'all' or dimension_value = $dimension_value)
            and cohort_month_start_date
                between date_trunc('month', $first_date::date) and $last_date
        order by cohort_month_start_date, months_since
        """,
        dimension=dimension,
        dimension_value=dimension_value,
        first_date=filters.first_date,
        last_date=filters.last_date,
    )

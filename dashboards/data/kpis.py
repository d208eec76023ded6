"""KPIs: the scorecard, their way over time, and what gave alarm."""

from __future__ import annotations

from datetime import date

import pandas as pd

from dashboards.filters import PARTS, Filters
from dashboards.published import Published


def definitions(published: Published) -> pd.DataFrame:
    """Every KPI with its names, unit, direction and formula."""
    return published.query("select * from dim_kpis order by objective, kpi")


def scorecard(published: Published, period: str, last_date: date) -> pd.DataFrame:
    """Each KPI of the whole shop in its last complete period until a day, with names."""
    return published.query(
        """
        select
            scores.*, dim_kpis.kpi_name, dim_kpis.kpi_name_fr, dim_kpis.formula
        from fct_kpi_scorecard as scores
        inner join dim_kpis on scores.kpi = dim_kpis.kpi
        where
            scores.period = $period and scores.is_complete
            and scores.period_end_date <= $last_date
        qualify row_number() over (partition by scores.kpi order by period_start_date desc) = 1
        order by scores.objective, dim_kpis.kpi_name
        """,
        period=period,
        last_date=last_date,
    )


def kpi_periods(
    published: Published, kpi: str, period: str, last_date: date, count: int
) -> pd.DataFrame:
    """The last periods of one KPI until a day, oldest first."""
    return published.query(
        """
        select * from (
            select
                period_start_date, kpi_value, year_ago_value, target_value,
                expected_value, expected_low, expected_high, status, is_mature
            from fct_kpi_scorecard
            where kpi = $kpi and period = $period and is_complete and period_end_date <= $last_date
            order by period_start_date desc
            limit $count
        )
        order by period_start_date
        """,
        kpi=kpi,
        period=period,
        last_date=last_date,
        count=count,
    )


def part_to_tell(filters: Filters) -> str:
    """The one part that KPIs are told by; "" where none is chosen."""
    return next((part for part in PARTS if filters.of(part)), "")


def kpi_by_part(published: Published, kpi: str, period: str, filters: Filters) -> pd.DataFrame:
    """A KPI of the chosen channels, devices or countries by week or month within the days.

    Right for KPIs whose days add up (dim_kpis.is_sum_of_days): a sum over a sum.
    """
    part = part_to_tell(filters)
    condition, parameters = filters.condition("kpi_date", **{part: "dimension_value"})
    return published.query(
        f"""
        select
            dimension_value as code,
            cast(date_trunc($period, kpi_date) as date) as period_start_date,
            sum(numerator)::double / case when count(denominator) = 0 then 1
                else nullif(sum(denominator), 0)::double end as kpi_value
        from agg_kpi_daily
        where kpi = $kpi and dimension = $dimension and {condition}
        group by all
        order by period_start_date, code
        """,
        kpi=kpi,
        period=period,
        dimension=part,
        **parameters,
    )


def kpi_over_days(published: Published, kpi: str, filters: Filters) -> float | None:
    """One KPI over all of the days, of the whole shop or of the chosen channels.

    Right for KPIs whose days add up (dim_kpis.is_sum_of_days); None where nothing is known.
    """
    dimension = "channel" if filters.of("channel") else "total"
    condition, parameters = filters.condition("kpi_date", channel="dimension_value")
    rows = published.query(
        f"""
        select
            sum(numerator)::double / case when count(denominator) = 0 then 1
                else nullif(sum(denominator), 0)::double end as kpi_value
        from agg_kpi_daily
        where kpi = $kpi and dimension = $dimension and {condition}
        having count(*) > 0
        """,
        kpi=kpi,
        dimension=dimension,
        **parameters,
    )
    value = None if rows.empty else rows["kpi_value"].iloc[0]
    return None if value is None or pd.isna(value) else float(value)


def alerts(published: Published, filters: Filters) -> pd.DataFrame:
    """Runs of periods that were out of their band or off their target within the days."""
    return published.query(
        """
        select
            alerts.*, dim_kpis.kpi_name, dim_kpis.kpi_name_fr, dim_kpis.unit, dim_kpis.direction
        from fct_kpi_alerts as alerts
        inner join dim_kpis on alerts.kpi = dim_kpis.kpi
        where alerts.until_date >= $first_date and alerts.since_date <= $last_date
        order by
            is_open desc, case severity when 'high' then 1 when 'medium' then 2 else 3 end,
            until_date desc, alert_id
        """,
        first_date=filters.first_date,
        last_date=filters.last_date,
    )

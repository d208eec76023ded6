"""Funnels: how many reach each step, where they leave, how long they take."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import UNKNOWN, Filters
from dashboards.published import Published

BREAKDOWNS = {
    "channel": "channel",
    "device": "device",
    "country": "country",
    "visitor": "case when is_new_visitor then 'new' when not is_new_visitor then 'returning' end",
}
PARTS = {"channel": "channel", "device": "device", "country": "country"}


def funnel_steps(published: Published, funnel: str, filters: Filters) -> pd.DataFrame:
    """Each step of a funnel over the mature entries of the days, with rate and drop-off."""
    condition, parameters = filters.condition("entry_date", **PARTS)
    rows = published.query(
        f"""
        select
            step_number,
            any_value(step_name) as step_name,
            sum(entry_count)::bigint as entry_count,
            sum(mature_entry_count)::bigint as mature_entry_count,
            sum(mature_reached_count)::bigint as reached_count,
            sum(mature_previous_reached_count)::bigint as previous_reached_count,
            sum(seconds_to_convert_sum)::double / nullif(sum(reached_count), 0)
                as mean_seconds_to_convert
        from agg_funnel_daily
        where funnel = $funnel and {condition}
        group by step_number
        order by step_number
        """,
        funnel=funnel,
        **parameters,
    )
    return _with_rates(rows)


def funnel_by_part(
    published: Published, funnel: str, breakdown: str, filters: Filters
) -> pd.DataFrame:
    """The same for each value of a breakdown."""
    condition, parameters = filters.condition("entry_date", **PARTS)
    rows = published.query(
        f"""
        select
            coalesce({BREAKDOWNS[breakdown]}, '{UNKNOWN}') as code,
            step_number,
            any_value(step_name) as step_name,
            sum(mature_entry_count)::bigint as mature_entry_count,
            sum(mature_reached_count)::bigint as reached_count,
            sum(mature_previous_reached_count)::bigint as previous_reached_count
        from agg_funnel_daily
        where funnel = $funnel and {condition}
        group by code, step_number
        order by max(sum(mature_entry_count)) over (partition by code) desc, code, step_number
        """,
        funnel=funnel,
        **parameters,
    )
    return _with_rates(rows)


def funnel_over_time(
    published: Published, funnel: str, period: str, filters: Filters
) -> pd.DataFrame:
    """Conversion to the last step by period of entry, of periods whose entries are all mature."""
    condition, parameters = filters.condition("entry_date", **PARTS)
    return published.query(
        f"""
        select
            cast(date_trunc($period, entry_date) as date) as period_start_date,
            sum(mature_entry_count)::bigint as mature_entry_count,
            sum(mature_reached_count)::bigint as reached_count,
            sum(mature_reached_count)::double / nullif(sum(mature_entry_count), 0)
                as conversion_rate,
            sum(mature_entry_count) = sum(entry_count) as is_mature
        from agg_funnel_daily
        where
            funnel = $funnel and {condition}
            and step_number = (
                select max(step_number) from agg_funnel_daily where funnel = $funnel
            )
        group by all
        order by period_start_date
        """,
        funnel=funnel,
        period=period,
        **parameters,
    )


def times_to_convert(published: Published, funnel: str, filters: Filters) -> pd.DataFrame:
    """Quartiles of the seconds to each step, of the last mature month until the days' end."""
    return published.query(
        """
        select
            step_number, step_name, period_start_date, reached_count,
            seconds_to_convert_p25, seconds_to_convert_median,
            seconds_to_convert_p75, seconds_to_convert_p90
        from agg_funnel_steps
        where
            funnel = $funnel and period = 'month' and step_number > 1
            and period_start_date = (
                select max(period_start_date) from agg_funnel_steps
                where
                    funnel = $funnel and period = 'month' and is_mature
                    and period_start_date <= $last_date
            )
        order by step_number
        """,
        funnel=funnel,
        last_date=filters.last_date,
    )


def _with_rates(rows: pd.DataFrame) -> pd.DataFrame:
    rows["conversion_rate"] = rows["reached_count"] / rows["mature_entry_count"].where(
        rows["mature_entry_count"] > 0
    )
    rows["step_conversion_rate"] = rows["reached_count"] / rows["previous_reached_count"].where(
        rows["previous_reached_count"] > 0
    )
    rows["drop_off_rate"] = 1 - rows["step_conversion_rate"]
    return rows

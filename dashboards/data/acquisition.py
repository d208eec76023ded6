"""Acquisition: what channels cost and bring."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.published import Published


def channel_performance(published: Published, filters: Filters) -> pd.DataFrame:
    """Each channel over the days: spend, sessions, new customers, revenue and their ratios.

    CAC and ROAS are the KPIs' (paid_cac, roas): of paid channels, over days with tracked sessions.
    """
    condition, parameters = filters.condition("performance_date", channel="channel")
    return published.query(
        f"""
        with

        kpis as (
            select
                dimension_value as channel,
                sum(numerator) filter (where kpi = 'paid_cac')::double
                / nullif(sum(denominator) filter (where kpi = 'paid_cac'), 0)::double as cac,
                sum(numerator) filter (where kpi = 'roas')::double
                / nullif(sum(denominator) filter (where kpi = 'roas'), 0)::double as roas
            from agg_kpi_daily
            where
                kpi in ('paid_cac', 'roas') and dimension = 'channel'
                and kpi_date between $first_date and $last_date
            group by dimension_value
        )

        select
            channel,
            bool_or(is_paid) as is_paid,
            sum(spend_amount) as spend_amount,
            sum(session_count)::bigint as session_count,
            sum(converted_session_count)::bigint as converted_session_count,
            sum(lead_count)::bigint as lead_count,
            sum(new_customer_count)::bigint as new_customer_count,
            sum(net_amount) as net_amount,
            sum(margin_after_ads_amount) as margin_after_ads_amount,
            sum(converted_session_count)::double / nullif(sum(session_count), 0)
                as conversion_rate,
            any_value(kpis.cac) as cac,
            any_value(kpis.roas) as roas
        from agg_channel_performance
        left join kpis using (channel)
        where {condition}
        group by channel
        order by net_amount desc nulls last, channel
        """,
        **parameters,
    )


def channels_over_time(published: Published, period: str, filters: Filters) -> pd.DataFrame:
    """Spend and new customers of all chosen channels by week or month."""
    condition, parameters = filters.condition("performance_date", channel="channel")
    return published.query(
        f"""
        select
            cast(date_trunc($period, performance_date) as date) as period_start_date,
            sum(spend_amount) as spend_amount,
            sum(new_customer_count)::bigint as new_customer_count,
            sum(spend_amount)::double / nullif(sum(new_customer_count), 0) as cac
        from agg_channel_performance
        where {condition}
        group by all
        order by period_start_date
        """,
        period=period,
        **parameters,
    )


def ltv_cac(published: Published, filters: Filters) -> pd.DataFrame:
    """LTV:CAC of the shop, of the paid channels and of each, until a day.

    Over the mature cohorts whose ratio is known; over all of these where none is mature yet.
    """
    condition, parameters = filters.condition("", channel="channel")
    return published.query(
        f"""
        select
            channel_scope,
            channel,
            bool_and(is_mature) as is_mature,
            sum(new_customer_count)::bigint as new_customer_count,
            sum(spend_amount) as spend_amount,
            sum(margin_amount) as margin_amount,
            sum(spend_amount)::double / nullif(sum(new_customer_count), 0) as cac,
            sum(margin_amount)::double / nullif(sum(new_customer_count), 0) as margin_per_customer,
            sum(margin_amount)::double / nullif(sum(spend_amount), 0) as ltv_cac_ratio,
            min(cohort_month_date) as first_cohort_date,
            max(cohort_month_date) as last_cohort_date
        from (
            select * from agg_channel_ltv_cac
            where
                ltv_cac_ratio is not null and cohort_month_date <= $last_date
                and (channel_scope <> 'channel' or ({condition}))
            qualify is_mature or not bool_or(is_mature) over (partition by channel_scope, channel)
        )
        group by channel_scope, channel
        order by ltv_cac_ratio desc, channel_scope, channel
        """,
        last_date=filters.last_date,
        **parameters,
    )


def attribution(published: Published, filters: Filters) -> pd.DataFrame:
    """What each model gives each channel of the days' orders, and its share of the model's."""
    condition, parameters = filters.condition("", channel="channel")
    return published.query(
        f"""
        select * from (
            select
                attribution_model,
                channel,
                sum(order_credit) as order_credit,
                sum(attributed_net_amount) as attributed_net_amount,
                sum(attributed_net_amount)::double
                / nullif(sum(sum(attributed_net_amount)) over (partition by attribution_model), 0)
                    as net_share
            from agg_attribution_daily
            where order_date between $first_date and $last_date
            group by attribution_model, channel
        )
        where {condition}
        order by attribution_model, attributed_net_amount desc, channel
        """,
        first_date=filters.first_date,
        last_date=filters.last_date,
        **parameters,
    )

-- Grain: one row per KPI, period (day, ISO week, month, quarter) and its first day.
-- The whole shop; parts are in agg_kpi_daily. Complete and mature periods alone have a status:
-- those that still fill up, or whose carts and refunds are still to settle, would look worse than
-- they are.
with

kpis as (
    select kpi, objective, unit, direction, benchmark_low, benchmark_high from {{ ref('ref_kpis') }}
),

kpis_measured as (
    select * from {{ ref('int_kpis_measured') }} where dimension = 'total'
),

kpis_expected as (
    select kpi, period, period_start_date, expected_value, expected_spread, is_count
    from {{ ref('int_kpis_expected') }}
    where dimension = 'total'
),

targets as (
    select kpi, period, from_date, to_date, target_value from {{ ref('ref_kpi_targets') }}
),

-- A day and a week are compared with the same weekday and ISO week of last year, 52 weeks before.
kpis_dated as (
    select
        *,
        case period
            when 'day' then period_start_date - 1
            when 'week' then period_start_date - 7
            when 'month' then cast(period_start_date - interval '1' month as date)
            when 'quarter' then cast(period_start_date - interval '3' month as date)
        end as previous_start_date,
        case
            when period in ('day', 'week') then period_start_date - 364
            else cast(period_start_date - interval '1' year as date)
        end as year_ago_start_date
    from kpis_measured
),

kpis_compared as (
    select
        kpis_dated.kpi,
        kpis.objective,
        kpis.unit,
        kpis.direction,
        kpis_dated.period,
        kpis_dated.period_start_date,
        kpis_dated.period_end_date,
        kpis_dated.numerator,
        kpis_dated.denominator,
        kpis_dated.kpi_value,
        previous.kpi_value as previous_value,
        years_ago.kpi_value as year_ago_value,
        targets.target_value,
        kpis.benchmark_low,
        kpis.benchmark_high,
        kpis_expected.expected_value,
        kpis_expected.expected_spread,
        case
            when kpis_expected.is_count
                then
                    greatest(
                        kpis_expected.expected_value
                        - {{ var('kpi_band_spreads') }} * kpis_expected.expected_spread, 0
                    )
            else
                kpis_expected.expected_value
                - {{ var('kpi_band_spreads') }} * kpis_expected.expected_spread
        end as expected_low,
        kpis_expected.expected_value
        + {{ var('kpi_band_spreads') }} * kpis_expected.expected_spread as expected_high,
        (kpis_dated.kpi_value - kpis_expected.expected_value)
        / nullif(kpis_expected.expected_spread, 0) as deviation_spreads,
        kpis_dated.is_complete,
        kpis_dated.is_mature
    from kpis_dated
    inner join kpis on kpis_dated.kpi = kpis.kpi
    left join kpis_measured as previous
        on kpis_dated.kpi = previous.kpi
        and kpis_dated.period = previous.period
        and kpis_dated.previous_start_date = previous.period_start_date
        and previous.is_complete
    left join kpis_measured as years_ago
        on kpis_dated.kpi = years_ago.kpi
        and kpis_dated.period = years_ago.period
        and kpis_dated.year_ago_start_date = years_ago.period_start_date
        and years_ago.is_complete
    left join targets
        on kpis_dated.kpi = targets.kpi
        and kpis_dated.period = targets.period
        and kpis_dated.period_start_date >= targets.from_date
        and kpis_dated.period_start_date < targets.to_date
    left join kpis_expected
        on kpis_dated.kpi = kpis_expected.kpi
        and kpis_dated.period = kpis_expected.period
        and kpis_dated.period_start_date = kpis_expected.period_start_date
),

-- By how much a target was missed, as a share of it; negative where it was beaten.
kpis_measured_up as (
    select
        *,
        kpi_value / nullif(previous_value, 0) - 1 as change_ratio,
        kpi_value / nullif(year_ago_value, 0) - 1 as year_ago_change_ratio,
        case direction
            when 'up' then target_value - kpi_value
            when 'down' then kpi_value - target_value
            else abs(kpi_value - target_value)
        end / nullif(abs(target_value), 0) as target_miss_share,
        abs(deviation_spreads) > {{ var('kpi_band_spreads') }} as is_out_of_band,
        abs(deviation_spreads) > {{ var('kpi_watch_spreads') }} as is_far_from_expected,
        direction = 'up' and kpi_value < benchmark_low
        or direction = 'down' and kpi_value > benchmark_high as is_worse_than_benchmark
    from kpis_compared
),

kpis_judged as (
    select
        *,
        case
            when not is_mature or kpi_value is null then null
            when is_out_of_band then 'anomaly'
            when target_miss_share > {{ var('kpi_target_tolerance_share') }} then 'off_target'
            when target_miss_share > 0 or is_far_from_expected then 'watch'
            when target_miss_share is null and is_worse_than_benchmark then 'watch'
            when coalesce(target_value, expected_spread, benchmark_low) is not null
                then 'on_target'
        end as status
    from kpis_measured_up
),

kpi_scorecard as (
    select
        kpi,
        objective,
        unit,
        direction,
        period,
        numerator,
        denominator,
        kpi_value,
        previous_value,
        change_ratio,
        year_ago_value,
        year_ago_change_ratio,
        target_value,
        target_miss_share,
        benchmark_low,
        benchmark_high,
        expected_value,
        expected_low,
        expected_high,
        deviation_spreads,
        status,
        is_complete,
        is_mature,
        period_start_date,
        period_end_date
    from kpis_judged
)

select * from kpi_scorecard

-- Grain: one row per run: consecutive periods in which a KPI was out of its band, on one side, or
-- missed its target. A run is told by its peak, the period that was furthest off.
with

scorecard as (
    select kpi, period, period_start_date, kpi_value, target_value, target_miss_share
    from {{ ref('fct_kpi_scorecard') }}
    where is_mature
),

kpis_expected as (
    select
        kpi,
        period,
        dimension,
        dimension_value,
        period_start_date,
        kpi_value,
        expected_value,
        (kpi_value - expected_value) / nullif(expected_spread, 0) as deviation_spreads,
        case
            when dimension = 'total' then {{ var('kpi_band_spreads') }}
            else {{ var('kpi_part_band_spreads') }}
        end as band_spreads
    from {{ ref('int_kpis_expected') }}
),

periods as (
    select period, period_start_date, period_end_date, period_number
    from {{ ref('int_kpi_periods_listed') }}
),

deviations as (
    select
        'band' as alert_kind,
        kpi,
        period,
        dimension,
        dimension_value,
        period_start_date,
        kpi_value,
        expected_value as reference_value,
        deviation_spreads,
        abs(deviation_spreads) as deviation_size
    from kpis_expected
    where abs(deviation_spreads) > band_spreads
    union all
    select
        'target' as alert_kind,
        kpi,
        period,
        'total' as dimension,
        'all' as dimension_value,
        period_start_date,
        kpi_value,
        target_value as reference_value,
        null as deviation_spreads,
        target_miss_share as deviation_size
    from scorecard
    where target_miss_share > {{ var('kpi_target_tolerance_share') }}
),

last_periods as (
    select
        kpi,
        period,
        max(period_start_date) as last_start_date
    from scorecard
    group by kpi, period
),

deviations_numbered as (
    select
        deviations.*,
        deviations.kpi_value > deviations.reference_value as is_above,
        periods.period_end_date,
        periods.period_number - row_number() over (
            partition by
                deviations.alert_kind,
                deviations.kpi,
                deviations.period,
                deviations.dimension,
                deviations.dimension_value,
                deviations.kpi_value > deviations.reference_value
            order by deviations.period_start_date
        ) as run_number
    from deviations
    inner join periods
        on deviations.period = periods.period
        and deviations.period_start_date = periods.period_start_date
),

runs as (
    select
        alert_kind,
        kpi,
        period,
        dimension,
        dimension_value,
        is_above,
        count(*) as period_count,
        {{ last_by(
            packed(['kpi_value', 'reference_value', 'deviation_spreads', 'deviation_size',
                'period_start_date']),
            ['deviation_size', 'period_start_date']
        ) }} as peak,
        min(period_start_date) as since_date,
        max(period_start_date) as last_start_date,
        max(period_end_date) as until_date
    from deviations_numbered
    group by alert_kind, kpi, period, dimension, dimension_value, is_above, run_number
),

kpi_runs_detected as (
    select
        md5(concat_ws(
            '|',
            runs.alert_kind,
            runs.kpi,
            runs.period,
            runs.dimension,
            runs.dimension_value,
            cast(runs.since_date as string)
        )) as alert_id,
        runs.alert_kind,
        runs.kpi,
        runs.period,
        runs.dimension,
        runs.dimension_value,
        runs.is_above,
        runs.period_count,
        runs.peak.kpi_value as kpi_value,
        runs.peak.reference_value as reference_value,
        runs.peak.deviation_spreads as deviation_spreads,
        runs.peak.deviation_size as deviation_size,
        runs.last_start_date = last_periods.last_start_date as is_open,
        runs.peak.period_start_date as peak_start_date,
        runs.since_date,
        runs.until_date
    from runs
    inner join last_periods
        on runs.kpi = last_periods.kpi and runs.period = last_periods.period
)

select * from kpi_runs_detected

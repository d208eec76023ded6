-- Grain: one row per run of the whole shop, dimension and value: what this part did to the
-- deviation. At the run's peak, against the periods that it is compared with, scaled to what was
-- expected (or to the target). Of a volume a part's effect is what it has more or less than its
-- usual share of it. A ratio's is two: the mix (the part weighs more or less) and the rate (it is
-- better or worse): (weight - base weight) x (base rate - base) and weight x (rate - base rate),
-- written without dividing by the part's own denominator, which may be nothing on a day (returns in
-- a country without an order). Effects of a dimension's values add up to the deviation where its
-- parts do to the whole.
with

runs as (
    select alert_id, kpi, period, kpi_value, reference_value, peak_start_date
    from {{ ref('int_kpi_runs_detected') }}
    where dimension = 'total'
),

kinds as (
    select period, reference_count from {{ ref('ref_kpi_periods') }}
),

wholes as (
    select
        kpi,
        period,
        period_start_date,
        weekday_number,
        retail_event,
        ordinary_before_count,
        numerator,
        weight
    from {{ ref('int_kpis_expected') }}
    where dimension = 'total'
),

parts as (
    select
        kpi,
        period,
        dimension,
        dimension_value,
        period_start_date,
        numerator,
        denominator
    from {{ ref('int_kpis_measured') }}
    where dimension in ('channel', 'device', 'country')
),

peaks as (
    select
        runs.*,
        wholes.weekday_number,
        wholes.ordinary_before_count
    from runs
    inner join wholes
        on runs.kpi = wholes.kpi
        and runs.period = wholes.period
        and runs.peak_start_date = wholes.period_start_date
),

periods_compared as (
    select
        peaks.alert_id,
        peaks.kpi,
        peaks.period,
        wholes.period_start_date,
        wholes.numerator,
        wholes.weight
    from peaks
    inner join kinds on peaks.period = kinds.period
    inner join wholes
        on peaks.kpi = wholes.kpi
        and peaks.period = wholes.period
        and peaks.weekday_number = wholes.weekday_number
        and wholes.retail_event is null
        and peaks.ordinary_before_count > wholes.ordinary_before_count
        and peaks.ordinary_before_count <= wholes.ordinary_before_count + kinds.reference_count
),

bases as (
    select
        alert_id,
        count(*) as period_count,
        cast(sum(numerator) as double) / nullif(cast(sum(weight) as double), 0) as base_value
    from periods_compared
    group by alert_id
),

parts_of_both as (
    select
        peaks.alert_id,
        parts.dimension,
        parts.dimension_value,
        parts.numerator,
        parts.denominator,
        0 as base_numerator,
        0 as base_denominator
    from peaks
    inner join parts
        on peaks.kpi = parts.kpi
        and peaks.period = parts.period
        and peaks.peak_start_date = parts.period_start_date
    union all
    select
        periods_compared.alert_id,
        parts.dimension,
        parts.dimension_value,
        0 as numerator,
        case when parts.denominator is not null then 0 end as denominator,
        parts.numerator as base_numerator,
        parts.denominator as base_denominator
    from periods_compared
    inner join parts
        on periods_compared.kpi = parts.kpi
        and periods_compared.period = parts.period
        and periods_compared.period_start_date = parts.period_start_date
),

part_sums as (
    select
        alert_id,
        dimension,
        dimension_value,
        cast(sum(numerator) as double) as numerator,
        cast(sum(denominator) as double) as denominator,
        cast(sum(base_numerator) as double) as base_numerator,
        cast(sum(base_denominator) as double) as base_denominator,
        cast(sum(sum(denominator)) over of_dimension as double) as whole_denominator,
        cast(sum(sum(base_numerator)) over of_dimension as double) as whole_base_numerator,
        cast(sum(sum(base_denominator)) over of_dimension as double) as whole_base_denominator
    from parts_of_both
    group by alert_id, dimension, dimension_value
    window of_dimension as (partition by alert_id, dimension)
),

parts_compared as (
    select
        part_sums.alert_id,
        part_sums.dimension,
        part_sums.dimension_value,
        part_sums.denominator is null as is_volume,
        part_sums.numerator,
        part_sums.base_numerator / bases.period_count as base_numerator,
        coalesce(
            part_sums.base_denominator / nullif(part_sums.whole_base_denominator, 0),
            part_sums.base_numerator / nullif(part_sums.whole_base_numerator, 0)
        ) as usual_share,
        part_sums.numerator / nullif(part_sums.whole_denominator, 0) as points,
        part_sums.base_numerator / nullif(part_sums.whole_base_denominator, 0) as base_points,
        -- A part that was not there before is compared with the whole.
        coalesce(
            part_sums.base_numerator / nullif(part_sums.base_denominator, 0), bases.base_value
        ) as base_rate,
        part_sums.denominator / nullif(part_sums.whole_denominator, 0) as weight,
        part_sums.base_denominator / nullif(part_sums.whole_base_denominator, 0) as base_weight,
        bases.base_value,
        runs.reference_value / nullif(bases.base_value, 0) as scale,
        runs.kpi_value - runs.reference_value as deviation
    from part_sums
    inner join bases on part_sums.alert_id = bases.alert_id
    inner join runs on part_sums.alert_id = runs.alert_id
),

parts_with_effects as (
    select
        *,
        case
            when not is_volume
                then
                    (weight * base_rate - base_points - (weight - base_weight) * base_value) * scale
        end as mix_effect,
        case when not is_volume then points - weight * base_rate * scale end as rate_effect
    from parts_compared
),

kpi_deviations_split as (
    select
        alert_id,
        dimension,
        dimension_value,
        mix_effect,
        rate_effect,
        case
            when is_volume then numerator - base_numerator * scale
            else mix_effect + rate_effect
        end as contribution,
        usual_share,
        deviation
    from parts_with_effects
)

select * from kpi_deviations_split

-- Grain: one row per experiment, metric and variant; the control has its row too.
-- The unit is the device (anonymous_id). Rates, lifts and their intervals do not add up over rows.
with

variants as (
    select * from {{ ref('int_experiment_variants_tested') }}
),

sums as (
    select * from {{ ref('int_experiment_metrics_summed') }}
),

comparisons as (
    select * from {{ ref('int_experiment_variants_compared') }}
),

metrics as (
    select metric, metric_name, metric_name_fr, metric_kind, is_increase_good
    from {{ ref('ref_experiment_metrics') }}
),

results as (
    select
        sums.experiment_id,
        sums.metric,
        metrics.metric_name,
        metrics.metric_name_fr,
        metrics.metric_kind,
        metrics.is_increase_good,
        sums.variant,
        variants.is_control,
        variants.started_date,
        variants.ended_date,
        variants.is_mature,
        variants.exposed_device_count,
        variants.crossed_device_count,
        variants.immature_device_count,
        variants.untracked_device_count,
        variants.device_count,
        variants.planned_share,
        variants.actual_share,
        variants.sample_ratio_p_value,
        variants.has_sample_ratio_mismatch,
        sums.unit_count,
        sums.numerator_total,
        sums.denominator_total,
        sums.metric_value,
        sqrt(sums.squared_error) as standard_error,
        comparisons.control_value,
        comparisons.absolute_lift,
        comparisons.absolute_lift_low,
        comparisons.absolute_lift_high,
        comparisons.relative_lift,
        comparisons.relative_lift_low,
        comparisons.relative_lift_high,
        comparisons.p_value,
        comparisons.adjusted_p_value,
        case
            when comparisons.has_enough_data
                then comparisons.p_value < {{ var('experiment_significance_level') }}
        end as is_significant,
        comparisons.minimum_lift,
        comparisons.power,
        comparisons.detectable_lift,
        comparisons.required_device_count,
        case
            when variants.control_count = 0 then 'no_control'
            when variants.control_count > 1 then 'several_controls'
            when variants.is_control then 'control'
            when not coalesce(comparisons.has_enough_data, false) or comparisons.p_value is null
                then 'too_little_data'
            when variants.has_sample_ratio_mismatch then 'sample_ratio_mismatch'
            when comparisons.adjusted_p_value >= {{ var('experiment_significance_level') }}
                then 'inconclusive'
            when (comparisons.absolute_lift > 0) = metrics.is_increase_good then 'better'
            else 'worse'
        end as result
    from sums
    inner join metrics on sums.metric = metrics.metric
    inner join variants
        on sums.experiment_id = variants.experiment_id and sums.variant = variants.variant
    left join comparisons
        on sums.experiment_id = comparisons.experiment_id
        and sums.metric = comparisons.metric
        and sums.variant = comparisons.variant
)

select * from results

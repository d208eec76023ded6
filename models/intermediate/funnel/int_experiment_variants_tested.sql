-- Grain: one row per experiment and variant, with the test of whether devices are split as planned.
with

devices as (
    select experiment_id, variant, is_control, exposed_at, left_out_reason, is_measured
    from {{ ref('int_experiment_devices_measured') }}
),

plans as (
    select experiment_id, variant, planned_share from {{ ref('ref_experiment_variants') }}
),

variants as (
    select
        experiment_id,
        variant,
        bool_or(is_control) as is_control,
        min(exposed_at) as first_exposed_at,
        max(exposed_at) as last_exposed_at,
        count(*) as exposed_device_count,
        {% for reason in ['crossed', 'immature', 'untracked'] -%}
        count(*) filter (where left_out_reason = '{{ reason }}') as {{ reason }}_device_count,
        {% endfor -%}
        count(*) filter (where is_measured) as device_count
    from devices
    group by experiment_id, variant
),

experiments as (
    select
        variants.experiment_id,
        {{ reporting_date('min(variants.first_exposed_at)') }} as started_date,
        {{ reporting_date('max(variants.last_exposed_at)') }} as ended_date,
        sum(variants.immature_device_count) = 0 as is_mature,
        count(*) as variant_count,
        count(*) filter (where variants.is_control) as control_count,
        cast(sum(variants.device_count) as double) as device_count,
        -- A plan that leaves a variant out is none.
        case when count(plans.variant) = count(*) then sum(plans.planned_share) end as planned_total
    from variants
    left join plans
        on variants.experiment_id = plans.experiment_id and variants.variant = plans.variant
    group by variants.experiment_id
),

variants_with_shares as (
    select
        variants.*,
        experiments.started_date,
        experiments.ended_date,
        experiments.is_mature,
        experiments.variant_count,
        experiments.control_count,
        experiments.device_count as experiment_device_count,
        coalesce(
            cast(plans.planned_share as double) / experiments.planned_total,
            1e0 / experiments.variant_count
        ) as planned_share
    from variants
    inner join experiments on variants.experiment_id = experiments.experiment_id
    left join plans
        on variants.experiment_id = plans.experiment_id and variants.variant = plans.variant
),

splits as (
    select
        *,
        variant_count - 1 as degrees,
        -- In the order of variants, so that rounding is the same on every build.
        sum(
            (device_count - experiment_device_count * planned_share)
            * (device_count - experiment_device_count * planned_share)
            / nullif(experiment_device_count * planned_share, 0)
        ) over (
            partition by experiment_id
            order by variant
            rows between unbounded preceding and unbounded following
        ) as chi_square
    from variants_with_shares
),

variants_with_p_value as (
    select
        *,
        device_count / nullif(experiment_device_count, 0) as actual_share,
        {{ chi_square_tail('chi_square', 'degrees') }} as sample_ratio_p_value
    from splits
),

variants_tested as (
    select
        experiment_id,
        variant,
        is_control,
        control_count,
        started_date,
        ended_date,
        is_mature,
        exposed_device_count,
        crossed_device_count,
        immature_device_count,
        untracked_device_count,
        device_count,
        planned_share,
        actual_share,
        sample_ratio_p_value,
        sample_ratio_p_value < {{ var('experiment_mismatch_level') }} as has_sample_ratio_mismatch
    from variants_with_p_value
)

select * from variants_tested

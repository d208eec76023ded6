-- Grain: one row per experiment, metric and variant.
-- A metric is the sum of one measure over the sum of another, of the devices that have the latter;
-- how far chance may have moved it follows from the devices' sums of squares (the delta method).
{% set measures = [
    'is_measured', 'has_cart', 'has_order', 'is_bounced', 'order_count', 'net_amount'
] %}
with

variants as (
    select experiment_id, variant from {{ ref('int_experiment_variants_tested') }}
),

devices as (
    select * from {{ ref('int_experiment_devices_measured') }} where is_measured
),

metrics as (
    select metric, metric_kind, numerator, denominator from {{ ref('ref_experiment_metrics') }}
),

-- Decimals, whose sums are the same in any order; wide enough for their squares.
device_values as (
    select
        devices.experiment_id,
        devices.variant,
        {% for side in ['numerator', 'denominator'] -%}
        case metrics.{{ side }}
            {%- for measure in measures %}
            when '{{ measure }}' then cast(devices.{{ measure }} as decimal(20, 2))
            {%- endfor %}
        end as {{ side }},
        {% endfor -%}
        metrics.metric
    from devices
    cross join metrics
),

sums as (
    select
        experiment_id,
        variant,
        metric,
        count(*) as unit_count,
        count(*) filter (where numerator <> 0) as counting_unit_count,
        cast(sum(numerator) as double) as numerator_total,
        cast(sum(denominator) as double) as denominator_total,
        cast(sum(numerator * numerator) as double) as numerator_squares,
        cast(sum(numerator * denominator) as double) as products,
        cast(sum(denominator * denominator) as double) as denominator_squares
    from device_values
    where denominator > 0
    group by experiment_id, variant, metric
),

values_of_metrics as (
    select
        *,
        numerator_total / denominator_total as metric_value,
        -- Of the devices' residuals, numerator - value * denominator.
        numerator_squares
        - 2 * (numerator_total / denominator_total) * products
        + (numerator_total / denominator_total) * (numerator_total / denominator_total)
        * denominator_squares as squared_residuals
    from sums
),

-- A variant that no device has is there all the same.
metrics_summed as (
    select
        variants.experiment_id,
        metrics.metric,
        variants.variant,
        metrics.metric_kind,
        coalesce(values_of_metrics.unit_count, 0) as unit_count,
        coalesce(values_of_metrics.counting_unit_count, 0) as counting_unit_count,
        coalesce(values_of_metrics.numerator_total, 0) as numerator_total,
        coalesce(values_of_metrics.denominator_total, 0) as denominator_total,
        values_of_metrics.metric_value,
        -- What is less than that beside the squares is rounding: all devices are alike.
        case
            when values_of_metrics.squared_residuals > 1e-12 * values_of_metrics.numerator_squares
                then values_of_metrics.squared_residuals
            else 0e0
        end
        / nullif(values_of_metrics.unit_count - cast(metrics.metric_kind = 'mean' as bigint), 0)
        * values_of_metrics.unit_count
        / (values_of_metrics.denominator_total * values_of_metrics.denominator_total)
            as squared_error
    from variants
    cross join metrics
    left join values_of_metrics
        on variants.experiment_id = values_of_metrics.experiment_id
        and variants.variant = values_of_metrics.variant
        and metrics.metric = values_of_metrics.metric
)

select * from metrics_summed

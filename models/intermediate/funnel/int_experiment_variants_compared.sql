-- Grain: one row per experiment, metric and variant that one control, and devices, let compare.
-- Rates: two-proportion z test; Newcombe's interval, of Wilson's intervals of both rates. Means:
-- Welch's t test and interval. The relative lift's interval is that of the same margins (Newcombe's
-- MOVER-R of 2016; of means it is Fieller's): it holds 0 if and only if the absolute one does.
with

variants as (
    select experiment_id, variant, is_control, control_count, device_count
    from {{ ref('int_experiment_variants_tested') }}
),

sums as (
    select * from {{ ref('int_experiment_metrics_summed') }}
),

metrics as (
    select metric, minimum_lift from {{ ref('ref_experiment_metrics') }}
),

quantiles as (
    select
        {{ normal_quantile(1 - var('experiment_significance_level') / 2) }} as z,
        {{ normal_quantile(var('experiment_target_power')) }} as power_z
),

values_with_bounds as (
    select
        sums.*,
        variants.device_count,
        {% for side, sign in [('low', '-'), ('high', '+')] -%}
        case
            when sums.metric_kind = 'rate'
                then (
                    sums.numerator_total + quantiles.z * quantiles.z / 2
                    {{ sign }} quantiles.z * sqrt(
                        sums.numerator_total * (1 - sums.metric_value)
                        + quantiles.z * quantiles.z / 4
                    )
                ) / (sums.unit_count + quantiles.z * quantiles.z)
            else sums.metric_value {{ sign }} quantiles.z * sqrt(sums.squared_error)
        end as value_{{ side }},
        {% endfor -%}
        variants.control_count = 1 and coalesce(variants.is_control, false) as is_the_control
    from sums
    inner join variants
        on sums.experiment_id = variants.experiment_id and sums.variant = variants.variant
    cross join quantiles
    where sums.unit_count > 0
),

values_with_margins as (
    select
        *,
        metric_value - value_low as margin_down,
        value_high - metric_value as margin_up
    from values_with_bounds
),

pairs as (
    select
        challengers.experiment_id,
        challengers.metric,
        challengers.variant,
        challengers.metric_kind,
        challengers.unit_count,
        controls.unit_count as control_unit_count,
        controls.device_count as control_device_count,
        least(challengers.unit_count, controls.unit_count) as least_unit_count,
        cast(challengers.counting_unit_count + controls.counting_unit_count as double)
        / (challengers.unit_count + controls.unit_count) as counting_share,
        challengers.metric_value,
        controls.metric_value as control_value,
        challengers.metric_value - controls.metric_value as absolute_lift,
        challengers.squared_error,
        controls.squared_error as control_squared_error,
        challengers.margin_down,
        challengers.margin_up,
        controls.margin_down as control_margin_down,
        controls.margin_up as control_margin_up,
        metrics.minimum_lift
    from values_with_margins as challengers
    inner join values_with_margins as controls
        on challengers.experiment_id = controls.experiment_id
        and challengers.metric = controls.metric
        and challengers.variant <> controls.variant
    inner join metrics on challengers.metric = metrics.metric
    where controls.is_the_control
),

pairs_with_errors as (
    select
        *,
        sqrt(
            case
                when metric_kind = 'rate'
                    then counting_share * (1 - counting_share)
                        * (1e0 / unit_count + 1e0 / control_unit_count)
                else squared_error + control_squared_error
            end
        ) as tested_error,
        -- Welch's and Satterthwaite's degrees of freedom.
        (squared_error + control_squared_error) * (squared_error + control_squared_error)
        / nullif(
            squared_error * squared_error / nullif(unit_count - 1, 0)
            + control_squared_error * control_squared_error / nullif(control_unit_count - 1, 0),
            0
        ) as degrees,
        -- Of the lift, if both were as the control is.
        sqrt(control_squared_error * (1 + cast(control_unit_count as double) / unit_count))
            as planned_error
    from pairs
),

scores as (
    select
        pairs_with_errors.*,
        pairs_with_errors.absolute_lift / nullif(pairs_with_errors.tested_error, 0) as statistic,
        nullif(pairs_with_errors.minimum_lift * abs(pairs_with_errors.control_value), 0)
        / nullif(pairs_with_errors.planned_error, 0) as planned_score,
        quantiles.z,
        quantiles.z + quantiles.power_z as z_of_power
    from pairs_with_errors
    cross join quantiles
),

normal_scores as (
    select
        *,
        case
            when metric_kind = 'rate' then statistic
            else {{ student_as_normal('statistic', 'degrees') }}
        end as score,
        case
            when metric_kind = 'rate' then 1e0
            else {{ student_quantile('z', 'degrees') }} / z
        end as widening,
        planned_score - z as score_above,
        -planned_score - z as score_below
    from scores
),

margins as (
    select
        *,
        {% for margin in [
            'margin_down', 'margin_up', 'control_margin_down', 'control_margin_up'
        ] -%}
        widening * widening * {{ margin }} * {{ margin }} as squared_{{ margin }},
        {% endfor -%}
        metric_value * metric_value as squared_value,
        control_value * control_value as squared_control_value
    from normal_scores
),

roots as (
    select
        *,
        squared_value * squared_control_margin_up
        + squared_margin_down * (squared_control_value - squared_control_margin_up)
            as squared_root_low,
        squared_value * squared_control_margin_down
        + squared_margin_up * (squared_control_value - squared_control_margin_down)
            as squared_root_high
    from margins
),

comparisons as (
    select
        experiment_id,
        metric,
        variant,
        control_value,
        absolute_lift,
        absolute_lift - sqrt(squared_margin_down + squared_control_margin_up) as absolute_lift_low,
        absolute_lift + sqrt(squared_margin_up + squared_control_margin_down)
            as absolute_lift_high,
        absolute_lift / nullif(control_value, 0) as relative_lift,
        -- The variant may as well have nothing; or the control may, and no lift is too high.
        case
            when control_value > 0 and squared_value <= squared_margin_down then -1e0
            when control_value > 0
                then (squared_value - squared_margin_down)
                    / (metric_value * control_value + sqrt(squared_root_low)) - 1
        end as relative_lift_low,
        case
            when squared_control_value > squared_control_margin_down
                then (metric_value * control_value + sqrt(squared_root_high))
                    / (squared_control_value - squared_control_margin_down) - 1
        end as relative_lift_high,
        2 * {{ normal_tail('score') }} as p_value,
        least_unit_count * counting_share >= {{ var('experiment_minimum_count') }}
        and (
            metric_kind = 'mean'
            or least_unit_count * (1 - counting_share) >= {{ var('experiment_minimum_count') }}
        ) as has_enough_data,
        minimum_lift,
        {{ normal_below('score_above') }} + {{ normal_tail('score_below') }} as power,
        minimum_lift * z_of_power / planned_score as detectable_lift,
        -- What one variant of two needs; as many devices to a unit as the control has.
        cast(ceil(
            z_of_power * z_of_power / (planned_score * planned_score)
            * 2 * unit_count / (unit_count + control_unit_count) * control_device_count
        ) as bigint) as required_device_count
    from roots
),

comparisons_ranked as (
    select
        *,
        count(p_value) over (partition by experiment_id) as p_value_count,
        row_number() over (
            partition by experiment_id, p_value is null
            order by p_value, metric, variant
        ) as p_value_rank
    from comparisons
),

-- Holm: the least p-value times their number, the next one times one less, never less than before.
comparisons_adjusted as (
    select
        *,
        max(p_value * (p_value_count - p_value_rank + 1)) over (
            partition by experiment_id, p_value is null
            order by p_value_rank
            rows between unbounded preceding and current row
        ) as holm_p_value
    from comparisons_ranked
),

variants_compared as (
    select
        experiment_id,
        metric,
        variant,
        control_value,
        absolute_lift,
        absolute_lift_low,
        absolute_lift_high,
        relative_lift,
        relative_lift_low,
        relative_lift_high,
        p_value,
        case when holm_p_value > 1 then 1e0 else holm_p_value end as adjusted_p_value,
        has_enough_data,
        minimum_lift,
        power,
        detectable_lift,
        required_device_count
    from comparisons_adjusted
)

select * from variants_compared

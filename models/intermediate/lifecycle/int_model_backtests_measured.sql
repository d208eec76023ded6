-- Grain: one row per as_of_date and model that was judged on the holdout before it.
-- AUC = P(a customer who ordered has the higher score than one who did not), a tie counting half:
-- by counts, in whole numbers (twice those below), so that no order of rows moves a digit. Its
-- error against the baseline, recency alone, is DeLong's, of two AUCs of the same customers (E. R.
-- DeLong and others, Biometrics 44, 1988).
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
with

predictions as (
    select * from {{ ref('int_model_predictions_gathered') }}
    {% if is_incremental() -%}
    where as_of_date in {{ touched('as_of_date', 'date') }}
    {%- endif %}
),

{% set judged = 'as_of_date, model' %}

-- How many of the other outcome stand below each value, twice, those on it counted once.
{% for name, score in [('score', 'score'), ('baseline', '-recency_days')] -%}
{{ name }}_values as (
    select
        {{ judged }},
        {{ score }} as {{ name }}_value,
        count(*) filter (where is_active) as active_count,
        count(*) filter (where not is_active) as inactive_count
    from predictions
    group by {{ judged }}, {{ score }}
),

{{ name }}_places as (
    select
        {{ judged }},
        {{ name }}_value,
        2 * (sum(active_count) over history) - active_count as active_below,
        2 * (sum(inactive_count) over history) - inactive_count as inactive_below
    from {{ name }}_values
    window history as (
        partition by {{ judged }} order by {{ name }}_value rows unbounded preceding
    )
),

{% endfor -%}
ranks as (
    select
        predictions.*,
        {% for name in ['score', 'baseline'] -%}
        cast(
            case
                when predictions.is_active then {{ name }}_places.inactive_below
                else {{ name }}_places.active_below
            end as bigint
        ) as {{ name }}_wins,
        {% endfor -%}
        -- Sums of decimals are the same in any order.
        case
            when predictions.subject = 'activity'
                then least(greatest(predictions.predicted, 1e-15), 1 - 1e-15)
        end as probability
    from predictions
    {% for name, score in [
        ('score', 'predictions.score'), ('baseline', '-predictions.recency_days')
    ] -%}
    inner join {{ name }}_places
        on predictions.as_of_date = {{ name }}_places.as_of_date
        and predictions.model = {{ name }}_places.model
        and {{ score }} = {{ name }}_places.{{ name }}_value
    {% endfor %}
),

sums as (
    select
        as_of_date,
        model,
        min(cutoff_date) as cutoff_date,
        count(*) as customer_count,
        count(*) filter (where is_active) as active_count,
        cast(count(*) filter (where is_active) as double) as active,
        cast(count(*) filter (where not is_active) as double) as inactive,
        {% for name in ['score', 'baseline'] -%}
        cast(sum({{ name }}_wins) filter (where is_active) as double) as {{ name }}_wins,
        {% endfor -%}
        {% for name, condition in [('active', 'is_active'), ('inactive', 'not is_active')] -%}
        cast(sum(score_wins - baseline_wins) filter (where {{ condition }}) as double)
            as {{ name }}_lead,
        cast(
            sum((score_wins - baseline_wins) * (score_wins - baseline_wins))
            filter (where {{ condition }}) as double
        ) as {{ name }}_squared_lead,
        {% endfor -%}
        {% for name, value in [
            ('predicted', 'predicted'),
            ('actual', 'actual'),
            ('predicted_squared', 'predicted * predicted'),
            ('actual_squared', 'actual * actual'),
            ('predicted_actual', 'predicted * actual'),
            ('squared_error', '(predicted - actual) * (predicted - actual)'),
            ('log_loss', '-ln(case when is_active then probability else 1 - probability end)')
        ] -%}
        cast(sum(cast({{ value }} as decimal(28, 12))) as double) as {{ name }}_sum,
        {% endfor -%}
        min(subject) as subject
    from ranks
    group by as_of_date, model
),

measures as (
    select
        as_of_date,
        model,
        subject,
        cutoff_date,
        customer_count,
        active_count,
        score_wins / nullif(2 * active * inactive, 0) as auc,
        baseline_wins / nullif(2 * active * inactive, 0) as baseline_auc,
        sqrt(
            (active_squared_lead - active_lead * active_lead / nullif(active, 0))
            / nullif(4 * active * (active - 1) * inactive * inactive, 0)
            + (inactive_squared_lead - inactive_lead * inactive_lead / nullif(inactive, 0))
            / nullif(4 * inactive * (inactive - 1) * active * active, 0)
        ) as auc_lead_error,
        predicted_sum as predicted_total,
        actual_sum as actual_total,
        predicted_sum / nullif(actual_sum, 0) - 1 as total_error_ratio,
        (customer_count * predicted_actual_sum - predicted_sum * actual_sum)
        / nullif(sqrt(
            greatest(customer_count * predicted_squared_sum - predicted_sum * predicted_sum, 0)
            * greatest(customer_count * actual_squared_sum - actual_sum * actual_sum, 0)
        ), 0) as correlation,
        case when subject = 'activity' then squared_error_sum / customer_count end as brier_score,
        log_loss_sum / customer_count as log_loss
    from sums
)

select * from measures

-- Grain: one row per as_of_date, stage (holdout, serving) and customer, as the models see them.
-- A view: of each customer all is reckoned from one row, and nobody is looked up again. A model
-- that is not there says NULL. orchestration/churn_classifier.py has the behaviour model's formula.
{{ config(materialized='view') }}
{% set features = churn_features() %}
with

customers as (
    select * from {{ ref('int_churn_features_measured') }} where stage <> 'training'
),

coefficients as (
    select as_of_date, stage, feature, coefficient, mean, scale
    from {{ ref('int_churn_classifiers_fitted') }}
),

classifiers as (
    select
        as_of_date,
        stage,
        {% for feature in features -%}
        max(coefficient / scale) filter (where feature = '{{ feature }}') as {{ feature }}_weight,
        max(mean) filter (where feature = '{{ feature }}') as {{ feature }}_mean,
        {% endfor -%}
        max(coefficient) filter (where feature = 'intercept') as intercept
    from coefficients
    group by as_of_date, stage
),

parameters as (
    select * from {{ ref('int_purchase_parameters_served') }}
),

histories as (
    select
        *,
        purchase_day_count - 1 as repeat_count,
        tenure_days - recency_days as history_days
    from customers
),

scores as (
    select
        histories.*,
        parameters.ineligible_reason,
        {% for model in ['bg_nbd', 'mbg_nbd'] -%}
        {{ log_odds_gone(
            model, 'histories.repeat_count', 'histories.history_days', 'histories.tenure_days',
            'parameters'
        ) }} as {{ model }}_log_odds_gone,
        {% endfor -%}
        {{ p_active_if_alive(90, 'histories.repeat_count', 'histories.tenure_days', 'parameters') }}
            as p_active_90d_if_alive,
        classifiers.intercept
        {% for feature, expression in features.items() -%}
        + coalesce(
            {{ feature }}_weight * (cast({{ expression }} as double) - {{ feature }}_mean), 0
        )
        {% endfor %}
            as log_odds_active
    from histories
    left join parameters on histories.state_date = parameters.state_date
    left join classifiers
        on histories.as_of_date = classifiers.as_of_date
        and histories.stage = classifiers.stage
),

customers_scored as (
    select
        as_of_date,
        is_latest,
        stage,
        state_date,
        customer_id,
        first_order_date,
        last_order_date,
        recency_days,
        tenure_days,
        purchase_day_count,
        repeat_count,
        mean_gap_days,
        recent_net_amount,
        outcome_purchase_day_count,
        {{ p_alive('bg_nbd_log_odds_gone') }} as bg_nbd_p_alive,
        {{ p_alive('mbg_nbd_log_odds_gone') }} as p_alive,
        {{ p_alive('mbg_nbd_log_odds_gone') }} * p_active_90d_if_alive as purchase_p_active_90d,
        1 / (1 + exp(-log_odds_active)) as behaviour_p_active_90d,
        ineligible_reason
    from scores
)

select * from customers_scored

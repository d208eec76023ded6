-- Grain: one row per as_of_date, stage (holdout, serving) and customer: the behaviour model's word.
-- None where no model was fitted. The formula stands in orchestration/churn_classifier.py.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set features = churn_features().keys() %}
with

customers as (
    select * from {{ ref('int_churn_features_scaled') }}
    {% if is_incremental() -%}
    where as_of_date in {{ touched('as_of_date', 'date') }}
    {%- endif %}
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

scores as (
    select
        customers.as_of_date,
        customers.stage,
        customers.customer_id,
        classifiers.intercept
        {% for feature in features -%}
        + coalesce({{ feature }}_weight * ({{ feature }} - {{ feature }}_mean), 0)
        {% endfor %}
            as log_odds
    from customers
    inner join classifiers
        on customers.as_of_date = classifiers.as_of_date
        and customers.stage = classifiers.stage
),

customers_scored as (
    select
        as_of_date,
        stage,
        customer_id,
        1 / (1 + exp(-log_odds)) as p_active_90d
    from scores
)

select * from customers_scored

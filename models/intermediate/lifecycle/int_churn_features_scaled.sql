-- Grain: one row per as_of_date, stage and customer of int_churn_features_measured.
-- A view: the features as the behaviour model reads them (macro churn_features). NULL: not known.
{{ config(materialized='view') }}
with

features as (
    select * from {{ ref('int_churn_features_measured') }}
),

features_scaled as (
    select
        as_of_date,
        stage,
        customer_id,
        {% for name, expression in churn_features().items() -%}
        cast({{ expression }} as double) as {{ name }},
        {% endfor -%}
        outcome_purchase_day_count > 0 as is_active
    from features
)

select * from features_scaled

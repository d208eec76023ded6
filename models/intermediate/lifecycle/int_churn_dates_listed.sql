-- Grain: one row per as_of_date and stage of its churn models: training, holdout, serving.
-- A model is trained on customers as of two horizons ago, judged on those of one horizon ago, and
-- serves those of today: what became of them is known at once for all but the last.
-- Settings of the Python model stand here as columns, since it cannot ask for variables.
{{ config(materialized='view') }}
{% set horizon = var('holdout_days') %}
with

as_of_dates as (
    select as_of_date, is_latest from {{ ref('int_as_of_dates_fingerprinted') }}
),

stages as (
    select
        *,
        'training' as stage,
        as_of_date - {{ 2 * horizon }} as state_date,
        as_of_date - {{ horizon }} as outcome_date
    from as_of_dates
    union all
    select
        *,
        'holdout' as stage,
        as_of_date - {{ horizon }} as state_date,
        as_of_date as outcome_date
    from as_of_dates
    union all
    select
        *,
        'serving' as stage,
        as_of_date as state_date,
        cast(null as date) as outcome_date
    from as_of_dates
),

stages_with_settings as (
    select
        *,
        as_of_date in {{ touched('as_of_date', 'date') }} as is_touched,
        {{ var('churn_minimum_customers') }} as minimum_customers,
        {{ var('churn_minimum_outcomes') }} as minimum_outcomes,
        cast({{ var('churn_regularization') }} as double) as regularization,
        {{ var('churn_importance_repeats') }} as importance_repeats
    from stages
)

select * from stages_with_settings

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
    {% for stage, horizons in [('training', 2), ('holdout', 1), ('serving', 0)] -%}
    select
        as_of_date,
        is_latest,
        '{{ stage }}' as stage,
        as_of_date - {{ horizons * horizon }} as state_date,
        {{ 'as_of_date' if horizons == 1 else 'as_of_date - ' ~ horizon if horizons else 'cast(null as date)' }}
            as outcome_date
    from as_of_dates
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

stages_with_settings as (
    select
        *,
        {{ var('churn_minimum_customers') }} as minimum_customers,
        {{ var('churn_minimum_outcomes') }} as minimum_outcomes,
        cast({{ var('churn_regularization') }} as double) as regularization,
        {{ var('churn_importance_repeats') }} as importance_repeats
    from stages
)

select * from stages_with_settings

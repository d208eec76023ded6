-- Grain: one row per day whose recommendations are built.
-- as_of_date, whose recommendations are served; a horizon before it, whose are judged by what was
-- bought since (the holdout); and one more before that, by which the holdout's sources are weighed.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

horizons as (
    {{ numbers_up_to('as_of', 2) }}
),

recommendation_dates as (
    select
        {% set horizon_days = var('recommendation_horizon_days') -%}
        {% set days = '(cast(horizons.number as integer) * ' ~ horizon_days ~ ')' -%}
        cast(as_of.as_of_date - {{ days }} as date) as as_of_date,
        cast(horizons.number as bigint) as horizon_number,
        horizons.number = 0 as is_latest,
        {{ start_of_reporting_date(
            'cast(as_of.as_of_date - ' ~ days ~ ' + 1 as date)'
        ) }} as known_until_at
    from as_of
    cross join horizons
)

select * from recommendation_dates

-- Grain: one row per UTC day of kept events, whether as_of_date knows it or not.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='utc_date',
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')]
) }}
with

events as (
    select event_at, is_bot from {{ ref('base_web__events') }}
),

event_days as (
    select
        cast(event_at as date) as utc_date,
        count(*) as event_count,
        count(*) filter (where is_bot) as bot_event_count,
        max(event_at) as last_event_at
    from events
    where {{ in_touched_days('event_at') }}
    group by cast(event_at as date)
)

select * from event_days

-- Grain: one row, the last day that the numbers may know.
-- The newest day in the data may still be filling up, so the last complete one is the day before.
-- The days between what the last refreshes knew and what this one may know are touched.
{{ config(post_hook="{{ note_days_known_no_more() }}") }}
with

orders as (
    select ordered_at from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

event_days as (
    select last_event_at from {{ ref('base_web__event_days') }}
),

newest as (
    select max(ordered_at) as newest_at from orders
    union all
    select max(last_event_at) as newest_at from event_days
),

last_complete_day as (
    select {{ reporting_date('max(newest_at)') }} - 1 as as_of_date from newest
),

as_of as (
    select
        {{ "date '" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'as_of_date' }}
            as as_of_date
    from last_complete_day
),

as_of_until as (
    select
        as_of_date,
        {{ start_of_reporting_date('(as_of_date + 1)') }} as known_until_at
    from as_of
)

select * from as_of_until

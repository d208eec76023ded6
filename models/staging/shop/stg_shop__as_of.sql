-- Grain: one row, the last day that the numbers may know.
-- The newest day in the data may still be filling up, so the last complete one is the day before.
with

orders as (
    select ordered_at from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

events as (
    select event_at from {{ ref('base_web__events') }}
),

newest as (
    select max(ordered_at) as newest_at from orders
    union all
    select max(event_at) as newest_at from events
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

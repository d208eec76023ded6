-- Grain: one row, the last day that the numbers may know.
-- The newest day in the data may still be filling up, so the last complete one is the day before.
with

orders as (
    select ordered_at from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

events as (
    select event_id, event_at from {{ ref('base_web__events') }} where event_id is not null
),

events_set_aside as (
    select event_id, event_at, verdict from {{ ref('base_web__events_set_aside') }}
),

newest as (
    select max(ordered_at) as newest_at from orders
    union all
    select max(event_at) as newest_at
    from events
    where
        not exists (
            select 1 from events_set_aside where events_set_aside.event_id = events.event_id
        )
    union all
    select max(event_at) as newest_at from events_set_aside where verdict = 'kept'
),

last_complete_day as (
    select {{ reporting_date('max(newest_at)') }} - 1 as as_of_date from newest
),

as_of as (
    select
        {% if var('as_of_date') %}
        date '{{ var("as_of_date") }}' as as_of_date
        {% else %}
        as_of_date
        {% endif %}
    from last_complete_day
),

as_of_until as (
    select
        as_of_date,
        {{ start_of_reporting_date('(as_of_date + 1)') }} as known_until_at
    from as_of
)

select * from as_of_until

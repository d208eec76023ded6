-- Grain: one row per web event that is more than a page view, or a step of a funnel; no bots.
-- Written once, since sessions, carts and funnels ask for these events and never for all of them.
-- Devices whose events differ from before are noted: an event of a file that was replaced may have
-- another name or time, and its session be the same as before by all that is counted of it.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key=['event_id', 'utc_date'],
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')],
    meta={'touches': {'anonymous_id': 'anonymous_id'}, 'days': 'utc_date'}
) }}
with

events as (
    select
        event_id,
        anonymous_id,
        event_name,
        page_type,
        product_id,
        order_id,
        quantity,
        event_value,
        is_interaction,
        event_at
    from {{ ref('stg_web__events') }}
    where not is_bot and {{ in_touched_days('event_at') }}
),

steps as (
    select event_name, page_type from {{ ref('stg_web__funnel_steps') }}
),

step_events as (
    select
        event_name,
        coalesce(page_type, '') as page_type
    from steps
    group by event_name, coalesce(page_type, '')
),

interactions as (
    select
        events.event_id,
        events.anonymous_id,
        events.event_name,
        events.page_type,
        events.product_id,
        events.order_id,
        events.quantity,
        events.event_value,
        cast(events.event_at as date) as utc_date,
        events.event_at
    from events
    left join step_events as steps_of_any_page
        on events.event_name = steps_of_any_page.event_name and steps_of_any_page.page_type = ''
    left join step_events
        on events.event_name = step_events.event_name and events.page_type = step_events.page_type
    where
        events.is_interaction
        or steps_of_any_page.event_name is not null
        or step_events.event_name is not null
)

select * from interactions

-- Grain: one row per visitor with a session or an order that was not cancelled.
-- Orders count in the session that they were placed in, and by themselves where that is unknown or
-- another visitor's.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='visitor_id',
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    on_schema_change='fail',
    meta={'slices': 'visitor_id'}
) }}
{% set in_touched = 'visitor_id in ' ~ touched('visitor_id') %}
{% set in_slice = 'visitor_id is not null and ' ~ in_slice_of_keys('visitor_id') %}
{% set visitors = in_touched if is_incremental() else in_slice %}
with

sessions as (
    select
        session_id,
        visitor_id,
        visitor_session_number,
        channel,
        session_date,
        started_at,
        interest_at,
        consideration_at,
        intent_at,
        -- Who places a later order has placed one; its time may be just before the tracked one.
        case when loyalty_at < purchase_at then loyalty_at else purchase_at end as purchase_at,
        loyalty_at
    from {{ ref('fct_sessions') }}
    where {{ visitors }}
),

order_events as (
    select event_name, visitor_id, session_id, event_at
    from {{ ref('int_order_events_derived') }}
    where {{ visitors }}
),

visits as (
    select
        visitor_id,
        count(*) as session_count,
        max(channel) filter (where visitor_session_number = 1) as first_channel,
        {{ last_by('channel', ['visitor_session_number']) }} as last_channel,
        {{ first_by('channel', ['purchase_at', 'visitor_session_number']) }}
        filter (where purchase_at is not null) as purchase_channel,
        min(session_date) as first_session_date,
        max(session_date) as last_session_date,
        min(started_at) as first_session_at,
        max(started_at) as last_session_at,
        min(interest_at) as interest_at,
        min(consideration_at) as consideration_at,
        min(intent_at) as intent_at,
        min(purchase_at) as purchase_at,
        min(loyalty_at) as loyalty_at
    from sessions
    group by visitor_id
),

orders as (
    select
        order_events.visitor_id,
        min(order_events.event_at) filter (where order_events.event_name = 'order_placed')
            as purchase_at,
        min(order_events.event_at) filter (where order_events.event_name = 'order_placed_again')
            as loyalty_at
    from order_events
    left join sessions
        on order_events.session_id = sessions.session_id
        and order_events.visitor_id = sessions.visitor_id
    where sessions.session_id is null
    group by order_events.visitor_id
),

visitors as (
    select
        coalesce(visits.visitor_id, orders.visitor_id) as visitor_id,
        coalesce(visits.session_count, 0) as session_count,
        visits.first_channel,
        visits.last_channel,
        case
            when orders.purchase_at is null or visits.purchase_at <= orders.purchase_at
                then visits.purchase_channel
        end as purchase_channel,
        visits.first_session_date,
        visits.last_session_date,
        visits.first_session_at,
        visits.last_session_at,
        visits.interest_at,
        visits.consideration_at,
        visits.intent_at,
        case
            when orders.purchase_at is null or visits.purchase_at <= orders.purchase_at
                then visits.purchase_at
            else orders.purchase_at
        end as purchase_at,
        case
            when orders.loyalty_at is null or visits.loyalty_at <= orders.loyalty_at
                then visits.loyalty_at
            else orders.loyalty_at
        end as loyalty_at
    from visits
    full outer join orders on visits.visitor_id = orders.visitor_id
),

-- Of a visitor who ordered before any session was seen, nobody knows when they arrived.
visitors_arrived as (
    select
        *,
        case
            when purchase_at is null or first_session_at <= purchase_at then first_session_at
        end as awareness_at
    from visitors
),

visits_before_purchase as (
    select
        visitors.visitor_id,
        count(*) as session_count
    from visitors
    inner join sessions
        on visitors.visitor_id = sessions.visitor_id
        and visitors.purchase_at >= sessions.started_at
    group by visitors.visitor_id
),

journeys as (
    select
        visitors_arrived.visitor_id,
        {{ furthest_stage() }} as furthest_stage,
        visitors_arrived.purchase_at is not null as is_converted,
        visitors_arrived.session_count,
        case
            when visitors_arrived.purchase_at is not null
                then coalesce(visits_before_purchase.session_count, 0)
        end as sessions_to_purchase_count,
        visitors_arrived.first_channel,
        visitors_arrived.last_channel,
        visitors_arrived.purchase_channel,
        visitors_arrived.first_session_date,
        visitors_arrived.last_session_date,
        visitors_arrived.first_session_at,
        visitors_arrived.last_session_at,
        visitors_arrived.awareness_at,
        visitors_arrived.interest_at,
        visitors_arrived.consideration_at,
        visitors_arrived.intent_at,
        visitors_arrived.purchase_at,
        visitors_arrived.loyalty_at,
        {% for stage in ['interest', 'consideration', 'intent', 'purchase'] -%}
        {{ microseconds_between('awareness_at', stage ~ '_at') }} / 86400000000e0
            as days_to_{{ stage }},
        {% endfor -%}
        {{ microseconds_between('purchase_at', 'loyalty_at') }} / 86400000000e0
            as days_from_purchase_to_loyalty,
        {{ microseconds_between('first_session_at', 'last_session_at') }} / 86400000000e0
            as days_from_first_to_last_session
    from visitors_arrived
    left join visits_before_purchase
        on visitors_arrived.visitor_id = visits_before_purchase.visitor_id
)

select * from journeys

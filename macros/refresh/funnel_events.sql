{#
    The select of int_funnel_events_gathered. A refresh, or a slice of a full build, asks for the events of some
    visitors alone: `visitors` is a condition on visitor_id, which the engine would not see through the joins.
#}
{% macro funnel_events(visitors='true') -%}
with

interactions as {{ inlined() }} (
    select anonymous_id, event_name, page_type, order_id, event_at
    from {{ ref('stg_web__interactions') }}
    -- These names are the warehouse's own.
    where
        event_name not in (
            'session_arrived', 'visitor_arrived', 'session_engaged',
            'order_placed', 'order_placed_first', 'order_placed_again'
        )
),

sessions as {{ inlined() }} (
    select
        session_id,
        visitor_id,
        anonymous_id,
        visitor_session_number,
        is_engaged,
        is_new_visitor,
        started_at,
        ended_at
    from {{ ref('fct_sessions') }}
    where {{ visitors }}
),

order_events as (
    select event_name, visitor_id, session_id, event_at
    from {{ ref('int_order_events_derived') }}
    where {{ visitors }}
),

orders as (
    select session_id, ordered_at from {{ ref('fct_orders') }} where session_id is not null
),

tracked_events as (
    select
        interactions.event_name,
        interactions.page_type,
        sessions.visitor_id,
        sessions.session_id,
        sessions.visitor_session_number,
        interactions.event_at
    from interactions
    inner join sessions
        on interactions.anonymous_id = sessions.anonymous_id
        and interactions.event_at >= sessions.started_at
        and interactions.event_at <= sessions.ended_at
),

tracked_purchases as (
    select sessions.session_id
    from interactions
    inner join sessions
        on interactions.anonymous_id = sessions.anonymous_id
        and interactions.event_at >= sessions.started_at
        and interactions.event_at <= sessions.ended_at
    where interactions.event_name = 'purchase'
    group by sessions.session_id
),

-- Tracking loses some purchases: the order itself tells of them.
lost_purchases as (
    select
        sessions.visitor_id,
        sessions.session_id,
        sessions.visitor_session_number,
        orders.ordered_at as event_at
    from orders
    inner join sessions on orders.session_id = sessions.session_id
    left join tracked_purchases on orders.session_id = tracked_purchases.session_id
    where tracked_purchases.session_id is null
),

-- An order in a session of somebody else (whoever paid logged in elsewhere) is its visitor's own
-- event without a session.
order_events_of_visitors as (
    select
        order_events.event_name,
        cast(null as string) as page_type,
        order_events.visitor_id,
        sessions.session_id,
        sessions.visitor_session_number,
        order_events.event_at
    from order_events
    left join sessions
        on order_events.session_id = sessions.session_id
        and order_events.visitor_id = sessions.visitor_id
),

{% set derived = [
    ('session_arrived', 'sessions', 'started_at', 'true'),
    ('visitor_arrived', 'sessions', 'started_at', 'is_new_visitor'),
    ('session_engaged', 'sessions', 'started_at', 'is_engaged'),
    ('purchase', 'lost_purchases', 'event_at', 'true')
] %}

funnel_events as (
    select * from tracked_events
    union all
    {% for event_name, relation, event_at, condition in derived -%}
    select
        '{{ event_name }}' as event_name,
        cast(null as string) as page_type,
        visitor_id,
        session_id,
        visitor_session_number,
        {{ event_at }} as event_at
    from {{ relation }}
    where {{ condition }}
    union all
    {% endfor -%}
    select * from order_events_of_visitors
)

select * from funnel_events
{%- endmacro %}

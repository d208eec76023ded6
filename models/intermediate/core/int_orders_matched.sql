-- Grain: one row per order that a session can be told for.
-- The session is that of the order's first purchase event; where tracking lost it, the session of
-- the order's anonymous_id in which, or within the session gap of whose end, the order was placed.
with

orders as (
    select order_id, anonymous_id, ordered_at from {{ ref('stg_shop__orders') }}
),

purchases as (
    select order_id, anonymous_id, event_at
    from {{ ref('stg_web__interactions') }}
    where event_name = 'purchase' and order_id is not null
),

sessions as (
    select session_id, anonymous_id, started_at, ended_at
    from {{ ref('int_sessions_identified') }}
),

first_purchases as (
    select
        orders.order_id,
        {{ first_by('purchases.anonymous_id', ['purchases.event_at', 'purchases.anonymous_id']) }}
            as anonymous_id,
        min(purchases.event_at) as purchased_at
    from orders
    inner join purchases on orders.order_id = purchases.order_id
    group by orders.order_id
),

places as (
    select
        orders.order_id,
        coalesce(first_purchases.anonymous_id, orders.anonymous_id) as anonymous_id,
        coalesce(first_purchases.purchased_at, orders.ordered_at) as placed_at
    from orders
    left join first_purchases on orders.order_id = first_purchases.order_id
),

orders_matched as (
    select
        places.order_id,
        {{ last_by('sessions.session_id', ['sessions.started_at']) }} as session_id
    from places
    inner join sessions
        on places.anonymous_id = sessions.anonymous_id
        and places.placed_at >= sessions.started_at
        and places.placed_at
        < sessions.ended_at + interval '{{ var("session_gap_minutes") }}' minute
    group by places.order_id
)

select * from orders_matched

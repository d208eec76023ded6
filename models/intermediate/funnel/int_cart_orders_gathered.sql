-- Grain: one row per visitor and time at which they ordered, which ends a cart or recovers it.
-- An order counts for the visitor of its session and for its own one, mostly the same: a customer
-- who was not logged in left no cart behind. Its amount is booked with the first of the two. A
-- purchase that tracking saw and no order tells of counts too, once.
-- All orders are compared at every refresh, as they change without a word.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='cart_order_id',
    meta={'touches': {'cart_visitor_id': 'visitor_id'}}
) }}
with

orders as (
    select order_id, customer_id, visitor_id, session_id, status, net_amount, ordered_at
    from {{ ref('fct_orders') }}
),

sessions as (
    select session_id, visitor_id, anonymous_id, started_at, ended_at from {{ ref('fct_sessions') }}
),

purchases as (
    select cart_event_id, event_id, anonymous_id, order_id, event_at
    from {{ ref('int_cart_events_kept') }}
    where event_name = 'purchase'
),

orders_of_sessions as (
    select
        orders.order_id,
        orders.customer_id,
        orders.visitor_id as own_visitor_id,
        coalesce(sessions.visitor_id, orders.visitor_id) as visitor_id,
        orders.net_amount,
        orders.ordered_at
    from orders
    left join sessions on orders.session_id = sessions.session_id
    where orders.status <> 'cancelled'
),

-- A page that thanks for an order and is opened again is no second one.
unknown_purchases as (
    select
        {{ first_by('purchases.anonymous_id', ['purchases.event_at', 'purchases.event_id']) }}
            as anonymous_id,
        min(purchases.event_at) as purchased_at
    from purchases
    left join orders on purchases.order_id = orders.order_id
    where orders.order_id is null
    group by coalesce(purchases.order_id, purchases.cart_event_id)
),

unknown_purchases_of_sessions as (
    select
        sessions.visitor_id,
        unknown_purchases.purchased_at
    from unknown_purchases
    inner join sessions
        on unknown_purchases.anonymous_id = sessions.anonymous_id
        and unknown_purchases.purchased_at >= sessions.started_at
        and unknown_purchases.purchased_at <= sessions.ended_at
    left join orders on sessions.session_id = orders.session_id
    where orders.order_id is null
),

orders_of_visitors as (
    select
        visitor_id,
        order_id,
        customer_id,
        true as is_booked,
        net_amount,
        ordered_at
    from orders_of_sessions
    where visitor_id is not null
    union all
    select
        own_visitor_id as visitor_id,
        order_id,
        customer_id,
        false as is_booked,
        net_amount,
        ordered_at
    from orders_of_sessions
    where own_visitor_id <> visitor_id
    union all
    select
        visitor_id,
        null as order_id,
        null as customer_id,
        true as is_booked,
        null as net_amount,
        purchased_at as ordered_at
    from unknown_purchases_of_sessions
),

orders_of_moments as (
    select
        visitor_id,
        ordered_at,
        {{ first_by(
            packed(['order_id', 'customer_id', 'is_booked', 'net_amount']),
            ['case when order_id is null then 1 else 0 end', 'order_id']
        ) }} as first_order
    from orders_of_visitors
    group by visitor_id, ordered_at
),

orders_gathered as (
    select
        md5(
            orders_of_moments.visitor_id || '|' || cast(orders_of_moments.ordered_at as string)
        ) as cart_order_id,
        orders_of_moments.visitor_id,
        {% for column in ['order_id', 'customer_id', 'is_booked', 'net_amount'] -%}
        orders_of_moments.first_order.{{ column }} as {{ column }},
        {% endfor -%}
        orders_of_moments.ordered_at
    from orders_of_moments
)

select * from orders_gathered

-- Grain: one row per order that was not cancelled: what touches are looked for, and credited with.
-- All orders are compared at every refresh, as they change without a word; those that differ from
-- before are attributed again.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='order_id',
    meta={'touches': {'credited_order_id': 'order_id'}}
) }}
with

orders as (
    select
        order_id,
        customer_id,
        visitor_id,
        session_id,
        is_revenue,
        is_first_order,
        net_amount,
        margin_amount,
        order_date,
        ordered_at
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

sessions as (
    select session_id, visitor_id, customer_id from {{ ref('fct_sessions') }}
),

credited_orders as (
    select
        orders.order_id,
        orders.customer_id,
        orders.visitor_id,
        orders.session_id,
        sessions.visitor_id as session_visitor_id,
        coalesce(sessions.visitor_id <> orders.visitor_id, false) as is_placed_elsewhere,
        sessions.customer_id is not null as is_session_identified,
        orders.is_revenue,
        coalesce(orders.is_first_order, false) as is_first_order,
        orders.net_amount,
        orders.margin_amount,
        orders.order_date,
        lag(orders.ordered_at) over (
            partition by orders.visitor_id order by orders.ordered_at, orders.order_id
        ) as previous_ordered_at,
        orders.ordered_at
    from orders
    left join sessions on orders.session_id = sessions.session_id
)

select * from credited_orders

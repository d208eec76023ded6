-- Grain: one row per session with orders: what was ordered in it.
-- All orders are compared at every refresh, as an order's status and its customer's earlier orders
-- change without a word; sessions whose orders differ from before are built again. Their times are
-- listed for that alone, and those with revenue counted: an order that changes no sum may still be
-- the step of a funnel, or an experiment's outcome.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='session_id',
    meta={'touches': {'visitor_id': 'visitor_id'}}
) }}
with

orders as (
    select
        order_id,
        session_id,
        status,
        is_revenue,
        customer_order_number,
        unit_count,
        net_amount,
        ordered_at
    from {{ ref('fct_orders') }}
    where session_id is not null
),

sessions as (
    select session_id, visitor_id from {{ ref('int_sessions_identified') }}
),

session_orders as (
    select
        session_id,
        count(*) filter (where status <> 'cancelled') as order_count,
        count(*) filter (where is_revenue) as revenue_order_count,
        cast(sum(unit_count) filter (where is_revenue) as bigint) as unit_count,
        cast(sum(net_amount) as decimal(18, 2)) as net_amount,
        min(ordered_at) as ordered_at,
        min(ordered_at) filter (where customer_order_number >= 2) as reordered_at,
        {{ listed('ordered_at', ['ordered_at', 'order_id']) }} as order_times
    from orders
    group by session_id
),

session_orders_summed as (
    select
        session_orders.session_id,
        sessions.visitor_id,
        session_orders.order_count,
        session_orders.revenue_order_count,
        session_orders.unit_count,
        session_orders.net_amount,
        session_orders.ordered_at,
        session_orders.reordered_at,
        session_orders.order_times
    from session_orders
    inner join sessions on session_orders.session_id = sessions.session_id
)

select * from session_orders_summed

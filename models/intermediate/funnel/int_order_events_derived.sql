-- Grain: one row per order that was not cancelled and event that it stands for: order_placed, and
-- order_placed_first or order_placed_again for a customer's.
-- All orders are compared at every refresh, as an order's status changes without a word; visitors
-- whose orders differ from before are touched.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='order_event_id',
    meta={'touches': {'visitor_id': 'visitor_id'}}
) }}
with

orders as (
    select order_id, visitor_id, session_id, status, customer_order_number, ordered_at
    from {{ ref('fct_orders') }}
),

order_events as (
    select
        order_id,
        'order_placed' as event_name,
        visitor_id,
        session_id,
        ordered_at as event_at
    from orders
    where status <> 'cancelled'
    union all
    select
        order_id,
        case
            when customer_order_number = 1 then 'order_placed_first' else 'order_placed_again'
        end as event_name,
        visitor_id,
        session_id,
        ordered_at as event_at
    from orders
    where customer_order_number is not null
),

order_events_derived as (
    select
        md5(order_id || '|' || event_name) as order_event_id,
        *
    from order_events
)

select * from order_events_derived

-- Grain: one row per order item row that the shop brought, with a verdict.
with

order_items as (
    {{ typed_rows('order_items') }}
),

orders as (
    select order_id from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

order_items_with_order as (
    select
        order_items.*,
        case
            when orders.order_id is null
                then concat('order_id ', order_items.order_id, ' is no order that was kept')
            when order_items.unit_price * cast(order_items.quantity as decimal(10, 0)) > 10000000000
                then 'quantity times unit_price is above 10000000000, more than an amount can hold'
        end as order_breach
    from order_items
    left join orders on order_items.order_id = orders.order_id
),

{{ judgement('order_items', 'order_items_with_order', 'order_breach') }}

select * from rows_judged

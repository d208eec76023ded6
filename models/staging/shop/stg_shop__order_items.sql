-- Grain: one row per order and line.
with

order_items as (
    select * from {{ ref('base_shop__order_items') }} where verdict = 'kept'
),

orders as (
    select order_id from {{ ref('stg_shop__orders') }}
),

order_items_known as (
    select
        order_id,
        line_number,
        product_id,
        quantity,
        unit_price,
        coalesce(discount_amount, 0) as discount_amount,
        unit_cost
    from order_items
    where exists (select 1 from orders where orders.order_id = order_items.order_id)
)

select * from order_items_known

-- Grain: one row per day and pair of products bought in one order of that day, guests' included.
-- product_a is before product_b; a product with itself is the orders that have it, and a row
-- without products all of them. Cancelled orders, and those of too many products
-- (affinity_largest_basket), are left out.
with

orders as (
    select order_id, order_date as basket_date
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

order_products as (
    select
        orders.basket_date,
        orders.order_id as basket_id,
        lines.product_id
    from orders
    inner join lines on orders.order_id = lines.order_id
    group by orders.basket_date, orders.order_id, lines.product_id
),

{{ basket_pairs('order_products') }}

select * from pairs_counted

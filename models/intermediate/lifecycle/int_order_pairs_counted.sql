-- Grain: one row per day and pair of products bought in one order of that day, guests' included.
-- product_a is before product_b; a product with itself is the orders that have it, and a row
-- without products all of them. Cancelled orders, and those of too many products
-- (affinity_largest_basket), are left out, and so are days before all that affinities are made of.
with

dates as (
    select min(as_of_date) - {{ var('affinity_order_days') }} as date_before
    from {{ ref('int_recommendation_dates_listed') }}
),

orders as (
    select orders.order_id, orders.order_date as basket_date
    from {{ ref('fct_orders') }} as orders
    inner join dates on orders.order_date > dates.date_before
    where orders.status <> 'cancelled'
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

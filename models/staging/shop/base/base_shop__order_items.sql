-- Grain: one row per order item row that the shop brought, with a verdict.
with

order_items as (
    {{ typed_rows('order_items') }}
),

orders as (
    select order_id, currency, ordered_at
    from {{ ref('base_shop__orders') }}
    where verdict = 'kept'
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

orders_rated as (
    select orders.order_id, rates.rate
    from orders
    inner join rates
        on {{ rate_holds('rates', 'orders.currency', reporting_date('orders.ordered_at')) }}
),

order_items_with_order as (
    select
        order_items.*,
        case
            when orders_rated.order_id is null
                then concat('order_id ', order_items.order_id, ' is no order that was kept')
            when {{ exact_product('order_items.unit_price', 'order_items.quantity') }}
                > {{ var('largest_line_amount') }} / greatest(orders_rated.rate, 1)
                then 'quantity times unit_price is above {{ var("largest_line_amount") }}'
        end as order_breach
    from order_items
    left join orders_rated on order_items.order_id = orders_rated.order_id
),

{{ judgement('order_items', 'order_items_with_order', 'order_breach') }}

select * from rows_judged

-- Grain: one row per customer with an order that was not cancelled, or with a refund.
-- The fingerprint is of all that their orders, the lines of these and their refunds say: where it
-- is another one than at the last refresh the customer is touched, and every table of customers'
-- orders builds that customer again, and no other. So a column that one of them reads is here too.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='customer_id',
    meta={'touches': {'customer_id': 'customer_id'}}
) }}
with

orders as (
    select
        order_id,
        customer_id,
        is_revenue,
        payment_method,
        order_date,
        unit_count,
        returned_unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        net_amount_after_refunds_by_order_date,
        cost_amount,
        margin_amount
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

products as (
    select product_id, category from {{ ref('dim_products') }}
),

refunds as (
    select
        refund_id,
        customer_id,
        refund_date,
        returned_unit_count,
        refund_amount,
        returned_cost_amount
    from {{ ref('fct_refunds') }}
    where customer_id is not null and is_revenue
),

facts as (
    select
        customer_id,
        {{ fingerprint([
            'order_id', 'is_revenue', 'payment_method', 'order_date', 'unit_count',
            'returned_unit_count', 'gross_amount', 'discount_amount', 'net_amount',
            'net_amount_after_refunds_by_order_date', 'cost_amount', 'margin_amount'
        ]) }} as fingerprint
    from orders
    group by customer_id
    union all
    select
        orders.customer_id,
        {{ fingerprint(['lines.order_id', 'lines.product_id', 'products.category']) }}
            as fingerprint
    from lines
    inner join orders on lines.order_id = orders.order_id
    left join products on lines.product_id = products.product_id
    group by orders.customer_id
    union all
    select
        customer_id,
        {{ fingerprint([
            'refund_id', 'refund_date', 'returned_unit_count', 'refund_amount',
            'returned_cost_amount'
        ]) }} as fingerprint
    from refunds
    group by customer_id
),

customer_purchases_fingerprinted as (
    select customer_id, cast(sum(fingerprint) as string) as fingerprint
    from facts
    group by customer_id
)

select * from customer_purchases_fingerprinted

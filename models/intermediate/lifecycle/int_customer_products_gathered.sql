-- Grain: one row per customer, product and day on which they ordered it.
-- Of orders that were not cancelled. The last purchase as of a day is the row with
-- order_date <= day < valid_to_date. next_order_date is the customer's next day with any order.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['customer_id in ' ~ touched('customer_id')]
) }}
-- depends_on: {{ ref('int_customer_purchases_fingerprinted') }}
with

orders as (
    select order_id, customer_id, order_date
    from {{ ref('fct_orders') }}
    where status <> 'cancelled' and customer_id is not null
    {% if is_incremental() -%}
    and customer_id in {{ touched('customer_id') }}
    {%- endif %}
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

purchase_days as (
    select
        customer_id,
        activity_date as order_date,
        purchase_day_count,
        next_order_date
    from {{ ref('int_customer_days_accumulated') }}
    where activity_date = last_order_date
),

product_days as (
    select
        orders.customer_id,
        lines.product_id,
        orders.order_date
    from lines
    inner join orders on lines.order_id = orders.order_id
    group by orders.customer_id, lines.product_id, orders.order_date
),

customer_products as (
    select
        product_days.customer_id,
        product_days.product_id,
        product_days.order_date,
        purchase_days.purchase_day_count > 1 as is_repeat_day,
        purchase_days.next_order_date,
        min(product_days.order_date) over purchases as first_bought_date,
        lag(product_days.order_date) over purchases as previous_bought_date,
        lead(product_days.order_date, 1, date '9999-12-31') over purchases as valid_to_date
    from product_days
    inner join purchase_days
        on product_days.customer_id = purchase_days.customer_id
        and product_days.order_date = purchase_days.order_date
    window purchases as (
        partition by product_days.customer_id, product_days.product_id
        order by product_days.order_date
    )
)

select * from customer_products

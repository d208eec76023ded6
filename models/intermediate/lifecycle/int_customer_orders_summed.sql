-- Grain: one row per customer with an order that was not cancelled.
-- Money and units are those of orders with revenue; a favourite is what most orders have, of equals
-- the first by name.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['customer_id in ' ~ touched('customer_id')]
) }}
-- depends_on: {{ ref('int_customer_purchases_fingerprinted') }}
with

orders as (
    select
        order_id,
        customer_id,
        payment_method,
        is_revenue,
        unit_count,
        returned_unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        net_amount_after_refunds_by_order_date,
        margin_amount
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
    {% if is_incremental() -%}
    and customer_id in {{ touched('customer_id') }}
    {%- endif %}
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

products as (
    select product_id, category from {{ ref('dim_products') }} where category is not null
),

order_sums as (
    select
        customer_id,
        count(*) filter (where is_revenue) as revenue_order_count,
        coalesce(sum(unit_count) filter (where is_revenue), 0) as unit_count,
        coalesce(sum(returned_unit_count), 0) as returned_unit_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount',
            'net_amount_after_refunds_by_order_date'
        ] -%}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor -%}
        case
            when count(margin_amount) = count(*) filter (where is_revenue)
                then coalesce(sum(margin_amount), 0)
        end as margin_amount
    from orders
    group by customer_id
),

payment_methods as (
    select customer_id, payment_method, count(*) as order_count
    from orders
    where payment_method is not null
    group by customer_id, payment_method
),

favourite_payment_methods as (
    select
        customer_id,
        {{ first_by('payment_method', ['- order_count', 'payment_method']) }}
            as favourite_payment_method
    from payment_methods
    group by customer_id
),

order_categories as (
    select
        orders.customer_id,
        orders.order_id,
        products.category
    from lines
    inner join orders on lines.order_id = orders.order_id
    inner join products on lines.product_id = products.product_id
    group by orders.customer_id, orders.order_id, products.category
),

categories as (
    select customer_id, category, count(*) as order_count
    from order_categories
    group by customer_id, category
),

favourite_categories as (
    select
        customer_id,
        {{ first_by('category', ['- order_count', 'category']) }} as favourite_category
    from categories
    group by customer_id
),

customer_orders as (
    select
        order_sums.customer_id,
        order_sums.revenue_order_count,
        cast(order_sums.unit_count as bigint) as unit_count,
        cast(order_sums.returned_unit_count as bigint) as returned_unit_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount',
            'net_amount_after_refunds_by_order_date', 'margin_amount'
        ] -%}
        cast(order_sums.{{ column }} as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        favourite_categories.favourite_category,
        favourite_payment_methods.favourite_payment_method
    from order_sums
    left join favourite_categories on order_sums.customer_id = favourite_categories.customer_id
    left join favourite_payment_methods
        on order_sums.customer_id = favourite_payment_methods.customer_id
)

select * from customer_orders

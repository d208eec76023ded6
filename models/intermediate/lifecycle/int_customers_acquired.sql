-- Grain: one row per customer with an order that was not cancelled.
with

orders as (
    select order_id, customer_id, order_date from {{ ref('fct_orders') }} where is_first_order
),

lines as (
    select order_id, line_number, product_id, ordered_amount from {{ ref('fct_order_lines') }}
),

products as (
    select product_id, category from {{ ref('dim_products') }}
),

customers as (
    select customer_id, first_channel, first_session_at, first_ordered_at
    from {{ ref('dim_customers') }}
),

-- Pending orders have no revenue yet, so lines are compared by what was ordered.
largest_lines as (
    select
        orders.order_id,
        {{ first_by('lines.product_id', ['-lines.ordered_amount', 'lines.line_number']) }}
            as product_id
    from orders
    inner join lines on orders.order_id = lines.order_id
    group by orders.order_id
),

customers_acquired as (
    select
        orders.customer_id,
        cast(date_trunc('month', orders.order_date) as date) as cohort_month_start_date,
        case
            when customers.first_session_at <= customers.first_ordered_at
                then customers.first_channel
        end as first_channel,
        products.category as first_category
    from orders
    inner join customers on orders.customer_id = customers.customer_id
    left join largest_lines on orders.order_id = largest_lines.order_id
    left join products on largest_lines.product_id = products.product_id
)

select * from customers_acquired

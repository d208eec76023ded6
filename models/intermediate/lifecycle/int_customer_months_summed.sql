-- Grain: one row per customer and month with an order that was not cancelled.
-- What became of the month's orders: refunds are booked on the order's date.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['customer_id in ' ~ touched('customer_id')]
) }}
-- depends_on: {{ ref('int_customer_purchases_fingerprinted') }}
with

orders as (
    select
        customer_id,
        is_revenue,
        cast(date_trunc('month', order_date) as date) as month_start_date,
        net_amount,
        net_amount_after_refunds_by_order_date,
        margin_amount,
        order_date
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
    {% if is_incremental() -%}
    and customer_id in {{ touched('customer_id') }}
    {%- endif %}
),

months as (
    select
        customer_id,
        month_start_date,
        max(order_date) as last_order_date,
        count(*) as order_count,
        count(*) filter (where is_revenue and margin_amount is null)
            as unknown_margin_order_count,
        cast(coalesce(sum(net_amount), 0) as decimal(18, 2)) as net_amount,
        cast(coalesce(sum(net_amount_after_refunds_by_order_date), 0) as decimal(18, 2))
            as net_amount_after_refunds_by_order_date,
        cast(coalesce(sum(margin_amount), 0) as decimal(18, 2)) as margin_amount
    from orders
    group by customer_id, month_start_date
),

months_in_order as (
    select
        customer_id,
        month_start_date,
        last_order_date,
        order_count,
        unknown_margin_order_count,
        net_amount,
        net_amount_after_refunds_by_order_date,
        margin_amount,
        first_value(month_start_date) over customer_months as first_month_start_date,
        cast(
            sum(order_count) over customer_months as bigint
        ) as cumulative_order_count,
        lag(last_order_date) over customer_months as previous_order_date,
        lead(month_start_date) over customer_months as next_month_start_date
    from months
    window customer_months as (partition by customer_id order by month_start_date)
)

select * from months_in_order

-- Grain: one row per customer and day with an order that was not cancelled, or with a refund.
-- Each row holds the customer's history up to and with its day, and is valid until the next one:
-- the state on any day is the row with activity_date <= day < valid_to_date, without a sum. Refunds
-- count on the day they were made, so that nothing here ever changes for what comes later.
with

orders as (
    select
        customer_id,
        order_date as activity_date,
        unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        case when is_revenue then cost_amount end as cost_amount,
        case when is_revenue and cost_amount is null then 1 else 0 end as unknown_cost_count
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

refunds as (
    select
        customer_id,
        refund_date as activity_date,
        returned_unit_count,
        refund_amount,
        returned_cost_amount
    from {{ ref('fct_refunds') }}
    where customer_id is not null and is_revenue
),

activities as (
    select
        customer_id,
        activity_date,
        1 as order_count,
        unit_count,
        0 as returned_unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        0 as refund_amount,
        cost_amount,
        unknown_cost_count
    from orders
    union all
    select
        customer_id,
        activity_date,
        0 as order_count,
        0 as unit_count,
        returned_unit_count,
        0 as gross_amount,
        0 as discount_amount,
        0 as net_amount,
        refund_amount,
        -returned_cost_amount as cost_amount,
        0 as unknown_cost_count
    from refunds
),

days as (
    select
        customer_id,
        activity_date,
        sum(order_count) > 0 as is_purchase_day,
        {% for column in [
            'order_count', 'unit_count', 'returned_unit_count', 'gross_amount', 'discount_amount',
            'net_amount', 'refund_amount', 'cost_amount'
        ] -%}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor -%}
        sum(unknown_cost_count) as unknown_cost_count
    from activities
    group by customer_id, activity_date
),

days_numbered as (
    select
        *,
        case when is_purchase_day then activity_date end as purchase_date,
        net_amount - refund_amount - cost_amount as margin_amount,
        sum(case when is_purchase_day then 1 else 0 end) over history as purchase_day_count
    from days
    window history as (partition by customer_id order by activity_date rows unbounded preceding)
),

first_days_marked as (
    select
        *,
        case when is_purchase_day and purchase_day_count = 1 then net_amount else 0 end
            as first_day_net_amount
    from days_numbered
),

days_accumulated as (
    select
        customer_id,
        activity_date,
        lead(activity_date, 1, date '9999-12-31') over customer_days as valid_to_date,
        cast(purchase_day_count as bigint) as purchase_day_count,
        min(purchase_date) over history as first_order_date,
        max(purchase_date) over history as last_order_date,
        {% for column in ['order_count', 'unit_count', 'returned_unit_count'] -%}
        cast(sum({{ column }}) over history as bigint) as {{ column }},
        {% endfor -%}
        {% for column in ['gross_amount', 'discount_amount', 'net_amount', 'refund_amount'] -%}
        cast(sum({{ column }}) over history as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        cast(sum(net_amount - refund_amount) over history as decimal(18, 2))
            as net_amount_after_refunds,
        cast(sum(first_day_net_amount) over history as decimal(18, 2)) as first_day_net_amount,
        case
            when sum(unknown_cost_count) over history = 0
                then cast(sum(margin_amount) over history as decimal(18, 2))
        end as margin_amount
    from first_days_marked
    window
        customer_days as (partition by customer_id order by activity_date),
        history as (partition by customer_id order by activity_date rows unbounded preceding)
)

select * from days_accumulated

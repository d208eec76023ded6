-- Grain: one row per customer and day with an order that was not cancelled, or with a refund.
-- Each row holds the customer's history up to and with its day, and is valid until the next one:
-- the state on any day is the row with activity_date <= day < valid_to_date, without a sum. Refunds
-- count on the day they were made, so that nothing here ever changes for what comes later.
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
        order_date as activity_date,
        unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        case when is_revenue then cost_amount end as cost_amount,
        case when is_revenue and cost_amount is null then 1 else 0 end as unknown_cost_count
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
    {% if is_incremental() -%}
    and customer_id in {{ touched('customer_id') }}
    {%- endif %}
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
    {% if is_incremental() -%}
    and customer_id in {{ touched('customer_id') }}
    {%- endif %}
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
        cast(sum(order_count) as bigint) as order_count,
        {% for column in ['unit_count', 'returned_unit_count'] -%}
        cast(coalesce(sum({{ column }}), 0) as bigint) as {{ column }},
        {% endfor -%}
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount', 'cost_amount'
        ] -%}
        cast(coalesce(sum({{ column }}), 0) as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        cast(sum(unknown_cost_count) as bigint) as unknown_cost_count
    from activities
    group by customer_id, activity_date
),

purchase_days_marked as (
    select
        *,
        case when order_count > 0 then 1 else 0 end as purchase_day_count,
        case when order_count > 0 then activity_date end as purchase_date,
        case when order_count > 0 then net_amount end as purchase_day_net_amount,
        net_amount - refund_amount as net_amount_after_refunds
    from days
),

-- One window, so that customers' days are sorted once.
history_summed as (
    select
        customer_id,
        activity_date,
        {{ first_known('purchase_date') }} over history as first_order_date,
        {{ last_known('purchase_date') }} over history as last_order_date,
        coalesce({{ first_known('purchase_day_net_amount') }} over history, 0)
            as first_day_net_amount,
        {% for column in [
            'purchase_day_count', 'order_count', 'unit_count', 'returned_unit_count',
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount',
            'net_amount_after_refunds', 'cost_amount', 'unknown_cost_count'
        ] -%}
        sum({{ column }}) over history as {{ column }},
        {% endfor -%}
        {{ last_known('purchase_date') }} over history_before as previous_order_date,
        coalesce({{ first_known('purchase_date') }} over history_after, date '9999-12-31')
            as next_order_date,
        lead(activity_date, 1, date '9999-12-31') over customer_days as valid_to_date
    from purchase_days_marked
    window
        customer_days as (partition by customer_id order by activity_date),
        history as (partition by customer_id order by activity_date rows unbounded preceding),
        history_before as (
            partition by customer_id order by activity_date
            rows between unbounded preceding and 1 preceding
        ),
        history_after as (
            partition by customer_id order by activity_date
            rows between 1 following and unbounded following
        )
),

days_accumulated as (
    select
        customer_id,
        activity_date,
        valid_to_date,
        cast(purchase_day_count as bigint) as purchase_day_count,
        first_order_date,
        last_order_date,
        previous_order_date,
        next_order_date,
        {% for column in ['order_count', 'unit_count', 'returned_unit_count'] -%}
        cast({{ column }} as bigint) as {{ column }},
        {% endfor -%}
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount',
            'net_amount_after_refunds'
        ] -%}
        cast({{ column }} as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        first_day_net_amount,
        case
            when unknown_cost_count = 0
                then cast(net_amount_after_refunds - cost_amount as decimal(18, 2))
        end as margin_amount
    from history_summed
)

select * from days_accumulated

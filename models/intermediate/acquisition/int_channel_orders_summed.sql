-- Grain: one row per day, channel and campaign of orders.
-- Orders and amounts by channel_attribution_model, new customers by first touch.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['order_date in ' ~ touched('credited_order_date', 'date')]
) }}
{% set model = var('channel_attribution_model') %}
{% set days = touched('credited_order_date', 'date') %}
{% set is_touched = ('in ' ~ days) if is_incremental() else 'is not null' %}
with

revenue as (
    select
        order_date,
        channel,
        campaign,
        attribution_model = '{{ model }}' as is_compared,
        attribution_model = '{{ model }}' and is_main_touch as is_order,
        attribution_model = '{{ model }}' and is_main_touch and is_revenue as is_revenue_order,
        attribution_model = 'first_touch' and is_first_order as is_new_customer,
        attributed_net_amount,
        attributed_margin_amount
    from {{ ref('fct_attributed_revenue') }}
    where attribution_model in ('{{ model }}', 'first_touch') and order_date {{ is_touched }}
),

channel_orders as (
    select
        order_date,
        channel,
        campaign,
        count(*) filter (where is_order) as order_count,
        count(*) filter (where is_revenue_order) as revenue_order_count,
        count(*) filter (where is_revenue_order and attributed_margin_amount is null)
            as unknown_margin_order_count,
        count(*) filter (where is_new_customer) as new_customer_count,
        cast(coalesce(sum(attributed_net_amount) filter (where is_compared), 0) as decimal(18, 2))
            as net_amount,
        cast(
            coalesce(sum(attributed_margin_amount) filter (where is_compared), 0) as decimal(18, 2)
        ) as margin_amount
    from revenue
    group by order_date, channel, campaign
    having count(*) filter (where is_compared or is_new_customer) > 0
)

select * from channel_orders

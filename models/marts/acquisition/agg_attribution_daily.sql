-- Grain: one row per day of orders, attribution model and channel that it gives credit.
-- Channels of one model add up to the orders; models do not add up.
with

credits as (
    select
        attribution_model,
        channel,
        order_credit,
        attributed_net_amount,
        attributed_margin_amount,
        order_date
    from {{ ref('fct_attributed_revenue') }}
    where is_revenue
),

credits_by_day as (
    select
        attribution_model,
        channel,
        cast(sum(order_credit) as double) as order_credit,
        cast(sum(attributed_net_amount) as decimal(18, 2)) as attributed_net_amount,
        cast(sum(attributed_margin_amount) as decimal(18, 2)) as attributed_margin_amount,
        order_date
    from credits
    group by attribution_model, channel, order_date
)

select * from credits_by_day

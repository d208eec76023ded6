-- Without this a model could lose an order, or share out a cent more or less than it was worth, and
-- channels would no longer add up to the shop.
with

orders as (
    select order_id, net_amount, margin_amount from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

models as (
    select attribution_model from {{ ref('ref_attribution_models') }}
),

revenue as (
    select
        order_id,
        attribution_model,
        is_main_touch,
        order_credit,
        attributed_net_amount,
        attributed_margin_amount
    from {{ ref('fct_attributed_revenue') }}
),

attributed as (
    select
        order_id,
        attribution_model,
        count(*) filter (where is_main_touch) as main_touch_count,
        min(order_credit) as least_credit,
        sum(order_credit) as order_credit,
        sum(attributed_net_amount) as net_amount,
        sum(attributed_margin_amount) as margin_amount,
        count(*) filter (where attributed_net_amount < 0) as negative_count
    from revenue
    group by order_id, attribution_model
),

expected as (
    select
        orders.*,
        models.attribution_model
    from orders
    cross join models
)

select
    expected.*,
    attributed.*
from expected
full outer join attributed
    on expected.order_id = attributed.order_id
    and expected.attribution_model = attributed.attribution_model
where
    expected.order_id is null
    or attributed.order_id is null
    or attributed.order_credit <> 1
    or attributed.least_credit < 0
    or attributed.main_touch_count <> 1
    or expected.net_amount is distinct from attributed.net_amount
    or expected.margin_amount is distinct from attributed.margin_amount
    or (expected.net_amount >= 0 and attributed.negative_count > 0)

-- Grain: one row per recommendation date and product that customers buy again in its cycle.
-- A product is replenished where the shop says so (is_subscription), or where the next order of
-- those who bought it has it again more often, beyond chance, than repeat orders have it anyway.
with

dates as (
    select as_of_date from {{ ref('int_recommendation_dates_listed') }}
),

customer_products as (
    select
        customer_id,
        product_id,
        order_date,
        is_repeat_day,
        next_order_date,
        previous_bought_date,
        valid_to_date
    from {{ ref('int_customer_products_gathered') }}
),

products as (
    select product_id, is_subscription from {{ ref('dim_products') }}
),

purchases as (
    select
        dates.as_of_date,
        customer_products.*
    from customer_products
    inner join dates on customer_products.order_date <= dates.as_of_date
),

repeat_days as (
    select
        as_of_date,
        customer_id,
        order_date
    from purchases
    where is_repeat_day
    group by as_of_date, customer_id, order_date
),

repeat_days_counted as (
    select as_of_date, count(*) as repeat_day_count from repeat_days group by as_of_date
),

products_counted as (
    select
        as_of_date,
        product_id,
        count(previous_bought_date) as gap_count,
        {{ quantiles_of('order_date - previous_bought_date', [0.5]) }} as gap_quantiles,
        count(case when is_repeat_day then 1 end) as bought_on_repeat_day_count,
        count(case when next_order_date <= as_of_date then 1 end) as next_order_count,
        count(
            case when next_order_date <= as_of_date and next_order_date = valid_to_date then 1 end
        ) as again_count
    from purchases
    group by as_of_date, product_id
),

products_measured as (
    select
        products_counted.as_of_date,
        products_counted.product_id,
        products_counted.gap_count,
        {{ list_item('products_counted.gap_quantiles', 1) }} as cycle_days,
        products_counted.next_order_count,
        products_counted.again_count,
        coalesce(products.is_subscription, false) as is_subscription,
        products_counted.again_count / cast(products_counted.next_order_count as double)
            as again_share,
        products_counted.bought_on_repeat_day_count
        / cast(repeat_days_counted.repeat_day_count as double) as repeat_share
    from products_counted
    inner join repeat_days_counted on products_counted.as_of_date = repeat_days_counted.as_of_date
    left join products on products_counted.product_id = products.product_id
    where products_counted.gap_count >= {{ var('replenishment_minimum_count') }}
),

products_compared as (
    select
        *,
        (again_share - repeat_share)
        / sqrt(repeat_share * (1 - repeat_share) / next_order_count) as z
    from products_measured
    where repeat_share < 1 and next_order_count > 0
),

cycles_measured as (
    select
        as_of_date,
        product_id,
        gap_count,
        cycle_days,
        next_order_count,
        again_count,
        again_share,
        repeat_share
    from products_compared
    where
        is_subscription
        or (z > 0 and {{ normal_tail('z') }} <= {{ var('replenishment_significance_level') }})
)

select * from cycles_measured

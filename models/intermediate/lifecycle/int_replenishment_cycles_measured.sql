-- Grain: one row per end of a month and product that customers buy again in its cycle.
-- A product is replenished where the shop says so (is_subscription), or where the next order of
-- those who bought it has it again more often, beyond chance, than repeat orders have it anyway.
-- Days until the next end of a month go by it, so that a past day knows the cycle it knew then.
with

dates as (
    select as_of_date as cycle_date
    from {{ ref('int_as_of_dates_listed') }}
    where extract(day from as_of_date + 1) = 1
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

repeat_days as (
    select
        customer_id,
        order_date
    from customer_products
    where is_repeat_day
    group by customer_id, order_date
),

repeat_days_counted as (
    select
        dates.cycle_date,
        count(*) as repeat_day_count
    from repeat_days
    inner join dates on repeat_days.order_date <= dates.cycle_date
    group by dates.cycle_date
),

facts as (
    select
        product_id,
        order_date as fact_date,
        count(case when is_repeat_day then 1 end) as repeat_count,
        0 as next_order_count,
        0 as again_count
    from customer_products
    group by product_id, order_date
    union all
    select
        product_id,
        next_order_date as fact_date,
        0 as repeat_count,
        count(*) as next_order_count,
        count(case when next_order_date = valid_to_date then 1 end) as again_count
    from customer_products
    group by product_id, next_order_date
),

facts_summed as (
    select
        dates.cycle_date,
        facts.product_id,
        sum(facts.repeat_count) as repeat_count,
        sum(facts.next_order_count) as next_order_count,
        sum(facts.again_count) as again_count
    from facts
    inner join dates on facts.fact_date <= dates.cycle_date
    group by dates.cycle_date, facts.product_id
),

gaps as (
    select
        dates.cycle_date,
        customer_products.product_id,
        count(*) as gap_count,
        {{ quantiles_of(
            days_from('customer_products.previous_bought_date', 'customer_products.order_date'),
            [0.5]
        ) }} as gap_quantiles
    from customer_products
    inner join dates on customer_products.order_date <= dates.cycle_date
    where customer_products.previous_bought_date is not null
    group by dates.cycle_date, customer_products.product_id
    having count(*) >= {{ var('replenishment_minimum_count') }}
),

products_measured as (
    select
        gaps.cycle_date,
        gaps.product_id,
        gaps.gap_count,
        {{ list_item('gaps.gap_quantiles', 1) }} as cycle_days,
        cast(facts_summed.next_order_count as bigint) as next_order_count,
        cast(facts_summed.again_count as bigint) as again_count,
        coalesce(products.is_subscription, false) as is_subscription,
        cast(facts_summed.again_count as double) / facts_summed.next_order_count as again_share,
        cast(facts_summed.repeat_count as double) / repeat_days_counted.repeat_day_count
            as repeat_share
    from gaps
    inner join facts_summed
        on gaps.cycle_date = facts_summed.cycle_date and gaps.product_id = facts_summed.product_id
    inner join repeat_days_counted on gaps.cycle_date = repeat_days_counted.cycle_date
    left join products on gaps.product_id = products.product_id
),

products_compared as (
    select
        *,
        (again_share - repeat_share)
        / sqrt(nullif(repeat_share * (1 - repeat_share) / next_order_count, 0)) as z
    from products_measured
),

cycles_measured as (
    select
        cycle_date,
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

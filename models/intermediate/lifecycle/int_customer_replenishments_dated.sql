-- Grain: one row per recommendation date, customer and product that is due to be bought again.
-- Not where a subscription brings it anyway.
with

dates as (
    select as_of_date, known_until_at from {{ ref('int_recommendation_dates_listed') }}
),

all_cycles as (
    select cycle_date, product_id, cycle_days, again_share, repeat_share
    from {{ ref('int_replenishment_cycles_measured') }}
),

month_ends as (
    select as_of_date as cycle_date
    from {{ ref('int_as_of_dates_listed') }}
    where extract(day from as_of_date + 1) = 1
),

cycle_dates as (
    select
        dates.as_of_date,
        max(month_ends.cycle_date) as cycle_date
    from dates
    inner join month_ends on dates.as_of_date >= month_ends.cycle_date
    group by dates.as_of_date
),

cycles as (
    select
        cycle_dates.as_of_date,
        all_cycles.*
    from all_cycles
    inner join cycle_dates on all_cycles.cycle_date = cycle_dates.cycle_date
),

customer_products as (
    select customer_id, product_id, order_date, valid_to_date
    from {{ ref('int_customer_products_gathered') }}
),

subscriptions as (
    select customer_id, product_id, started_at, ended_at from {{ ref('stg_shop__subscriptions') }}
),

subscribed as (
    select
        dates.as_of_date,
        subscriptions.customer_id,
        subscriptions.product_id
    from subscriptions
    inner join dates
        on subscriptions.started_at < dates.known_until_at
        and coalesce(subscriptions.ended_at >= dates.known_until_at, true)
    group by dates.as_of_date, subscriptions.customer_id, subscriptions.product_id
),

replenishments_dated as (
    select
        cycles.as_of_date,
        customer_products.customer_id,
        customer_products.product_id,
        customer_products.order_date as last_bought_date,
        cycles.cycle_days,
        cycles.again_share,
        cycles.repeat_share
    from customer_products
    inner join cycles
        on customer_products.product_id = cycles.product_id
        and customer_products.order_date <= cycles.as_of_date
        and customer_products.valid_to_date > cycles.as_of_date
    left join subscribed
        on cycles.as_of_date = subscribed.as_of_date
        and customer_products.customer_id = subscribed.customer_id
        and customer_products.product_id = subscribed.product_id
    where
        subscribed.customer_id is null
        and {{ days_from('customer_products.order_date', 'cycles.as_of_date') }}
        >= {{ var('replenishment_due_from_ratio') }} * cycles.cycle_days
        and {{ days_from('customer_products.order_date', 'cycles.as_of_date') }}
        <= {{ var('replenishment_due_to_ratio') }} * cycles.cycle_days
)

select * from replenishments_dated

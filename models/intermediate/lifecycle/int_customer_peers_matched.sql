-- Grain: one row per recommendation date and customer known by then, with whom they are compared.
-- The RFM segment is that of the last end of a month, which a later build still has. Of past dates
-- only who bought something within the horizon after it is recommended to: nobody else is judged.
with

dates as (
    select as_of_date, is_latest, known_until_at from {{ ref('int_recommendation_dates_listed') }}
),

customers as (
    select customer_id, country, created_at, first_ordered_at from {{ ref('dim_customers') }}
),

customer_products as (
    select customer_id, order_date from {{ ref('int_customer_products_gathered') }}
),

segments as (
    select customer_id, as_of_date, segment from {{ ref('fct_customer_rfm') }}
),

segment_dates as (
    select
        dates.as_of_date,
        max(segments.as_of_date) as segment_date
    from dates
    inner join segments on dates.as_of_date >= segments.as_of_date
    where extract(day from segments.as_of_date + 1) = 1
    group by dates.as_of_date
),

segments_of_dates as (
    select
        segment_dates.as_of_date,
        segments.customer_id,
        segments.segment
    from segments
    inner join segment_dates on segments.as_of_date = segment_dates.segment_date
),

buyers as (
    select
        dates.as_of_date,
        customer_products.customer_id
    from customer_products
    inner join dates
        on customer_products.order_date > dates.as_of_date
        and customer_products.order_date
        <= dates.as_of_date + {{ var('recommendation_horizon_days') }}
    group by dates.as_of_date, customer_products.customer_id
),

peers_matched as (
    select
        dates.as_of_date,
        customers.customer_id,
        coalesce(customers.country, '') as country,
        coalesce(segments_of_dates.segment, '') as segment,
        dates.is_latest or buyers.customer_id is not null as is_recommended_to
    from customers
    inner join dates
        on dates.is_latest
        or customers.created_at < dates.known_until_at
        or customers.first_ordered_at < dates.known_until_at
    left join buyers
        on dates.as_of_date = buyers.as_of_date
        and customers.customer_id = buyers.customer_id
    left join segments_of_dates
        on dates.as_of_date = segments_of_dates.as_of_date
        and customers.customer_id = segments_of_dates.customer_id
)

select * from peers_matched

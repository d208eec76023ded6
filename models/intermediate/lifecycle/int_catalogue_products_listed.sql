-- Grain: one row per recommendation date and product that could be bought then.
-- What the shop describes and has launched; where it describes nothing, what sold of late.
with

dates as (
    select as_of_date, known_until_at from {{ ref('int_recommendation_dates_listed') }}
),

products as (
    select product_id, is_described, launched_at from {{ ref('dim_products') }}
),

lines as (
    select product_id, order_date from {{ ref('fct_order_lines') }}
),

described as (
    select count(*) as product_count from products where is_described
),

sold as (
    select
        dates.as_of_date,
        lines.product_id
    from lines
    inner join dates
        on lines.order_date <= dates.as_of_date
        and lines.order_date > dates.as_of_date - {{ var('catalogue_days') }}
    group by dates.as_of_date, lines.product_id
),

products_listed as (
    select
        dates.as_of_date,
        products.product_id
    from products
    cross join dates
    cross join described
    left join sold
        on dates.as_of_date = sold.as_of_date and products.product_id = sold.product_id
    where
        (products.is_described and coalesce(products.launched_at < dates.known_until_at, true))
        or (described.product_count = 0 and sold.product_id is not null)
)

select * from products_listed

-- Grain: one row per product that the shop describes or has sold.
-- Prices are the product's own, at the last rate that as_of_date knows; what it was sold for is in
-- fct_order_lines.
with

products as (
    select * from {{ ref('stg_shop__products') }}
),

order_items as (
    select product_id from {{ ref('stg_shop__order_items') }}
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

rates_as_of as (
    select rates.currency, rates.rate
    from rates
    inner join as_of
        on rates.valid_from_date <= as_of.as_of_date
        and rates.valid_to_date > as_of.as_of_date
),

product_ids as (
    select product_id from products
    union -- a product once, described or sold
    select product_id from order_items
),

products_complete as (
    select
        product_ids.product_id,
        products.product_id is not null as is_described,
        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        products.is_subscription,
        cast({{ unit_converted('products.list_price', 'rates_as_of.rate') }} as decimal(18, 2))
            as list_price_amount,
        {{ unit_converted('products.unit_cost', 'rates_as_of.rate') }} as unit_cost_amount,
        products.launched_at
    from product_ids
    left join products on product_ids.product_id = products.product_id
    left join rates_as_of on products.currency = rates_as_of.currency
)

select * from products_complete

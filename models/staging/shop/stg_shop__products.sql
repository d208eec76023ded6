-- Grain: one row per product, as the catalogue has it at the load.
with

products as (
    select * from {{ ref('base_shop__products') }} where verdict = 'kept'
),

products_named as (
    select
        product_id,
        name as product_name,
        category,
        subcategory,
        brand,
        is_subscription,
        upper(coalesce(currency, '{{ var("reporting_currency") }}')) as currency,
        list_price,
        unit_cost,
        launched_at
    from products
)

select * from products_named

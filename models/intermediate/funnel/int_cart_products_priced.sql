-- Grain: one row per product with a list price.
-- What a cart's line is worth where its events do not say. All of them are compared at every
-- refresh, as a price or a rate changes without a word.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='product_id',
    meta={'touches': {'cart_product_id': 'product_id'}}
) }}
with

products as (
    select product_id, list_price_amount from {{ ref('dim_products') }}
),

products_priced as (
    select * from products where list_price_amount is not null
)

select * from products_priced

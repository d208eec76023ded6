-- Grain: one row per product row that the shop brought, with a verdict.
-- A price in the catalogue has no day: a currency with a rate on any day will do.
with

products as (
    {{ typed_rows('products') }}
),

rates as (
    select currency from {{ ref('stg_shop__fx_rates') }} group by currency
),

products_with_currency as (
    select
        products.*,
        case
            when products.currency is not null and rates.currency is null
                then concat('currency ', products.currency, ' has no rate on any day')
        end as currency_breach
    from products
    left join rates on upper(products.currency) = rates.currency
),

{{ judgement('products', 'products_with_currency', 'currency_breach') }}

select * from rows_judged

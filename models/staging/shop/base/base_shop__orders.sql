-- Grain: one row per order row that the shop brought, with a verdict: kept, duplicate or rejected.
with

orders as (
    {{ typed_rows('orders') }}
),

rates as (
    select currency, valid_from_date, valid_to_date from {{ ref('stg_shop__fx_rates') }}
),

orders_with_rate as (
    select
        orders.*,
        case
            when rates.currency is null
                then concat('currency ', orders.currency, ' has no rate on or before the day')
        end as currency_breach
    from orders
    left join rates
        on {{ rate_holds('rates', 'orders.currency', reporting_date('orders.ordered_at')) }}
),

{{ judgement('orders', 'orders_with_rate', 'currency_breach') }}

select * from rows_judged

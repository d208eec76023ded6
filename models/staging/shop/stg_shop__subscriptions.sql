-- Grain: one row per subscription of a customer to a product.
-- An end after as_of_date is not known, nor is the status that it may have brought.
with

subscriptions as (
    select * from {{ ref('base_shop__subscriptions') }} where verdict = 'kept'
),

subscriptions_known as (
    select
        subscription_id,
        customer_id,
        product_id,
        case when coalesce({{ is_known('ended_at') }}, true) then status end as status,
        interval_months,
        upper(coalesce(currency, '{{ var("reporting_currency") }}')) as currency,
        price,
        started_at,
        {{ when_known('ended_at') }} as ended_at
    from subscriptions
    where {{ is_known('started_at') }}
)

select * from subscriptions_known

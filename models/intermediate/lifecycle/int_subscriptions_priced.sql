-- Grain: one row per subscription that was active at the end of some day.
-- Its price in the reporting currency is that of the day it started, for good: MRR moves with what
-- customers do, not with rates.
with

subscriptions as (
    select
        subscription_id,
        customer_id,
        status,
        interval_months,
        currency,
        price,
        {{ reporting_date('started_at') }} as started_date,
        {{ reporting_date('ended_at') }} as ended_date
    from {{ ref('stg_shop__subscriptions') }}
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

subscriptions_converted as (
    select
        subscriptions.*,
        {{ converted('subscriptions.price', 'rates.rate') }} as price_amount
    from subscriptions
    inner join rates
        on {{ rate_holds('rates', 'subscriptions.currency', 'subscriptions.started_date') }}
    where subscriptions.ended_date is null or subscriptions.ended_date > subscriptions.started_date
),

subscriptions_priced as (
    select
        subscription_id,
        customer_id,
        ended_date is null as is_active,
        coalesce(ended_date is null and status = '{{ var("subscription_paused_status") }}', false)
            as is_paused,
        case
            when interval_months is not null
                then
                    cast(
                        {{ proportion_to_cent('price_amount', '1', 'interval_months') }}
                        as decimal(18, 2)
                    )
        end as mrr_amount,
        started_date,
        ended_date
    from subscriptions_converted
)

select * from subscriptions_priced

-- Grain: one row per subscription row that the shop brought, with a verdict.
with

subscriptions as (
    {{ typed_rows('subscriptions') }}
),

rates as (
    select currency, valid_from_date, valid_to_date from {{ ref('stg_shop__fx_rates') }}
),

subscriptions_with_rate as (
    select
        subscriptions.*,
        case
            when rates.currency is null
                then
                    concat(
                        'currency ', subscriptions.currency,
                        ' has no rate on or before the first day'
                    )
        end as currency_breach
    from subscriptions
    left join rates
        on {{ rate_holds(
            'rates', 'subscriptions.currency', reporting_date('subscriptions.started_at')
        ) }}
),

{{ judgement('subscriptions', 'subscriptions_with_rate', 'currency_breach') }}

select * from rows_judged

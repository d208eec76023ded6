-- Grain: one row per ad spend row that the shop brought, with a verdict.
with

ad_spend as (
    {{ typed_rows('ad_spend') }}
),

rates as (
    select currency, valid_from_date, valid_to_date from {{ ref('stg_shop__fx_rates') }}
),

ad_spend_with_rate as (
    select
        ad_spend.*,
        case
            when rates.currency is null
                then concat('currency ', ad_spend.currency, ' has no rate on or before the day')
        end as currency_breach
    from ad_spend
    left join rates on {{ rate_holds('rates', 'ad_spend.currency', 'ad_spend.spend_date') }}
),

{{ judgement('ad_spend', 'ad_spend_with_rate', 'currency_breach') }}

select * from rows_judged

-- Grain: one row per day, source, medium, campaign and currency of advertising.
-- Days are the ad platform's own. Messages have costs of their own and are none of this.
with

ad_spend as (
    select
        spend_date,
        utm_source,
        utm_medium,
        utm_campaign,
        currency,
        spend_amount,
        impression_count,
        click_count
    from {{ ref('stg_marketing__ad_spend') }}
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

traffic_sources as (
    select utm_source, utm_medium, channel
    from {{ ref('int_traffic_sources_classified') }}
    where referrer_host = ''
),

ad_spend_converted as (
    select
        md5(
            cast(ad_spend.spend_date as string)
            || '|' || ad_spend.utm_source
            || '|' || ad_spend.utm_medium
            || '|' || coalesce('=' || ad_spend.utm_campaign, '')
            || '|' || ad_spend.currency
        ) as ad_spend_key,
        traffic_sources.channel,
        ad_spend.utm_source,
        ad_spend.utm_medium,
        ad_spend.utm_campaign,
        ad_spend.currency,
        {{ converted('ad_spend.spend_amount', 'rates.rate') }} as spend_amount,
        ad_spend.spend_amount as spend_amount_in_spend_currency,
        ad_spend.impression_count,
        ad_spend.click_count,
        ad_spend.spend_date
    from ad_spend
    inner join rates on {{ rate_holds('rates', 'ad_spend.currency', 'ad_spend.spend_date') }}
    inner join traffic_sources
        on ad_spend.utm_source = traffic_sources.utm_source
        and ad_spend.utm_medium = traffic_sources.utm_medium
)

select * from ad_spend_converted

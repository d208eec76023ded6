-- Grain: one row per day, source, medium, campaign and currency of advertising.
-- Rows whose source or medium differ only in case or blanks are one, so they are added up.
with

ad_spend as (
    select * from {{ ref('base_marketing__ad_spend') }} where verdict = 'kept'
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

ad_spend_known as (
    select
        spend_date,
        lower(trim(utm_source)) as utm_source,
        lower(trim(utm_medium)) as utm_medium,
        utm_campaign,
        upper(coalesce(currency, '{{ var("reporting_currency") }}')) as currency,
        spend,
        impressions,
        clicks
    from ad_spend
    where spend_date <= (select as_of.as_of_date from as_of)
),

ad_spend_added_up as (
    select
        spend_date,
        utm_source,
        utm_medium,
        utm_campaign,
        currency,
        cast(sum(spend) as decimal(18, 2)) as spend_amount,
        cast(sum(impressions) as bigint) as impression_count,
        cast(sum(clicks) as bigint) as click_count
    from ad_spend_known
    group by spend_date, utm_source, utm_medium, utm_campaign, currency
)

select * from ad_spend_added_up

-- Grain: one row per day, channel and campaign of advertising.
-- All of it is compared at every refresh, as ad platforms correct past days.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='channel_spend_key',
    meta={'touches': {'spend_date': 'spend_date'}}
) }}
with

ad_spend as (
    select spend_date, channel, utm_campaign, spend_amount, impression_count, click_count
    from {{ ref('fct_ad_spend') }}
),

channel_spend as (
    select
        md5(cast(spend_date as string) || '|' || channel || coalesce('|' || utm_campaign, ''))
            as channel_spend_key,
        spend_date,
        channel,
        utm_campaign as campaign,
        cast(sum(spend_amount) as decimal(18, 2)) as spend_amount,
        cast(sum(impression_count) as bigint) as impression_count,
        cast(sum(click_count) as bigint) as click_count
    from ad_spend
    group by spend_date, channel, utm_campaign
)

select * from channel_spend

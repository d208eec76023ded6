-- Without this money that was spent could vanish between the ad platform and the sessions, and
-- every cost per session or customer would look better than it is.
with

ad_spend as (
    select spend_date, channel, utm_campaign, spend_amount from {{ ref('fct_ad_spend') }}
),

allocations as (
    select spend_date, channel, campaign, is_allocated, spend_amount
    from {{ ref('fct_spend_allocations') }}
),

performance as (
    select performance_date, channel, campaign, allocated_spend_amount, unallocated_spend_amount
    from {{ ref('agg_channel_performance') }}
),

rows_of_all as (
    select
        'sessions' as compared_with,
        spend_date,
        channel,
        utm_campaign as campaign,
        spend_amount
    from ad_spend
    union all
    select
        'sessions' as compared_with,
        spend_date,
        channel,
        campaign,
        -spend_amount as spend_amount
    from allocations
    union all
    {% for column, is_allocated in [('allocated', ''), ('unallocated', 'not ')] -%}
    select
        '{{ column }}' as compared_with,
        spend_date,
        channel,
        campaign,
        spend_amount
    from allocations
    where {{ is_allocated }}is_allocated
    union all
    select
        '{{ column }}' as compared_with,
        performance_date as spend_date,
        channel,
        campaign,
        -{{ column }}_spend_amount as spend_amount
    from performance
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    compared_with,
    spend_date,
    channel,
    campaign,
    sum(spend_amount) as difference
from rows_of_all
group by compared_with, spend_date, channel, campaign
having sum(spend_amount) <> 0

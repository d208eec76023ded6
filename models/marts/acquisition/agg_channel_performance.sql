-- Grain: one row per performance_date, channel and campaign; no campaign (NULL) is a group too.
-- Counts and amounts add up over all of these; a ratio of a coarser grain is that of its sums.
-- What begins with day_ is of the whole day, the same on each of its rows, and does not add up.
-- Spend counts on its own day, sessions and leads on theirs, orders and margin on the order's.
{% set model = var('channel_attribution_model') %}
with

spend as (
    select spend_date, channel, campaign, spend_amount, impression_count, click_count
    from {{ ref('int_channel_spend_summed') }}
),

sessions as (
    select * from {{ ref('int_channel_sessions_summed') }}
),

leads as (
    select * from {{ ref('int_channel_leads_summed') }}
),

revenue as (
    select
        order_date,
        channel,
        campaign,
        attribution_model = '{{ model }}' as is_compared,
        attribution_model = '{{ model }}' and is_main_touch as is_order,
        attribution_model = '{{ model }}' and is_main_touch and is_revenue as is_revenue_order,
        attribution_model = 'first_touch' and is_first_order as is_new_customer,
        attributed_net_amount,
        attributed_margin_amount
    from {{ ref('fct_attributed_revenue') }}
    where attribution_model in ('{{ model }}', 'first_touch')
),

channels as (
    select channel, is_paid from {{ ref('dim_channels') }}
),

{% set counts = [
    'impression_count', 'click_count', 'session_count', 'new_visitor_count',
    'bounced_session_count', 'converted_session_count', 'lead_count', 'mature_lead_count',
    'converted_lead_count', 'order_count', 'revenue_order_count', 'unknown_margin_order_count',
    'new_customer_count'
] %}
{% set amounts = ['spend_amount', 'net_amount', 'margin_amount'] %}
{% set sources = {
    'spend': ['spend_date', 'spend_amount', 'impression_count', 'click_count'],
    'sessions': ['session_date'] + counts[2:6],
    'leads': ['entry_date'] + counts[6:9],
    'orders': ['order_date', 'net_amount', 'margin_amount'] + counts[9:]
} %}

orders as (
    select
        order_date,
        channel,
        campaign,
        count(*) filter (where is_order) as order_count,
        count(*) filter (where is_revenue_order) as revenue_order_count,
        count(*) filter (where is_revenue_order and attributed_margin_amount is null)
            as unknown_margin_order_count,
        count(*) filter (where is_new_customer) as new_customer_count,
        sum(attributed_net_amount) filter (where is_compared) as net_amount,
        sum(attributed_margin_amount) filter (where is_compared) as margin_amount
    from revenue
    where is_compared or is_new_customer
    group by order_date, channel, campaign
),

rows_of_all as (
    {% for source, columns in sources.items() -%}
    select
        {{ columns[0] }} as performance_date,
        channel,
        {% for column in amounts + counts -%}
        {{ column if column in columns else 'null as ' ~ column }},
        {% endfor -%}
        campaign
    from {{ source }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- No advertising known is not free advertising: spend, impressions and clicks stay NULL.
performance as (
    select
        performance_date,
        channel,
        campaign,
        cast(sum(spend_amount) as decimal(18, 2)) as spend_amount,
        cast(sum(impression_count) as bigint) as impression_count,
        cast(sum(click_count) as bigint) as click_count,
        {% for column in counts[2:] -%}
        cast(coalesce(sum({{ column }}), 0) as bigint) as {{ column }},
        {% endfor -%}
        cast(coalesce(sum(net_amount), 0) as decimal(18, 2)) as net_amount,
        cast(coalesce(sum(margin_amount), 0) as decimal(18, 2)) as margin_amount
    from rows_of_all
    group by performance_date, channel, campaign
),

channel_performance as (
    select
        performance.performance_date,
        performance.channel,
        performance.campaign,
        channels.is_paid,
        performance.spend_amount,
        case when performance.session_count > 0 then performance.spend_amount end
            as allocated_spend_amount,
        case when performance.session_count = 0 then performance.spend_amount end
            as unallocated_spend_amount,
        {% for column in counts -%}
        performance.{{ column }},
        {% endfor -%}
        performance.net_amount,
        performance.margin_amount,
        cast(
            performance.margin_amount - coalesce(performance.spend_amount, 0) as decimal(18, 2)
        ) as margin_after_ads_amount,
        cast(performance.spend_amount as double) / nullif(performance.click_count, 0)
            as cost_per_click,
        cast(performance.click_count as double) / nullif(performance.impression_count, 0)
            as click_rate,
        cast(performance.bounced_session_count as double) / nullif(performance.session_count, 0)
            as bounce_rate,
        cast(performance.converted_session_count as double) / nullif(performance.session_count, 0)
            as conversion_rate,
        cast(performance.lead_count as double) / nullif(performance.session_count, 0) as lead_rate,
        cast(performance.converted_lead_count as double) / nullif(performance.mature_lead_count, 0)
            as lead_conversion_rate,
        cast(performance.spend_amount as double) / nullif(performance.new_customer_count, 0) as cac,
        cast(performance.spend_amount as double) / nullif(performance.order_count, 0)
            as cost_per_order,
        cast(performance.net_amount as double) / nullif(performance.spend_amount, 0) as roas,
        cast(performance.margin_amount - performance.spend_amount as double)
        / nullif(performance.spend_amount, 0) as roi,
        cast(sum(performance.net_amount) over days as double)
        / nullif(sum(performance.spend_amount) over days, 0) as day_mer,
        cast(sum(performance.spend_amount) over days as double)
        / nullif(sum(performance.new_customer_count) over days, 0) as day_blended_cac,
        cast(
            sum(case when channels.is_paid then performance.spend_amount end) over days as double
        ) / nullif(
            sum(case when channels.is_paid then performance.new_customer_count end) over days, 0
        ) as day_paid_cac
    from performance
    inner join channels on performance.channel = channels.channel
    window days as (partition by performance.performance_date)
)

select * from channel_performance

-- Without this a channel or a campaign could be lost on the way, most likely those without a name,
-- and the table that budgets are decided by would not be the shop.
with

orders as (
    select order_date, is_revenue, is_first_order, net_amount, margin_amount
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

sessions as (
    select session_date, is_new_visitor, is_bounced, is_converted from {{ ref('fct_sessions') }}
),

leads as (
    select entry_date, is_mature, is_converted from {{ ref('fct_funnel_entries') }}
    where funnel = '{{ var("lead_funnel") }}'
),

ad_spend as (
    select spend_date, spend_amount, impression_count, click_count from {{ ref('fct_ad_spend') }}
),

performance as (
    select * from {{ ref('agg_channel_performance') }}
),

{% set sums = {
    'spend_amount': ('ad_spend', 'spend_date', 'sum(spend_amount)'),
    'impression_count': ('ad_spend', 'spend_date', 'sum(impression_count)'),
    'click_count': ('ad_spend', 'spend_date', 'sum(click_count)'),
    'session_count': ('sessions', 'session_date', 'count(*)'),
    'new_visitor_count': ('sessions', 'session_date', 'count(*) filter (where is_new_visitor)'),
    'bounced_session_count': ('sessions', 'session_date', 'count(*) filter (where is_bounced)'),
    'converted_session_count': ('sessions', 'session_date', 'count(*) filter (where is_converted)'),
    'lead_count': ('leads', 'entry_date', 'count(*)'),
    'mature_lead_count': ('leads', 'entry_date', 'count(*) filter (where is_mature)'),
    'converted_lead_count':
        ('leads', 'entry_date', 'count(*) filter (where is_mature and is_converted)'),
    'order_count': ('orders', 'order_date', 'count(*)'),
    'revenue_order_count': ('orders', 'order_date', 'count(*) filter (where is_revenue)'),
    'unknown_margin_order_count':
        ('orders', 'order_date', 'count(*) filter (where is_revenue and margin_amount is null)'),
    'new_customer_count': ('orders', 'order_date', 'count(*) filter (where is_first_order)'),
    'net_amount': ('orders', 'order_date', 'sum(net_amount)'),
    'margin_amount': ('orders', 'order_date', 'sum(margin_amount)')
} %}

rows_of_all as (
    {% for column, (source, day, expression) in sums.items() -%}
    select
        '{{ column }}' as column_name,
        {{ day }} as fact_date,
        cast({{ expression }} as decimal(18, 2)) as amount
    from {{ source }}
    group by {{ day }}
    union all
    select
        '{{ column }}' as column_name,
        performance_date as fact_date,
        -cast(sum({{ column }}) as decimal(18, 2)) as amount
    from performance
    group by performance_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    column_name,
    fact_date,
    sum(amount) as difference
from rows_of_all
group by column_name, fact_date
having sum(amount) <> 0

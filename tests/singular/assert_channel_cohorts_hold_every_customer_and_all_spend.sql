-- Without this a channel's customers could cost nothing because their spend lies in another row,
-- and the sums over paid and all channels could be other customers than the channels' own.
with

cohorts as (
    select
        channel_scope,
        channel,
        cohort_month_date,
        new_customer_count,
        spend_amount,
        net_amount,
        margin_amount
    from {{ ref('agg_channel_ltv_cac') }}
),

channels as (
    select channel, is_paid from {{ ref('dim_channels') }}
),

orders as (
    select customer_id, is_first_order, net_amount, margin_amount from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

ad_spend as (
    select spend_amount from {{ ref('fct_ad_spend') }}
),

expected as (
    select
        'paid' as channel_scope,
        cohorts.new_customer_count,
        cohorts.spend_amount,
        cohorts.net_amount,
        cohorts.margin_amount
    from cohorts
    inner join channels on cohorts.channel = channels.channel
    where channels.is_paid
    union all
    {% for scope in ['channel', 'all'] -%}
    select
        '{{ scope }}' as channel_scope,
        count(*) filter (where is_first_order) as new_customer_count,
        (select sum(ad_spend.spend_amount) from ad_spend) as spend_amount,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount
    from orders
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

rows_of_both as (
    select * from expected
    union all
    select
        channel_scope,
        -new_customer_count as new_customer_count,
        -spend_amount as spend_amount,
        -net_amount as net_amount,
        -margin_amount as margin_amount
    from cohorts
)

select
    channel_scope,
    sum(new_customer_count) as new_customer_count,
    sum(spend_amount) as spend_amount,
    sum(net_amount) as net_amount,
    sum(margin_amount) as margin_amount
from rows_of_both
group by channel_scope
having
    sum(new_customer_count) <> 0
    or sum(spend_amount) <> 0
    or sum(net_amount) <> 0
    or sum(margin_amount) <> 0

-- Grain: one row per measure, day, dimension and value.
-- Spend and new customers of all time; what is attributed to channels from the first tracked
-- session on, as before it nothing could be attributed to any.
{% set dimensions = {'channel': 'channel'} %}
with

performance as (
    select
        performance_date,
        channel,
        is_paid,
        spend_amount,
        impression_count,
        click_count,
        session_count,
        lead_count,
        mature_lead_count,
        converted_lead_count,
        new_customer_count,
        net_amount,
        margin_amount
    from {{ ref('agg_channel_performance') }}
),

first_tracked as (
    select min(performance_date) as tracked_from_date from performance where session_count > 0
),

sums as (
    select
        'day' as period,
        performance_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        sum(new_customer_count) as new_customer_count
    from performance
    group by {{ dimension_sets(['performance_date'], dimensions) }} -- noqa: PRS
),

spend_sums as (
    select
        'day' as period,
        performance_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        sum(spend_amount) as spend_amount,
        coalesce(sum(spend_amount) filter (where click_count is not null), 0)
            as clicked_spend_amount,
        coalesce(sum(impression_count), 0) as impression_count,
        coalesce(sum(click_count), 0) as click_count,
        coalesce(sum(click_count) filter (where impression_count is not null), 0)
            as shown_click_count
    from performance
    where spend_amount is not null
    group by {{ dimension_sets(['performance_date'], dimensions) }} -- noqa: PRS
),

lead_sums as (
    select
        'day' as period,
        performance.performance_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        sum(performance.lead_count) as lead_count,
        sum(performance.mature_lead_count) as mature_lead_count,
        sum(performance.converted_lead_count) as converted_lead_count
    from performance
    inner join first_tracked on performance.performance_date >= first_tracked.tracked_from_date
    group by {{ dimension_sets(['performance_date'], dimensions) }} -- noqa: PRS
),

paid_sums as (
    select
        'day' as period,
        performance.performance_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        coalesce(sum(performance.spend_amount), 0) as spend_amount,
        sum(performance.new_customer_count) as new_customer_count,
        sum(performance.net_amount) as net_amount,
        sum(performance.margin_amount) - coalesce(sum(performance.spend_amount), 0)
            as profit_amount
    from performance
    inner join first_tracked on performance.performance_date >= first_tracked.tracked_from_date
    where performance.is_paid
    group by {{ dimension_sets(['performance_date'], dimensions) }} -- noqa: PRS
),

channel_measures_summed as (
    {{ measure_rows('sums', {'new_customers': 'new_customer_count'}) }}
    union all
    {{ measure_rows('spend_sums', {
        'ad_spend': 'spend_amount',
        'clicked_ad_spend': 'clicked_spend_amount',
        'ad_impressions': 'impression_count',
        'ad_clicks': 'click_count',
        'shown_ad_clicks': 'shown_click_count',
    }) }}
    union all
    {{ measure_rows('lead_sums', {
        'leads': 'lead_count',
        'mature_leads': 'mature_lead_count',
        'converted_leads': 'converted_lead_count',
    }) }}
    union all
    {{ measure_rows('paid_sums', {
        'paid_ad_spend': 'spend_amount',
        'paid_new_customers': 'new_customer_count',
        'paid_revenue': 'net_amount',
        'paid_profit': 'profit_amount',
    }) }}
)

select * from channel_measures_summed

-- Grain: one row per measure, day of the advertising, dimension and value.
{% set dimensions = {'channel': 'channel'} %}
with

ad_spend as (
    select spend_date, channel, spend_amount, impression_count, click_count
    from {{ ref('fct_ad_spend') }}
),

sums as (
    select
        'day' as period,
        spend_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        sum(spend_amount) as spend_amount,
        coalesce(sum(spend_amount) filter (where click_count is not null), 0)
            as clicked_spend_amount,
        coalesce(sum(impression_count), 0) as impression_count,
        coalesce(sum(click_count), 0) as click_count,
        coalesce(sum(click_count) filter (where impression_count is not null), 0)
            as shown_click_count
    from ad_spend
    group by {{ dimension_sets(['spend_date'], dimensions) }}
),

ad_measures_summed as (
    {{ measure_rows('sums', {
        'ad_spend': 'spend_amount',
        'clicked_ad_spend': 'clicked_spend_amount',
        'ad_impressions': 'impression_count',
        'ad_clicks': 'click_count',
        'shown_ad_clicks': 'shown_click_count',
    }) }}
)

select * from ad_measures_summed

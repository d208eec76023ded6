-- Grain: one row per measure, month, dimension and value.
-- Each customer's last answer in the month counts for NPS, so that no months add up.
with

reviews as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        review_count,
        rating_total
    from {{ ref('agg_reviews_monthly') }}
    where dimension = 'all'
),

support as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        ticket_count,
        timed_response_count,
        first_response_seconds,
        rated_ticket_count,
        satisfaction_total
    from {{ ref('agg_support_monthly') }}
    where dimension = 'all'
),

nps as (
    select
        'month' as period,
        month_start_date as period_start_date,
        case when dimension = 'all' then 'total' else dimension end as dimension,
        case when dimension = 'all' then 'all' else dimension_value end as dimension_value,
        respondent_count,
        promoter_count,
        detractor_count
    from {{ ref('agg_nps_monthly') }}
    where dimension in ('all', 'country')
),

service_measures_gathered as (
    {{ measure_rows('reviews', {'reviews': 'review_count', 'rating_stars': 'rating_total'}) }}
    union all
    {{ measure_rows('support', {
        'tickets': 'ticket_count',
        'answered_tickets': 'timed_response_count',
        'first_response_hours': 'first_response_seconds / 3600e0',
        'rated_tickets': 'rated_ticket_count',
        'satisfaction_stars': 'satisfaction_total',
    }) }}
    union all
    {{ measure_rows('nps', {
        'nps_respondents': 'respondent_count',
        'nps_points': '100 * (promoter_count - detractor_count)',
    }) }}
)

select * from service_measures_gathered

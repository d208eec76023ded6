-- Grain: one row per measure and month, of the whole shop.
with

churn as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        opening_customer_count,
        retained_customer_count,
        churned_customer_count,
        reactivated_customer_count
    from {{ ref('agg_churn_monthly') }}
),

referrals as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        customer_count,
        invite_count,
        bought_invite_count
    from {{ ref('agg_referrals_monthly') }}
),

loyalty as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        earned_points + bonus_points as given_points,
        redeemed_points
    from {{ ref('agg_loyalty_monthly') }}
),

subscriptions as (
    select
        'month' as period,
        month_start_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        opening_subscriber_count,
        churned_subscriber_count,
        closing_subscriber_count,
        closing_mrr_amount
    from {{ ref('agg_subscriptions_monthly') }}
),

retention_measures_gathered as (
    {{ measure_rows('churn', {
        'opening_customers': 'opening_customer_count',
        'retained_customers': 'retained_customer_count',
        'churned_customers': 'churned_customer_count',
        'reactivated_customers': 'reactivated_customer_count',
    }) }}
    union all
    {{ measure_rows('referrals', {
        'customers_to_invite': 'customer_count',
        'invites': 'invite_count',
        'bought_invites': 'bought_invite_count',
    }) }}
    union all
    {{ measure_rows('loyalty', {
        'points_given': 'given_points',
        'points_redeemed': 'redeemed_points',
    }) }}
    union all
    {{ measure_rows('subscriptions', {
        'opening_subscribers': 'opening_subscriber_count',
        'churned_subscribers': 'churned_subscriber_count',
        'subscribers': 'closing_subscriber_count',
        'mrr': 'closing_mrr_amount',
    }) }}
)

select * from retention_measures_gathered

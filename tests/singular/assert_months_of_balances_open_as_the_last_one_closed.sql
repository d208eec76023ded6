-- Without this MRR, subscribers or points could appear or vanish between two months, or within one.
with

subscriptions as (
    select * from {{ ref('agg_subscriptions_monthly') }}
),

loyalty as (
    select * from {{ ref('agg_loyalty_monthly') }}
),

balances as (
    select
        'subscribers' as balance,
        month_start_date,
        opening_subscriber_count as opening,
        new_subscriber_count + reactivated_subscriber_count - churned_subscriber_count as movement,
        closing_subscriber_count as closing
    from subscriptions
    union all
    select
        'MRR' as balance,
        month_start_date,
        opening_mrr_amount as opening,
        new_mrr_amount + reactivated_mrr_amount + expansion_mrr_amount
        - contraction_mrr_amount - churned_mrr_amount as movement,
        closing_mrr_amount as closing
    from subscriptions
    union all
    select
        'points' as balance,
        month_start_date,
        opening_points as opening,
        earned_points + bonus_points + other_points - redeemed_points - expired_points as movement,
        closing_points as closing
    from loyalty
),

balances_in_turn as (
    select
        *,
        lag(closing, 1, 0) over (partition by balance order by month_start_date)
            as closing_before,
        lag(month_start_date) over (partition by balance order by month_start_date)
            as month_before
    from balances
),

faults as (
    select balance, month_start_date
    from balances_in_turn
    where
        opening + movement <> closing
        or opening <> closing_before
        or month_start_date <> month_before + interval '1' month
)

select * from faults

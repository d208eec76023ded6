-- Grain: one row per month, from the first movement of points to as_of_date. opening + earned +
-- bonus + other - redeemed - expired = closing. Points add up over months, members and balances do
-- not.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

entries as (
    select
        customer_id,
        reason,
        points,
        {{ reporting_date('entered_at') }} as entry_date
    from {{ ref('stg_crm__loyalty_entries') }}
),

bounds as (
    select
        min(entries.entry_date) as from_date,
        max(as_of.as_of_date) as to_date
    from entries
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

customer_months as (
    select
        customer_id,
        cast(date_trunc('month', entry_date) as date) as month_start_date,
        {% for reason in ['earn', 'bonus', 'redeem', 'expire'] -%}
        coalesce(sum(points) filter (where reason = '{{ reason }}'), 0) as {{ reason }}_points,
        {% endfor -%}
        sum(points) as points
    from entries
    group by customer_id, date_trunc('month', entry_date)
),

customer_months_numbered as (
    select
        *,
        row_number() over (partition by customer_id order by month_start_date) = 1 as is_first
    from customer_months
),

movements as (
    select
        month_start_date,
        count(*) as active_member_count,
        count(*) filter (where is_first) as new_member_count,
        sum(points) as points,
        sum(earn_points) as earned_points,
        sum(bonus_points) as bonus_points,
        -sum(redeem_points) as redeemed_points,
        -sum(expire_points) as expired_points,
        sum(points - earn_points - bonus_points - redeem_points - expire_points) as other_points
    from customer_months_numbered
    group by month_start_date
),

months_summed as (
    select
        months.month_start_date,
        {{ is_complete_month('months.month_start_date', 'as_of.as_of_date') }} as is_mature,
        {% for column in [
            'active_member_count', 'new_member_count', 'earned_points', 'bonus_points',
            'redeemed_points', 'expired_points', 'other_points'
        ] -%}
        cast(coalesce(movements.{{ column }}, 0) as bigint) as {{ column }},
        {% endfor -%}
        cast(coalesce(movements.points, 0) as bigint) as points
    from months
    cross join as_of
    left join movements on months.month_start_date = movements.month_start_date
),

loyalty as (
    select
        month_start_date,
        is_mature,
        cast(sum(new_member_count) over history as bigint) as member_count,
        new_member_count,
        active_member_count,
        cast((sum(points) over history) - points as bigint) as opening_points,
        earned_points,
        bonus_points,
        redeemed_points,
        expired_points,
        other_points,
        cast(sum(points) over history as bigint) as closing_points,
        cast(redeemed_points as double) / nullif(earned_points + bonus_points, 0)
            as redemption_rate
    from months_summed
    window history as (order by month_start_date rows unbounded preceding)
)

select * from loyalty

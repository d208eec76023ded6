-- Without this churn could drift: the closing count is a running sum of months' comings and goings,
-- and one going that is missed would stay in it for good. Here they come and go day by day.
with

churn_months as (
    select month_start_date, closing_customer_count from {{ ref('agg_churn_monthly') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customer_days as (
    select
        activity_date,
        least(
            valid_to_date,
            cast(last_order_date + interval '{{ var("churn_after_days") }}' day as date)
        ) as active_to_date
    from {{ ref('int_customer_days_accumulated') }}
    where last_order_date is not null
),

changes as (
    select
        activity_date as change_date,
        1 as customer_change
    from customer_days
    where active_to_date > activity_date
    union all
    select
        active_to_date as change_date,
        -1 as customer_change
    from customer_days
    where active_to_date > activity_date
),

changes_by_day as (
    select
        change_date,
        sum(customer_change) as customer_change
    from changes
    group by change_date
),

months_counted as (
    select
        churn_months.month_start_date,
        churn_months.closing_customer_count,
        sum(changes_by_day.customer_change) as customer_count
    from churn_months
    cross join as_of
    left join changes_by_day
        on cast(churn_months.month_start_date + interval '1' month as date)
        > changes_by_day.change_date
        and as_of.as_of_date >= changes_by_day.change_date
    group by churn_months.month_start_date, churn_months.closing_customer_count
)

select *
from months_counted
where closing_customer_count is distinct from customer_count

-- Grain: one row per day that states of customers are kept for.
-- as_of_date, and the ends of the last lifecycle_history_months months since the first customer.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customers as (
    select first_ordered_at, created_at from {{ ref('dim_customers') }}
),

first_days as (
    select {{ reporting_date('least(min(first_ordered_at), min(created_at))') }} as first_date
    from customers
),

bounds as (
    select
        cast(
            date_trunc('month', as_of.as_of_date + 1)
            - interval '{{ var("lifecycle_history_months") }}' month as date
        ) as from_date,
        as_of.as_of_date + 1 as to_date
    from as_of
),

days as (
    {{ days_between('bounds', 'from_date', 'to_date') }}
),

as_of_dates as (
    select
        days.calendar_date as as_of_date,
        days.calendar_date = as_of.as_of_date as is_latest
    from days
    cross join as_of
    cross join first_days
    where
        days.calendar_date = as_of.as_of_date
        or (
            extract(day from days.calendar_date + 1) = 1
            and days.calendar_date >= first_days.first_date
        )
)

select * from as_of_dates

-- Grain: one row per calendar day.
-- Whole years, from that of the first order, session or refund to that of as_of_date.
with

orders as (
    select order_date from {{ ref('fct_orders') }}
),

sessions as (
    select session_date from {{ ref('fct_sessions') }}
),

refunds as (
    select refund_date from {{ ref('fct_refunds') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

first_dates as (
    select min(order_date) as first_date from orders
    union all
    select min(session_date) as first_date from sessions
    union all
    select min(refund_date) as first_date from refunds
),

bounds as (
    select
        cast(date_trunc('year', min(first_dates.first_date)) as date) as from_date,
        cast(date_trunc('year', max(as_of.as_of_date)) + interval '1' year as date) as to_date
    from first_dates
    cross join as_of
),

days as (
    {{ days_between('bounds', 'from_date', 'to_date') }}
),

dates as (
    select
        days.calendar_date,
        cast(extract(year from days.calendar_date) as bigint) as calendar_year,
        cast(extract(quarter from days.calendar_date) as bigint) as calendar_quarter,
        cast(extract(month from days.calendar_date) as bigint) as calendar_month,
        cast({{ iso_weekday('days.calendar_date') }} as bigint) as iso_weekday,
        {{ iso_weekday('days.calendar_date') }} >= 6 as is_weekend,
        cast(date_trunc('week', days.calendar_date) as date) as week_start_date,
        cast(date_trunc('month', days.calendar_date) as date) as month_start_date,
        cast(date_trunc('quarter', days.calendar_date) as date) as quarter_start_date,
        cast(date_trunc('year', days.calendar_date) as date) as year_start_date,
        days.calendar_date <= as_of.as_of_date as is_known
    from days
    cross join as_of
)

select * from dates

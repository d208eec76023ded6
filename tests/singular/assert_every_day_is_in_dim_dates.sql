-- Without this a day could be missing from dim_dates, and a chart that joins it would leave out
-- what happened then.
with

orders as (
    select order_date as calendar_date from {{ ref('fct_orders') }} group by order_date
),

sessions as (
    select session_date as calendar_date from {{ ref('fct_sessions') }} group by session_date
),

dates as (
    select calendar_date from {{ ref('dim_dates') }}
),

days as (
    select calendar_date from orders
    union all
    select calendar_date from sessions
)

select days.calendar_date
from days
left join dates on days.calendar_date = dates.calendar_date
where dates.calendar_date is null

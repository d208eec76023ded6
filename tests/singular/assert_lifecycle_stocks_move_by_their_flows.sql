-- Without this a day's stock could be other than the day before plus who came less who left, and
-- the last one other than the customers that are in the state now.
with

lifecycle as (
    select state_date, state, customer_count, entered_count, left_count
    from {{ ref('agg_lifecycle_daily') }}
),

customer_states as (
    select state, valid_from_date, valid_to_date from {{ ref('fct_customer_states') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

stocks as (
    select
        *,
        lag(customer_count, 1, 0) over (partition by state order by state_date) as customers_before
    from lifecycle
),

-- Counted anew, without a flow, for a day of each month and the last one.
days_counted as (
    select lifecycle.state_date, lifecycle.state, lifecycle.customer_count
    from lifecycle
    cross join as_of
    where
        lifecycle.state_date = as_of.as_of_date
        or lifecycle.state_date = date_trunc('month', lifecycle.state_date)
),

faults as (
    select state_date, state
    from stocks
    where customer_count <> customers_before + entered_count - left_count or customer_count < 0
    union all
    select days_counted.state_date, days_counted.state
    from days_counted
    left join customer_states
        on days_counted.state = customer_states.state
        and days_counted.state_date >= customer_states.valid_from_date
        and days_counted.state_date < customer_states.valid_to_date
    group by days_counted.state_date, days_counted.state, days_counted.customer_count
    having days_counted.customer_count <> count(customer_states.state)
)

select * from faults

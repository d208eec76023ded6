-- Grain: one row per day and state, from the first day that a customer is known to as_of_date.
-- entered_count and left_count add up over days; customer_count is a stock and does not.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customer_states as (
    select state, lead_date, valid_from_date, exited_date from {{ ref('fct_customer_states') }}
),

states as (
    select state from {{ ref('ref_lifecycle_states') }}
),

bounds as (
    select
        min(customer_states.valid_from_date) as from_date,
        max(as_of.as_of_date) + 1 as to_date
    from customer_states
    cross join as_of
),

days as (
    {{ days_between('bounds', 'from_date', 'to_date') }}
),

flows as (
    select valid_from_date as state_date, state, 1 as entered, 0 as exited, 0 as lead_change
    from customer_states
    union all
    select exited_date as state_date, state, 0 as entered, 1 as exited, 0 as lead_change
    from customer_states
    where exited_date is not null
    union all
    select lead_date as state_date, state, 0 as entered, 0 as exited, 1 as lead_change
    from customer_states
    where lead_date is not null
    union all
    select exited_date as state_date, state, 0 as entered, 0 as exited, -1 as lead_change
    from customer_states
    where lead_date is not null and exited_date is not null
),

daily_flows as (
    select
        state_date,
        state,
        sum(entered) as entered_count,
        sum(exited) as left_count,
        sum(lead_change) as lead_change
    from flows
    group by state_date, state
),

days_complete as (
    select
        days.calendar_date as state_date,
        states.state,
        coalesce(daily_flows.entered_count, 0) as entered_count,
        coalesce(daily_flows.left_count, 0) as left_count,
        coalesce(daily_flows.lead_change, 0) as lead_change
    from days
    cross join states
    left join daily_flows
        on days.calendar_date = daily_flows.state_date and states.state = daily_flows.state
),

lifecycle as (
    select
        state_date,
        state,
        cast(sum(entered_count - left_count) over history as bigint) as customer_count,
        cast(entered_count as bigint) as entered_count,
        cast(left_count as bigint) as left_count,
        case when state = 'visitor' then cast(sum(lead_change) over history as bigint) end
            as lead_count
    from days_complete
    window history as (partition by state order by state_date rows unbounded preceding)
)

select * from lifecycle

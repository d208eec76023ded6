-- Grain: one row per state_date and customer with an order by then.
-- A view: who reads one day of it pays for one day.
{{ config(materialized='view') }}
with

state_dates as (
    select
        state_date,
        is_as_of_date,
        state_date in {{ touched('as_of_date', 'date') }} as is_touched
    from {{ ref('int_state_dates_listed') }}
),

customer_days as (
    select
        customer_id,
        activity_date,
        valid_to_date,
        purchase_day_count,
        first_order_date,
        last_order_date,
        order_count,
        net_amount,
        first_day_net_amount,
        margin_amount
    from {{ ref('int_customer_days_accumulated') }}
    where first_order_date is not null
),

purchase_histories as (
    select
        state_dates.state_date,
        state_dates.is_as_of_date,
        state_dates.is_touched,
        customer_days.customer_id,
        customer_days.first_order_date,
        customer_days.last_order_date,
        customer_days.order_count,
        customer_days.net_amount,
        customer_days.margin_amount,
        customer_days.purchase_day_count - 1 as repeat_count,
        {{ days_from('customer_days.first_order_date', 'customer_days.last_order_date') }}
            as recency_days,
        {{ days_from('customer_days.first_order_date', 'state_dates.state_date') }} as age_days,
        cast(customer_days.net_amount - customer_days.first_day_net_amount as decimal(18, 2))
            as repeat_net_amount
    from state_dates
    inner join customer_days
        on state_dates.state_date >= customer_days.activity_date
        and state_dates.state_date < customer_days.valid_to_date
)

select * from purchase_histories

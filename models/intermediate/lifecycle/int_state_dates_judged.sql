-- Grain: one row per state_date, with whether its purchases are enough to fit models to.
{{ config(materialized='view') }}
with

state_dates as (
    select
        state_date,
        state_date in {{ touched('state_date', 'date') }} as is_touched
    from {{ ref('int_state_dates_listed') }}
),

purchase_histories as (
    select state_date, repeat_count, order_count, first_order_date, last_order_date
    from {{ ref('int_purchase_histories_derived') }}
),

buyers as (
    select
        state_date,
        count(*) as customer_count,
        count(*) filter (where repeat_count > 0) as repeat_customer_count,
        count(*) filter (where order_count >= 3) as frequent_customer_count,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date
    from purchase_histories
    group by state_date
),

state_dates_judged as (
    select
        state_dates.state_date,
        state_dates.is_touched,
        coalesce(buyers.customer_count, 0) as customer_count,
        coalesce(buyers.repeat_customer_count, 0) as repeat_customer_count,
        coalesce(buyers.frequent_customer_count, 0) as frequent_customer_count,
        buyers.first_order_date,
        buyers.last_order_date,
        case
            when coalesce(buyers.customer_count, 0) < {{ var('clv_minimum_customers') }}
                then 'Fewer than {{ var("clv_minimum_customers") }} customers have ordered.'
            when
                {{ days_from('buyers.first_order_date', 'state_dates.state_date') }}
                < {{ var('clv_minimum_history_days') }}
                then 'Orders are known for fewer than {{ var("clv_minimum_history_days") }} days.'
            when buyers.frequent_customer_count < {{ var('clv_minimum_frequent_customers') }}
                then
                    'Fewer than {{ var("clv_minimum_frequent_customers") }} customers'
                    || ' have three orders.'
            when buyers.repeat_customer_count = 0 then 'Nobody has ordered on a second day.'
        end as ineligible_reason
    from state_dates
    left join buyers on state_dates.state_date = buyers.state_date
)

select * from state_dates_judged

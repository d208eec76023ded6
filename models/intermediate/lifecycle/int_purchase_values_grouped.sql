-- Grain: one row per state_date, number of repeat purchases and what they were worth together.
-- Gamma-Gamma is about purchases of some worth: customers without one stay out of its fit.
{{ config(materialized='view') }}
with

purchase_histories as (
    select state_date, repeat_count, repeat_net_amount
    from {{ ref('int_purchase_histories_derived') }}
    where repeat_count > 0 and repeat_net_amount > 0
),

purchase_values_grouped as (
    select
        state_date,
        repeat_count,
        repeat_net_amount,
        count(*) as customer_count
    from purchase_histories
    group by state_date, repeat_count, repeat_net_amount
)

select * from purchase_values_grouped

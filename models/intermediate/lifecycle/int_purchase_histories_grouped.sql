-- Grain: one row per state_date and distinct purchase history.
-- To the models customers with equal histories are alike: a million are some hundred thousand rows.
{{ config(materialized='view') }}
with

purchase_histories as (
    select state_date, repeat_count, recency_days, age_days
    from {{ ref('int_purchase_histories_derived') }}
),

purchase_histories_grouped as (
    select
        state_date,
        repeat_count,
        recency_days,
        age_days,
        count(*) as customer_count
    from purchase_histories
    group by state_date, repeat_count, recency_days, age_days
)

select * from purchase_histories_grouped

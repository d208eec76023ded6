-- Grain: one row per customer and day with an order that was not cancelled.
-- When the next order is expected is settled on that day, from the gaps that were closed by then:
-- nothing that comes later moves the past.
-- A view: all of it stands in the customer's days, but for a mean of everybody's gaps.
{{ config(materialized='view') }}
with

purchase_days as (
    select
        customer_id,
        activity_date as order_date,
        purchase_day_count,
        first_order_date,
        next_order_date,
        purchase_day_count >= {{ var('churn_own_gap_days_from') }} as has_own_gap
    from {{ ref('int_customer_days_accumulated') }}
    where activity_date = last_order_date
),

order_gaps as (
    select order_date, gap_days, gap_count from {{ ref('int_order_gaps_accumulated') }}
),

gaps_expected as (
    select
        purchase_days.*,
        case
            when purchase_days.has_own_gap
                then
                    {{ days_from(
                        'purchase_days.first_order_date', 'purchase_days.order_date'
                    ) }}
            else order_gaps.gap_days
        end as expected_days,
        case
            when purchase_days.has_own_gap
                then purchase_days.purchase_day_count - 1
            else order_gaps.gap_count
        end as expected_count
    from purchase_days
    inner join order_gaps on purchase_days.order_date = order_gaps.order_date
),

purchase_days_spaced as (
    select
        customer_id,
        order_date,
        next_order_date,
        purchase_day_count,
        case
            when purchase_day_count > 1
                then
                    {{ days_from('first_order_date', 'order_date') }}
                    / cast(purchase_day_count - 1 as double)
        end as mean_gap_days,
        cast(expected_days as double) / nullif(expected_count, 0) as expected_gap_days,
        -- Multiplied before it is divided, so that no fraction of a day is lost in between.
        order_date + 1 + cast(floor(
            cast(expected_days * {{ var('lapsing_after_gaps') }} as double)
            / nullif(expected_count, 0)
        ) as integer) as lapsing_date,
        order_date + {{ var('churn_after_days') }} as lost_date
    from gaps_expected
)

select * from purchase_days_spaced

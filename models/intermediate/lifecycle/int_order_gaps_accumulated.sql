-- Grain: one row per day with an order of a customer that was not cancelled.
-- Everybody's gaps between purchase days that were closed by the end of the day.
with

purchase_days as (
    select
        activity_date as order_date,
        {{ days_from('previous_order_date', 'activity_date') }} as gap_days
    from {{ ref('int_customer_days_accumulated') }}
    where activity_date = last_order_date
),

days as (
    select
        order_date,
        coalesce(sum(gap_days), 0) as gap_days,
        count(gap_days) as gap_count
    from purchase_days
    group by order_date
),

order_gaps_accumulated as (
    select
        order_date,
        cast(sum(gap_days) over history as bigint) as gap_days,
        cast(sum(gap_count) over history as bigint) as gap_count
    from days
    window history as (order by order_date rows unbounded preceding)
)

select * from order_gaps_accumulated

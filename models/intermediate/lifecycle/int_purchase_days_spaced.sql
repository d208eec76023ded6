-- Grain: one row per customer and day with an order that was not cancelled.
-- When the next order is expected is settled on that day, from the gaps that were closed by then:
-- nothing that comes later moves the past.
with

purchase_days as (
    select customer_id, activity_date as order_date, purchase_day_count, first_order_date
    from {{ ref('int_customer_days_accumulated') }}
    where activity_date = last_order_date
),

purchase_days_in_turn as (
    select
        *,
        {{ days_from('lag(order_date) over customer_days', 'order_date') }} as gap_days,
        lead(order_date, 1, date '9999-12-31') over customer_days as next_order_date,
        purchase_day_count >= {{ var('churn_own_gap_days_from') }} as has_own_gap
    from purchase_days
    window customer_days as (partition by customer_id order by order_date)
),

days as (
    select
        order_date,
        coalesce(sum(gap_days), 0) as gap_days,
        count(gap_days) as gap_count
    from purchase_days_in_turn
    group by order_date
),

-- Everybody's gaps that were closed by the end of a day.
days_accumulated as (
    select
        order_date,
        sum(gap_days) over history as gap_days,
        sum(gap_count) over history as gap_count
    from days
    window history as (order by order_date rows unbounded preceding)
),

gaps_expected as (
    select
        purchase_days_in_turn.*,
        case
            when purchase_days_in_turn.has_own_gap
                then
                    {{ days_from(
                        'purchase_days_in_turn.first_order_date', 'purchase_days_in_turn.order_date'
                    ) }}
            else days_accumulated.gap_days
        end as expected_days,
        case
            when purchase_days_in_turn.has_own_gap
                then purchase_days_in_turn.purchase_day_count - 1
            else days_accumulated.gap_count
        end as expected_count
    from purchase_days_in_turn
    inner join days_accumulated on purchase_days_in_turn.order_date = days_accumulated.order_date
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

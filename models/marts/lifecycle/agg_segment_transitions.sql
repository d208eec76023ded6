-- Grain: one row per day that states are kept for, segment at the end of the month before and
-- segment on that day. Staying is a transition too, so rows of a day add up to all its customers.
with

customers as (
    select
        as_of_date,
        is_latest,
        segment,
        net_amount_after_refunds,
        previous_date,
        previous_segment,
        previous_net_amount_after_refunds
    from {{ ref('fct_customer_rfm') }}
),

transitions as (
    select
        as_of_date,
        is_latest,
        previous_segment as from_segment,
        segment as to_segment,
        coalesce(previous_segment <> segment, true) as is_move,
        cast(date_trunc('month', as_of_date) as date) as month_start_date,
        extract(day from as_of_date + 1) = 1 as is_mature,
        previous_date,
        count(*) as customer_count,
        cast(sum(net_amount_after_refunds) as decimal(18, 2)) as net_amount_after_refunds,
        cast(coalesce(sum(previous_net_amount_after_refunds), 0) as decimal(18, 2))
            as previous_net_amount_after_refunds
    from customers
    group by as_of_date, is_latest, previous_segment, segment, previous_date
)

select * from transitions

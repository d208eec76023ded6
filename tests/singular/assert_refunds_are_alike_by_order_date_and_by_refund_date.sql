-- Without this the two ways to book a refund could drift apart, and the same shop would have two
-- sums of refunds. Per day of the order, with the units that came back.
with

orders as (
    select order_date, refund_amount_by_order_date, returned_unit_count
    from {{ ref('fct_orders') }}
),

refunds as (
    select order_date, refund_amount, returned_unit_count from {{ ref('fct_refunds') }}
),

rows_of_both as (
    select
        order_date,
        sum(refund_amount_by_order_date) as refund_amount,
        sum(returned_unit_count) as returned_unit_count
    from orders
    group by order_date
    union all
    select
        order_date,
        -sum(refund_amount) as refund_amount,
        -sum(returned_unit_count) as returned_unit_count
    from refunds
    group by order_date
),

differences as (
    select
        order_date,
        sum(refund_amount) as refund_amount,
        sum(returned_unit_count) as returned_unit_count
    from rows_of_both
    group by order_date
)

select * from differences
where refund_amount <> 0 or returned_unit_count <> 0

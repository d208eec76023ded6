-- Without this net, refunds and margin could each be right on their own and not fit together: who
-- subtracts columns of one row would get another number than the column beside them.
with

lines as (
    select
        order_id,
        line_number,
        gross_amount,
        discount_amount,
        net_amount,
        refund_amount_by_order_date,
        net_amount_after_refunds_by_order_date,
        kept_cost_amount,
        margin_amount
    from {{ ref('fct_order_lines') }}
),

orders as (
    select
        order_id,
        gross_amount,
        discount_amount,
        net_amount,
        refund_amount_by_order_date,
        net_amount_after_refunds_by_order_date
    from {{ ref('fct_orders') }}
),

-- A line's margin is unknown where its cost is, and only there.
lines_that_do_not_add_up as (
    select
        order_id,
        line_number
    from lines
    where
        net_amount is distinct from gross_amount - discount_amount
        or net_amount_after_refunds_by_order_date
        is distinct from net_amount - refund_amount_by_order_date
        or margin_amount
        is distinct from net_amount_after_refunds_by_order_date - kept_cost_amount
),

orders_that_do_not_add_up as (
    select
        order_id,
        cast(null as bigint) as line_number
    from orders
    where
        net_amount is distinct from gross_amount - discount_amount
        or net_amount_after_refunds_by_order_date
        is distinct from net_amount - refund_amount_by_order_date
),

rows_of_both as (
    select * from lines_that_do_not_add_up
    union all
    select * from orders_that_do_not_add_up
)

select * from rows_of_both

-- Grain: one row per refund, booked on the day of the refund (what the books show).
-- refund_amount is NULL where the order has no revenue to be reduced (cancelled, pending); the
-- amount as paid back is in refund_amount_in_order_currency. Its sum is that of fct_orders by order
-- date.
with

refunds as (
    select refund_id, order_id, line_number, reason, refund_amount, refunded_at
    from {{ ref('stg_shop__refunds') }}
),

refunds_allocated as (
    select refund_id, is_revenue, returned_quantity, refund_amount, returned_cost_amount
    from {{ ref('int_refunds_allocated') }}
),

orders as (
    select order_id, customer_id, currency, is_revenue, order_date from {{ ref('fct_orders') }}
),

refund_sums as (
    select
        refund_id,
        sum(returned_quantity) as returned_unit_count,
        sum(refund_amount) as refund_amount,
        case when count(returned_cost_amount) = count(*) then sum(returned_cost_amount) end
            as returned_cost_amount
    from refunds_allocated
    group by refund_id
),

refunds_complete as (
    select
        refunds.refund_id,
        refunds.order_id,
        refunds.line_number,
        orders.customer_id,
        refunds.reason,
        orders.currency,
        orders.is_revenue,
        case when orders.is_revenue then cast(refund_sums.returned_unit_count as bigint) end
            as returned_unit_count,
        case when orders.is_revenue then cast(refund_sums.refund_amount as decimal(18, 2)) end
            as refund_amount,
        refunds.refund_amount as refund_amount_in_order_currency,
        case
            when orders.is_revenue
                then cast(refund_sums.returned_cost_amount as decimal(18, 2))
        end as returned_cost_amount,
        orders.order_date,
        {{ reporting_date('refunds.refunded_at') }} as refund_date,
        refunds.refunded_at
    from refunds
    inner join orders on refunds.order_id = orders.order_id
    left join refund_sums on refunds.refund_id = refund_sums.refund_id
)

select * from refunds_complete

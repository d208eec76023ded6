-- Grain: one row per order line.
-- Revenue columns are NULL where the order has no revenue (cancelled, pending), so that sums and
-- means over all rows are those of revenue; ordered_amount has the value whatever became of it.
-- Refunds are booked on the order's date here (what became of these orders); fct_refunds has the
-- refund's date.
with

lines as (
    select * from {{ ref('int_order_lines_priced') }}
),

refunds as (
    select order_id, line_number, returned_quantity, refund_amount, returned_cost_amount
    from {{ ref('int_refunds_allocated') }}
    where is_revenue
),

refunds_by_line as (
    select
        order_id,
        line_number,
        sum(returned_quantity) as returned_quantity,
        sum(refund_amount) as refund_amount,
        sum(returned_cost_amount) as returned_cost_amount
    from refunds
    group by order_id, line_number
),

lines_refunded as (
    select
        lines.*,
        coalesce(refunds_by_line.returned_quantity, 0) as returned_quantity,
        coalesce(refunds_by_line.refund_amount, 0) as refund_amount,
        lines.cost_amount - coalesce(refunds_by_line.returned_cost_amount, 0) as kept_cost_amount
    from lines
    left join refunds_by_line
        on lines.order_id = refunds_by_line.order_id
        and lines.line_number = refunds_by_line.line_number
),

order_lines as (
    select
        md5(order_id || '|' || cast(line_number as string)) as order_line_key,
        order_id,
        line_number,
        product_id,
        currency,
        is_revenue,
        quantity,
        case when is_revenue then cast(returned_quantity as bigint) end as returned_quantity,
        unit_price as unit_price_in_order_currency,
        net_amount as ordered_amount,
        case when is_revenue then gross_amount end as gross_amount,
        case when is_revenue then discount_amount end as discount_amount,
        case when is_revenue then net_amount end as net_amount,
        case when is_revenue then net_amount_in_order_currency end as net_amount_in_order_currency,
        case when is_revenue then cast(refund_amount as decimal(18, 2)) end
            as refund_amount_by_order_date,
        case when is_revenue then cast(net_amount - refund_amount as decimal(18, 2)) end
            as net_amount_after_refunds_by_order_date,
        case when is_revenue then cost_amount end as cost_amount,
        case when is_revenue then cast(kept_cost_amount as decimal(18, 2)) end as kept_cost_amount,
        case
            when is_revenue
                then cast(net_amount - refund_amount - kept_cost_amount as decimal(18, 2))
        end as margin_amount,
        order_date,
        ordered_at
    from lines_refunded
)

select * from order_lines

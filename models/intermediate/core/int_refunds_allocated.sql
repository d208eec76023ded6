-- Grain: one row per refund and order line that it refunds; a whole order's refund has all lines.
-- A whole order's refund is shared by net amount, what is left over going to the largest line, and
-- brings back all units, or the `quantity` first ones in line order. No line brings back more units
-- than it sold.
with

refunds as (
    select refund_id, order_id, line_number, quantity, refund_amount, refunded_at
    from {{ ref('stg_shop__refunds') }}
),

lines as (
    select
        order_id,
        line_number,
        is_revenue,
        rate,
        quantity,
        unit_cost_amount,
        greatest(net_amount_in_order_currency, 0) as weight
    from {{ ref('int_order_lines_priced') }}
),

refunded_lines as (
    select
        refunds.refund_id,
        refunds.order_id,
        lines.line_number,
        refunds.refunded_at,
        refunds.refund_amount,
        lines.is_revenue,
        lines.rate,
        lines.quantity as sold_quantity,
        lines.unit_cost_amount,
        case
            when refunds.line_number is not null then coalesce(refunds.quantity, 0)
            when refunds.quantity is null then lines.quantity
            else
                least(
                    lines.quantity,
                    greatest(0, refunds.quantity - coalesce(sum(lines.quantity) over (
                        partition by refunds.refund_id order by lines.line_number
                        rows between unbounded preceding and 1 preceding
                    ), 0))
                )
        end as asked_quantity,
        {{ proportion_to_cent(
            'refunds.refund_amount',
            'lines.weight',
            'sum(lines.weight) over (partition by refunds.refund_id)'
        ) }} as refund_share,
        row_number() over (
            partition by refunds.refund_id order by lines.weight desc, lines.line_number
        ) as size_rank
    from refunds
    inner join lines
        on refunds.order_id = lines.order_id
        and (refunds.line_number is null or refunds.line_number = lines.line_number)
),

refunds_shared as (
    select
        *,
        cast(refund_share + case
            when size_rank = 1
                then refund_amount - sum(refund_share) over (partition by refund_id)
            else 0
        end as decimal(18, 2)) as refund_amount_in_order_currency,
        cast(least(sold_quantity, sum(asked_quantity) over (
            partition by order_id, line_number order by refunded_at, refund_id
            rows unbounded preceding
        )) as bigint) as returned_by_then
    from refunded_lines
),

refunds_counted as (
    select
        *,
        coalesce(lag(returned_by_then) over (
            partition by order_id, line_number order by refunded_at, refund_id
        ), 0) as returned_before
    from refunds_shared
),

refunds_allocated as (
    select
        refund_id,
        order_id,
        line_number,
        is_revenue,
        returned_by_then - returned_before as returned_quantity,
        refund_amount_in_order_currency,
        {{ converted('refund_amount_in_order_currency', 'rate') }} as refund_amount,
        -- A difference of two rounded costs: the parts add up to the cost of all units.
        {{ extended('unit_cost_amount', 'returned_by_then') }}
        - {{ extended('unit_cost_amount', 'returned_before') }} as returned_cost_amount,
        refunded_at
    from refunds_counted
)

select * from refunds_allocated

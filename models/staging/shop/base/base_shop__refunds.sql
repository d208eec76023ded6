-- Grain: one row per refund row that the shop brought, with a verdict.
with

refunds as (
    {{ typed_rows('refunds') }}
),

order_items as (
    select order_id, line_number from {{ ref('base_shop__order_items') }} where verdict = 'kept'
),

orders as (
    select order_id from order_items group by order_id
),

refunds_with_order as (
    select
        refunds.*,
        case
            when orders.order_id is null
                then concat('order_id ', refunds.order_id, ' is no order with lines that were kept')
            when refunds.line_number is not null and order_items.line_number is null
                then concat('line_number ', refunds.line_number, ' is no kept line of the order')
        end as order_breach
    from refunds
    left join orders on refunds.order_id = orders.order_id
    left join order_items
        on refunds.order_id = order_items.order_id
        and refunds.line_number = order_items.line_number
),

{{ judgement('refunds', 'refunds_with_order', 'order_breach') }}

select * from rows_judged

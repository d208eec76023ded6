-- Grain: one row per payment row that the shop brought, with a verdict.
with

payments as (
    {{ typed_rows('payments') }}
),

orders as (
    select order_id from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

payments_with_order as (
    select
        payments.*,
        case
            when orders.order_id is null
                then concat('order_id ', payments.order_id, ' is no order that was kept')
        end as order_breach
    from payments
    left join orders on payments.order_id = orders.order_id
),

{{ judgement('payments', 'payments_with_order', 'order_breach') }}

select * from rows_judged

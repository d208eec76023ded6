-- Grain: one row per refund. No line_number: a refund of the whole order.
with

refunds as (
    select * from {{ ref('base_shop__refunds') }} where verdict = 'kept'
),

orders as (
    select order_id from {{ ref('stg_shop__orders') }}
),

refunds_known as (
    select
        refund_id,
        order_id,
        line_number,
        reason,
        quantity,
        amount as refund_amount,
        refunded_at
    from refunds
    where {{ is_known('refunded_at') }}
        and exists (select 1 from orders where orders.order_id = refunds.order_id)
)

select * from refunds_known

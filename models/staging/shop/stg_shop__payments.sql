-- Grain: one row per payment, failed ones included.
-- A payment without a time is known from its order on.
with

payments as (
    select * from {{ ref('base_shop__payments') }} where verdict = 'kept'
),

orders as (
    select order_id from {{ ref('stg_shop__orders') }}
),

payments_known as (
    select
        payment_id,
        order_id,
        method,
        status,
        amount as payment_amount,
        paid_at
    from payments
    where (paid_at is null or {{ is_known('paid_at') }})
        and exists (select 1 from orders where orders.order_id = payments.order_id)
)

select * from payments_known

-- Without this an order that brings back two carts could be booked on both, and what recovery
-- messages are said to earn would be more than the shop has got.
with

carts as (
    select recovered_order_id, recovered_net_amount
    from {{ ref('fct_carts') }}
    where recovered_order_id is not null
),

orders as (
    select order_id, net_amount from {{ ref('fct_orders') }}
),

recovered_orders as (
    select
        recovered_order_id,
        coalesce(sum(recovered_net_amount), 0) as recovered_net_amount
    from carts
    group by recovered_order_id
)

select
    recovered_orders.recovered_order_id,
    recovered_orders.recovered_net_amount,
    orders.net_amount
from recovered_orders
left join orders on recovered_orders.recovered_order_id = orders.order_id
where
    orders.order_id is null
    or recovered_orders.recovered_net_amount not in (0, coalesce(orders.net_amount, 0))

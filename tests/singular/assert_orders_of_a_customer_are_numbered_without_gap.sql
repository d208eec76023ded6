-- Without this a customer could have two first orders, or none, and new customers would be counted
-- wrong.
with

orders as (
    select customer_id, customer_order_number, status
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
)

select
    customer_id,
    count(*) as order_count
from orders
group by customer_id
having
    count(distinct customer_order_number) <> count(*)
    or min(customer_order_number) <> 1
    or max(customer_order_number) <> count(*)

-- Without this revenue by age or region would lose the customers of orders and sessions that the
-- shop's customers table does not have.
with

orders as (
    select customer_id from {{ ref('fct_orders') }} where customer_id is not null
),

sessions as (
    select customer_id from {{ ref('fct_sessions') }} where customer_id is not null
),

customers as (
    select customer_id from {{ ref('dim_customers') }}
),

customers_met as (
    select customer_id from orders
    union -- a customer once
    select customer_id from sessions
)

select customers_met.customer_id
from customers_met
left join customers on customers_met.customer_id = customers.customer_id
where customers.customer_id is null

-- Without this a join could double or lose customers, and a sum over profiles be another number
-- than that of the mart it comes from.
with

customers as (
    select count(*) as customers, sum(order_count) as orders, sum(net_amount) as net
    from {{ ref('dim_customers') }}
),

orders as (
    select
        sum(unit_count) filter (where is_revenue) as units,
        sum(net_amount_after_refunds_by_order_date) as net_after_refunds,
        sum(net_amount) as net
    from {{ ref('fct_orders') }}
    where customer_id is not null
),

sessions as (
    select count(*) as sessions from {{ ref('fct_sessions') }} where customer_id is not null
),

profiles as (
    select
        count(*) as customers,
        sum(order_count) as orders,
        sum(unit_count) as units,
        sum(net_amount) as net,
        sum(net_amount_after_refunds_by_order_date) as net_after_refunds,
        sum(revenue_order_count * units_per_order) as units_of_orders,
        sum(session_count) as sessions
    from {{ ref('dim_customer_profiles') }}
)

select profiles.*
from profiles
cross join customers
cross join orders
cross join sessions
where
    profiles.customers is distinct from customers.customers
    or profiles.orders is distinct from customers.orders
    or coalesce(profiles.net, 0) <> coalesce(customers.net, 0)
    or coalesce(profiles.net, 0) <> coalesce(orders.net, 0)
    or coalesce(profiles.net_after_refunds, 0) <> coalesce(orders.net_after_refunds, 0)
    or coalesce(profiles.units, 0) <> coalesce(orders.units, 0)
    or abs(coalesce(profiles.units_of_orders, 0) - coalesce(orders.units, 0)) > 1e-6
    or coalesce(profiles.sessions, 0) <> coalesce(sessions.sessions, 0)

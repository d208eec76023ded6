-- Without this an order could be counted in two sessions, or in one that is not there, and revenue
-- by channel would be more or less than the orders that have a session brought in.
with

sessions as (
    select channel, order_count, unit_count, net_amount from {{ ref('fct_sessions') }}
),

orders as (
    select session_channel, status, is_revenue, unit_count, net_amount
    from {{ ref('fct_orders') }}
    where session_id is not null
),

rows_of_both as (
    select
        channel,
        sum(order_count) as order_count,
        sum(unit_count) as unit_count,
        sum(net_amount) as net_amount
    from sessions
    group by channel
    union all
    select
        session_channel as channel,
        -sum(case when status <> 'cancelled' then 1 else 0 end) as order_count,
        -coalesce(sum(case when is_revenue then unit_count end), 0) as unit_count,
        -coalesce(sum(net_amount), 0) as net_amount
    from orders
    group by session_channel
),

differences as (
    select
        channel,
        sum(order_count) as order_count,
        sum(unit_count) as unit_count,
        sum(net_amount) as net_amount
    from rows_of_both
    group by channel
)

select * from differences
where order_count <> 0 or unit_count <> 0 or net_amount <> 0

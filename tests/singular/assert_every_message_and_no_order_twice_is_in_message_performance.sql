-- Without this messages of an unknown kind could be lost, an order could count for two messages,
-- and more customers could have ordered than there were.
with

messages as (
    select message_id from {{ ref('stg_marketing__messages') }}
),

orders as (
    select order_id, net_amount from {{ ref('fct_orders') }} where status <> 'cancelled'
),

performance as (
    select * from {{ ref('agg_message_performance') }}
),

sums as (
    select
        coalesce(sum(sent_count), 0) as sent_count,
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(net_amount), 0) as net_amount,
        count(*) filter (
            where ordering_recipient_count > recipient_count
            or recipient_count > sent_count
            or comparison_customer_count < 0
            or ordering_comparison_customer_count < 0
            or ordering_comparison_customer_count > comparison_customer_count
        ) as impossible_count
    from performance
)

select * from sums
where
    sent_count <> (select count(*) from messages)
    or order_count > (select count(*) from orders)
    or net_amount > (select coalesce(sum(orders.net_amount), 0) from orders)
    or impossible_count > 0

-- Grain: one row per customer with an account, an order or a login; guests are no customers.
with

customers as (
    select * from {{ ref('stg_shop__customers') }}
),

orders as (
    select customer_id, status, is_revenue, net_amount, customer_order_number, ordered_at
    from {{ ref('fct_orders') }}
    where customer_id is not null
),

sessions as (
    select customer_id, session_id, channel, started_at
    from {{ ref('fct_sessions') }}
    where customer_id is not null
),

customer_ids as (
    select customer_id from customers
    union -- a customer once, whichever table knows them
    select customer_id from orders
    union
    select customer_id from sessions
),

customer_orders as (
    select
        customer_id,
        count(*) filter (where status <> 'cancelled') as order_count,
        sum(net_amount) as net_amount,
        min(ordered_at) filter (where status <> 'cancelled') as first_ordered_at,
        max(ordered_at) filter (where status <> 'cancelled') as last_ordered_at
    from orders
    group by customer_id
),

first_sessions as (
    select
        customer_id,
        {{ first_by('channel', ['started_at', 'session_id']) }} as first_channel,
        min(started_at) as first_session_at
    from sessions
    group by customer_id
),

customers_complete as (
    select
        customer_ids.customer_id,
        customers.customer_id is not null as has_account,
        coalesce(customer_orders.order_count, 0) > 0 as is_buyer,
        customers.has_marketing_consent,
        customers.email_hash,
        customers.gender,
        customers.age_band,
        customers.country,
        customers.region,
        customers.city,
        customers.postcode_area,
        customers.language,
        customers.signup_source,
        customers.referred_by_customer_id,
        first_sessions.first_channel,
        coalesce(customer_orders.order_count, 0) as order_count,
        cast(coalesce(customer_orders.net_amount, 0) as decimal(18, 2)) as net_amount,
        customers.created_at,
        first_sessions.first_session_at,
        customer_orders.first_ordered_at,
        customer_orders.last_ordered_at
    from customer_ids
    left join customers on customer_ids.customer_id = customers.customer_id
    left join customer_orders on customer_ids.customer_id = customer_orders.customer_id
    left join first_sessions on customer_ids.customer_id = first_sessions.customer_id
)

select * from customers_complete

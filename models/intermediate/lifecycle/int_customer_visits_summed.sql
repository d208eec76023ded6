-- Grain: one row per customer with a session or an order.
with

sessions as (
    select customer_id, session_id, channel, device, session_date, started_at
    from {{ ref('fct_sessions') }}
    where customer_id is not null
),

orders as (
    select customer_id, device
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

visits as (
    select
        sessions.customer_id,
        count(*) as session_count,
        count(*) filter (
            where sessions.session_date > as_of.as_of_date - {{ var('profile_visit_days') }}
        ) as recent_session_count,
        max(sessions.session_date) as last_session_date,
        {{ last_by('sessions.channel', ['sessions.started_at', 'sessions.session_id']) }}
            as last_channel
    from sessions
    cross join as_of
    group by sessions.customer_id
),

-- Tracking misses visits, and orders: both tell what somebody uses.
devices_used as (
    select customer_id, device from sessions
    union all
    select customer_id, device from orders
),

devices as (
    select customer_id, device, count(device) as use_count
    from devices_used
    group by customer_id, device
),

favourite_devices as (
    select
        customer_id,
        {{ first_by('device', ['- use_count', 'device']) }} as favourite_device
    from devices
    group by customer_id
),

customer_visits as (
    select
        favourite_devices.customer_id,
        coalesce(visits.session_count, 0) as session_count,
        coalesce(visits.recent_session_count, 0) as recent_session_count,
        visits.last_session_date,
        visits.last_channel,
        favourite_devices.favourite_device
    from favourite_devices
    left join visits on favourite_devices.customer_id = visits.customer_id
)

select * from customer_visits

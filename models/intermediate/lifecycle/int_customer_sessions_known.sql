-- Grain: one row per session whose customer was identified by the time that it was over.
-- Over it is when session_gap_minutes have passed. What a later login tells of earlier sessions is
-- left out, as it comes with what the customer does next. Beside it: such a session of theirs
-- before it, and their last order before it began.
with

sessions as (
    select
        session_id,
        customer_id,
        anonymous_id,
        started_at,
        ended_at,
        ended_at + interval '{{ var("session_gap_minutes") }}' minute as known_at
    from {{ ref('fct_sessions') }}
    where
        customer_id is not null
        and customer_known_at <= ended_at + interval '{{ var("session_gap_minutes") }}' minute
),

orders as (
    select order_id, customer_id, ordered_at
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

visitors as (
    select customer_id from sessions group by customer_id
),

moments as (
    select
        customer_id,
        started_at as happened_at,
        session_id as moment_id,
        session_id,
        started_at,
        cast(null as timestamp) as ordered_at
    from sessions
    union all
    select
        orders.customer_id,
        orders.ordered_at as happened_at,
        orders.order_id as moment_id,
        null as session_id,
        null as started_at,
        orders.ordered_at
    from orders
    inner join visitors on orders.customer_id = visitors.customer_id
),

moments_compared as (
    select
        session_id,
        max(started_at) over earlier as previous_started_at,
        max(ordered_at) over earlier as last_ordered_at
    from moments
    window earlier as (
        partition by customer_id order by happened_at, moment_id
        rows between unbounded preceding and 1 preceding
    )
),

sessions_known as (
    select
        sessions.session_id,
        sessions.customer_id,
        sessions.anonymous_id,
        sessions.started_at,
        sessions.ended_at,
        sessions.known_at,
        moments_compared.previous_started_at,
        moments_compared.last_ordered_at
    from sessions
    inner join moments_compared on sessions.session_id = moments_compared.session_id
)

select * from sessions_known

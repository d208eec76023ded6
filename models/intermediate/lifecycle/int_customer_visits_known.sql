-- Grain: one row per customer, day of visits and day that it is known from that they were theirs.
-- A session counts once it is over, which a day knows when session_gap_minutes have passed, and
-- once its customer was identified: a login of next month tells nothing to a state of this one.
-- Of a session that is over nothing changes any more, whatever comes later.
with

sessions as (
    select customer_id, session_date, ended_at, add_to_cart_at, customer_known_at
    from {{ ref('fct_sessions') }}
    where customer_id is not null
),

sessions_with_knowledge as (
    select
        customer_id,
        session_date,
        add_to_cart_at,
        greatest(ended_at + interval '{{ var("session_gap_minutes") }}' minute, customer_known_at)
            as known_at
    from sessions
),

sessions_known as (
    select
        customer_id,
        session_date,
        add_to_cart_at,
        {{ reporting_date('known_at') }} as known_date
    from sessions_with_knowledge
),

visits as (
    select
        customer_id,
        session_date as visit_date,
        known_date,
        count(*) as visit_count,
        count(add_to_cart_at) as cart_count
    from sessions_known
    group by customer_id, session_date, known_date
)

select * from visits

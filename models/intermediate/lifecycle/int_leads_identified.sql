-- Grain: one row per customer who signed up to the newsletter, with the first day of it.
with

signups as (
    select anonymous_id, event_at
    from {{ ref('stg_web__interactions') }}
    where event_name = 'newsletter_signup'
),

sessions as (
    select customer_id, anonymous_id, started_at, ended_at
    from {{ ref('fct_sessions') }}
    where customer_id is not null
),

leads as (
    select
        sessions.customer_id,
        {{ reporting_date('min(signups.event_at)') }} as lead_date
    from signups
    inner join sessions
        on signups.anonymous_id = sessions.anonymous_id
        and signups.event_at >= sessions.started_at
        and signups.event_at <= sessions.ended_at
    group by sessions.customer_id
)

select * from leads

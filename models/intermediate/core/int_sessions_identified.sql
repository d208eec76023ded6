-- Grain: one row per session, with the visitor it belongs to and the channel that brought it.
-- A session belongs to the customer known at its last event: who logs in on the way has been there.
with

sessions as (
    select * from {{ ref('int_sessions_cut') }}
),

identities as (
    select anonymous_id, customer_id, valid_from_at, valid_to_at
    from {{ ref('int_identities_resolved') }}
),

traffic_sources as (
    select utm_source, utm_medium, referrer_host, channel
    from {{ ref('int_traffic_sources_classified') }}
),

sessions_with_customer as (
    select
        sessions.*,
        identities.customer_id,
        coalesce(identities.customer_id, sessions.anonymous_id) as visitor_id
    from sessions
    left join identities
        on sessions.anonymous_id = identities.anonymous_id
        and sessions.ended_at >= identities.valid_from_at
        and sessions.ended_at < identities.valid_to_at
),

sessions_identified as (
    select
        sessions_with_customer.*,
        traffic_sources.channel
    from sessions_with_customer
    left join traffic_sources
        on coalesce(sessions_with_customer.first_event.utm_source, '') = traffic_sources.utm_source
        and coalesce(sessions_with_customer.first_event.utm_medium, '') = traffic_sources.utm_medium
        and coalesce(sessions_with_customer.first_event.referrer_host, '')
        = traffic_sources.referrer_host
)

select * from sessions_identified

-- Grain: one row per session, with the visitor it belongs to and the channel that brought it.
-- A session belongs to the customer known at its last event: who logs in on the way has been there.
-- A device is touched by its interactions too; its visitors are noted here for all that follows.
-- depends_on: {{ ref('stg_web__interactions') }}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['anonymous_id in ' ~ touched('anonymous_id')],
    meta={'touches': {'visitor_id': 'visitor_id'}}
) }}
with

sessions as (
    select session_id, anonymous_id, started_at, ended_at, first_event
    from {{ ref('int_sessions_cut') }}
    {% if is_incremental() -%}
    where anonymous_id in {{ touched('anonymous_id') }}
    {%- endif %}
),

identities as (
    select anonymous_id, customer_id, valid_from_at, valid_to_at, identified_at
    from {{ ref('int_identities_resolved') }}
),

traffic_sources as (
    select utm_source, utm_medium, referrer_host, channel
    from {{ ref('int_traffic_sources_classified') }}
),

sessions_identified as (
    select
        sessions.session_id,
        sessions.anonymous_id,
        identities.customer_id,
        coalesce(identities.customer_id, sessions.anonymous_id) as visitor_id,
        traffic_sources.channel,
        sessions.started_at,
        sessions.ended_at,
        identities.identified_at as customer_known_at
    from sessions
    left join identities
        on sessions.anonymous_id = identities.anonymous_id
        and sessions.ended_at >= identities.valid_from_at
        and sessions.ended_at < identities.valid_to_at
    left join traffic_sources
        on coalesce(sessions.first_event.utm_source, '') = traffic_sources.utm_source
        and coalesce(sessions.first_event.utm_medium, '') = traffic_sources.utm_medium
        and coalesce(sessions.first_event.referrer_host, '') = traffic_sources.referrer_host
)

select * from sessions_identified

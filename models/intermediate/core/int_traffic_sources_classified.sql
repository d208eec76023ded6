-- Grain: one row per combination of utm_source, utm_medium and referrer_host.
-- Those that began a session, and those that advertising was paid for.
-- Few combinations, many sessions: the rules are matched here once. The first rule that fits wins.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['utm_source', 'utm_medium', 'referrer_host']
) }}
with

sessions as (
    select first_event from {{ ref('int_daily_sessions_cut') }}
    {% if is_incremental() -%}
    where anonymous_id in {{ touched('anonymous_id') }}
    {%- endif %}
),

ad_spend as (
    select utm_source, utm_medium from {{ ref('stg_marketing__ad_spend') }}
),

rules as (
    select
        rule_number,
        coalesce(utm_source_pattern, '') as utm_source_pattern,
        coalesce(utm_medium_pattern, '') as utm_medium_pattern,
        coalesce(referrer_host_pattern, '') as referrer_host_pattern,
        channel
    from {{ ref('ref_channel_rules') }}
),

traffic_sources as (
    select
        coalesce(first_event.utm_source, '') as utm_source,
        coalesce(first_event.utm_medium, '') as utm_medium,
        coalesce(first_event.referrer_host, '') as referrer_host
    from sessions
    union -- each combination once
    select
        coalesce(utm_source, '') as utm_source,
        coalesce(utm_medium, '') as utm_medium,
        '' as referrer_host
    from ad_spend
),

traffic_sources_classified as (
    select
        traffic_sources.utm_source,
        traffic_sources.utm_medium,
        traffic_sources.referrer_host,
        {{ first_by('rules.channel', ['rules.rule_number']) }} as channel
    from traffic_sources
    left join rules
        on {{ matches('traffic_sources.utm_source', 'rules.utm_source_pattern') }}
        and {{ matches('traffic_sources.utm_medium', 'rules.utm_medium_pattern') }}
        and {{ matches('traffic_sources.referrer_host', 'rules.referrer_host_pattern') }}
    group by
        traffic_sources.utm_source,
        traffic_sources.utm_medium,
        traffic_sources.referrer_host
)

select * from traffic_sources_classified

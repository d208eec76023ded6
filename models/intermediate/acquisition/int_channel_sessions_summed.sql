-- Grain: one row per day, channel and campaign of sessions.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['session_date in ' ~ touched('session_date', 'date')]
) }}
with

sessions as (
    select session_date, channel, utm_campaign, is_new_visitor, is_bounced, is_converted
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where session_date in {{ touched('session_date', 'date') }}
    {%- endif %}
),

channel_sessions as (
    select
        session_date,
        channel,
        utm_campaign as campaign,
        count(*) as session_count,
        count(*) filter (where is_new_visitor) as new_visitor_count,
        count(*) filter (where is_bounced) as bounced_session_count,
        count(*) filter (where is_converted) as converted_session_count
    from sessions
    group by session_date, channel, utm_campaign
)

select * from channel_sessions

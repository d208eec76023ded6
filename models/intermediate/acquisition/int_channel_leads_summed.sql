-- Grain: one row per day, channel and campaign of leads, the entries of funnel lead_funnel.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['entry_date in ' ~ touched('entry_date', 'date')]
) }}
{% set days = touched('entry_date', 'date') %}
{% set is_touched = ('in ' ~ days) if is_incremental() else 'is not null' %}
with

entries as (
    select session_id, channel, is_mature, is_converted, entry_date
    from {{ ref('fct_funnel_entries') }}
    where funnel = '{{ var("lead_funnel") }}' and entry_date {{ is_touched }}
),

sessions as (
    select session_id, utm_campaign from {{ ref('fct_sessions') }}
),

-- A lead that no session is known for came through no channel that is known.
channel_leads as (
    select
        entries.entry_date,
        coalesce(entries.channel, 'unattributed') as channel,
        sessions.utm_campaign as campaign,
        count(*) as lead_count,
        count(*) filter (where entries.is_mature) as mature_lead_count,
        count(*) filter (where entries.is_mature and entries.is_converted)
            as converted_lead_count
    from entries
    left join sessions on entries.session_id = sessions.session_id
    group by entries.entry_date, coalesce(entries.channel, 'unattributed'), sessions.utm_campaign
)

select * from channel_leads

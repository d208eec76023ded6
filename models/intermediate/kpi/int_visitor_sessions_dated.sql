-- Grain: one row per session, with the days on which its visitor came and bought before it.
-- They tell of each period whether the visitor is counted with this session: with the first in it.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key=['visitor_id', 'visitor_session_number'],
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    on_schema_change='fail',
    meta={'touches': {'visitor_date': 'session_date'}}
) }}
{% set partitions = {
    '': 'visitor_id', 'channel_': 'visitor_id, channel', 'device_': 'visitor_id, device'
} -%}
with

sessions as (
    select visitor_id, visitor_session_number, session_date, channel, device, is_converted
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where visitor_id in {{ touched('visitor_id') }}
    {%- endif %}
),

visitor_sessions_dated as (
    select
        {% for part, columns in partitions.items() -%}
        lag(session_date) over (partition by {{ columns }} order by visitor_session_number)
            as previous_{{ part }}date,
        max(case when is_converted then session_date end) over (
            partition by {{ columns }} order by visitor_session_number
            rows between unbounded preceding and 1 preceding
        ) as previous_{{ part }}conversion_date,
        {% endfor -%}
        *
    from sessions
)

select * from visitor_sessions_dated

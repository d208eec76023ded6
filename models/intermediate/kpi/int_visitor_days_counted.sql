-- Grain: one row per period, day, channel and device of sessions.
-- A visitor counts once in a period, with the first of their sessions in it, and once more for each
-- channel and each device: so that days add up to periods.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['session_date in ' ~ touched('visitor_date', 'date')],
    on_schema_change='fail'
) }}
{% set parts = {'total': '', 'channel': 'channel_', 'device': 'device_'} -%}
with

sessions as (
    select * from {{ ref('int_visitor_sessions_dated') }}
    {% if is_incremental() -%}
    where session_date in {{ touched('visitor_date', 'date') }}
    {%- endif %}
),

sessions_by_period as (
    {% for period in ['day', 'week', 'month', 'quarter'] -%}
    select
        session_date,
        channel,
        device,
        visitor_session_number = 1 as is_new_visitor,
        {% for dimension, part in parts.items() -%}
        coalesce(
            date_trunc('{{ period }}', previous_{{ part }}date)
            < date_trunc('{{ period }}', session_date), true
        ) as is_first_of_{{ dimension }},
        is_converted and coalesce(
            date_trunc('{{ period }}', previous_{{ part }}conversion_date)
            < date_trunc('{{ period }}', session_date), true
        ) as is_first_conversion_of_{{ dimension }},
        {% endfor -%}
        '{{ period }}' as period
    from sessions
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

visitor_days_counted as (
    select
        period,
        session_date,
        channel,
        device,
        {% for dimension in parts -%}
        count(*) filter (where is_first_of_{{ dimension }}) as visitors_of_{{ dimension }},
        count(*) filter (where is_first_conversion_of_{{ dimension }})
            as converted_visitors_of_{{ dimension }},
        {% endfor -%}
        count(*) filter (where is_new_visitor) as new_visitor_count
    from sessions_by_period
    group by period, session_date, channel, device
)

select * from visitor_days_counted

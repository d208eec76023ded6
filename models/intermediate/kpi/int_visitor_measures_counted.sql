-- Grain: one row per measure, period, its first day, dimension and value.
-- A visitor counts once in a period, however often they came: each period is counted by itself.
-- Returning visitors are those whose first session was not in the period (and of the channel).
{% set dimensions = {'channel': 'channel', 'device': 'device'} %}
{% set periods = ['day', 'week', 'month', 'quarter'] %}
{% set scopes = [] -%}
{% for period in periods -%}
{% do scopes.append(
    "period = '" ~ period ~ "' and period_start_date in " ~ touched_periods('session_date', period)
) -%}
{% endfor -%}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['(' ~ scopes | join(' or ') ~ ')'],
    on_schema_change='fail'
) }}
with

sessions as (
    select session_date, visitor_id, channel, device, is_new_visitor, is_converted
    from {{ ref('fct_sessions') }}
),

sessions_by_period as (
    {% for period in periods -%}
    select
        visitor_id,
        channel,
        device,
        is_new_visitor,
        is_converted,
        '{{ period }}' as period,
        cast(date_trunc('{{ period }}', session_date) as date) as period_start_date
    from sessions
    {% if is_incremental() -%}
    where {{ in_touched_periods('session_date', 'session_date', period) }}
    {% endif -%}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counts as (
    select
        period,
        period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(distinct visitor_id) as visitor_count,
        count(distinct visitor_id) - count(*) filter (where is_new_visitor)
            as returning_visitor_count,
        count(distinct case when is_converted then visitor_id end) as converted_visitor_count
    from sessions_by_period
    group by {{ dimension_sets(['period', 'period_start_date'], dimensions) }} -- noqa: PRS
),

visitor_measures_counted as (
    {{ measure_rows('counts', {
        'visitors': 'visitor_count',
        'returning_visitors': 'returning_visitor_count',
        'converted_visitors': 'converted_visitor_count',
    }) }}
)

select * from visitor_measures_counted

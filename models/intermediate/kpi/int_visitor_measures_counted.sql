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
{% set partitions = {'total': 'visitor_id'} -%}
{% for column, dimension in dimensions.items() -%}
{% do partitions.update({dimension: 'visitor_id, ' ~ column}) -%}
{% endfor -%}
with

sessions as (
    select
        session_date,
        visitor_id,
        visitor_session_number,
        channel,
        device,
        is_new_visitor,
        is_converted
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where
        {% for period in periods -%}
        {{ 'or ' if not loop.first }}{{ in_touched_periods('session_date', 'session_date', period) }}
        {% endfor %}
    {%- endif %}
),

-- A visitor is counted with the first of their sessions in a period, by the day of the one before.
sessions_compared as (
    select
        *,
        {% for dimension in partitions -%}
        lag(session_date) over by_{{ dimension }} as previous_date_of_{{ dimension }},
        max(case when is_converted then session_date end) over before_{{ dimension }}
            as previous_conversion_of_{{ dimension }}{{ ',' if not loop.last }}
        {% endfor %}
    from sessions
    window
        {% for dimension, columns in partitions.items() -%}
        by_{{ dimension }} as (partition by {{ columns }} order by visitor_session_number),
        before_{{ dimension }} as (
            partition by {{ columns }} order by visitor_session_number
            rows between unbounded preceding and 1 preceding
        )
        {{- ',' if not loop.last }}
        {% endfor %}
),

sessions_by_period as (
    {% for period in periods -%}
    select
        channel,
        device,
        is_new_visitor,
        {% for dimension in partitions -%}
        coalesce(
            date_trunc('{{ period }}', previous_date_of_{{ dimension }})
            < date_trunc('{{ period }}', session_date), true
        ) as is_first_of_{{ dimension }},
        is_converted and coalesce(
            date_trunc('{{ period }}', previous_conversion_of_{{ dimension }})
            < date_trunc('{{ period }}', session_date), true
        ) as is_first_conversion_of_{{ dimension }},
        {% endfor -%}
        '{{ period }}' as period,
        cast(date_trunc('{{ period }}', session_date) as date) as period_start_date
    from sessions_compared
    {% if is_incremental() -%}
    where {{ in_touched_periods('session_date', 'session_date', period) }}
    {% endif -%}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counts_by_partition as (
    select
        period,
        period_start_date,
        {{ dimension_of_row(dimensions) }},
        {% for dimension in partitions -%}
        count(*) filter (where is_first_of_{{ dimension }}) as visitors_of_{{ dimension }},
        count(*) filter (where is_first_conversion_of_{{ dimension }})
            as converted_visitors_of_{{ dimension }},
        {% endfor -%}
        count(*) filter (where is_new_visitor) as new_visitor_count
    from sessions_by_period
    group by {{ dimension_sets(['period', 'period_start_date'], dimensions) }} -- noqa: PRS
),

counts as (
    select
        period,
        period_start_date,
        dimension,
        dimension_value,
        new_visitor_count,
        {% for count in ['visitors', 'converted_visitors'] -%}
        case dimension
            {% for dimension in partitions -%}
            when '{{ dimension }}' then {{ count }}_of_{{ dimension }}
            {% endfor %}
        end as {{ count }}{{ ',' if not loop.last }}
        {% endfor %}
    from counts_by_partition
),

visitor_measures_counted as (
    {{ measure_rows('counts', {
        'visitors': 'visitors',
        'returning_visitors': 'visitors - new_visitor_count',
        'converted_visitors': 'converted_visitors',
    }) }}
)

select * from visitor_measures_counted

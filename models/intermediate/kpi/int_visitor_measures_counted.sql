-- Grain: one row per measure, period, its first day, dimension and value.
-- A visitor counts once in a period, however often they came (int_visitor_days_counted).
-- Returning visitors are those whose first session was not in the period (and of the channel).
{% set dimensions = {'channel': 'channel', 'device': 'device'} %}
{% set partitions = ['total'] + dimensions.values() | list %}
with

days as (
    select
        *,
        cast(date_trunc(period, session_date) as date) as period_start_date
    from {{ ref('int_visitor_days_counted') }}
),

counts_by_partition as (
    select
        period,
        period_start_date,
        {{ dimension_of_row(dimensions) }},
        {% for dimension in partitions -%}
        sum(visitors_of_{{ dimension }}) as visitors_of_{{ dimension }},
        sum(converted_visitors_of_{{ dimension }}) as converted_visitors_of_{{ dimension }},
        {% endfor -%}
        sum(new_visitor_count) as new_visitor_count
    from days
    group by {{ dimension_sets(['period', 'period_start_date'], dimensions) }} -- noqa: PRS
),

counts as (
    select
        period,
        period_start_date,
        dimension,
        dimension_value,
        {% for count in ['visitors', 'converted_visitors'] -%}
        case dimension
            {% for dimension in partitions -%}
            when '{{ dimension }}' then {{ count }}_of_{{ dimension }}
            {% endfor -%}
        end as {{ count }},
        {% endfor -%}
        new_visitor_count
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

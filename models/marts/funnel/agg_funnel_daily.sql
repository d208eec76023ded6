-- Grain: one row per funnel, entry date, step, channel, device, country and new or returning.
-- Counts and sums add up over any of these but the step. A rate at any grain is sum / sum: step
-- conversion = reached / previous step reached, overall = reached / entries.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='funnel_day_id',
    incremental_predicates=['entry_date in ' ~ touched('entry_date', 'date')],
    on_schema_change='fail'
) }}
with

entries as (
    select * from {{ ref('fct_funnel_entries') }}
    {% if is_incremental() -%}
    where entry_date in {{ touched('entry_date', 'date') }}
    {%- endif %}
),

{% set dimensions = ['funnel', 'entry_date', 'channel', 'device', 'country', 'is_new_visitor'] %}

-- All steps of an entry at once: one pass over the entries, whatever the number of steps.
days as (
    select
        {{ dimensions | join(',\n        ') }},
        max(step_count) as step_count,
        {% for step in range(1, 11) -%}
        count(step_{{ step }}_at) as reached_{{ step }},
        count(step_{{ step }}_at) filter (where is_mature) as mature_reached_{{ step }},
        {% endfor -%}
        {% for step in range(2, 11) -%}
        coalesce(sum(
            {{ microseconds_between('step_' ~ (step - 1) ~ '_at', 'step_' ~ step ~ '_at') }}
        ), 0) as microseconds_{{ step }},
        {% endfor -%}
        count(*) as entry_count,
        count(*) filter (where is_mature) as mature_entry_count
    from entries
    group by {{ dimensions | join(', ') }}
),

day_steps as (
    {% for step in range(1, 11) -%}
    select
        {{ dimensions | join(',\n        ') }},
        cast({{ step }} as bigint) as step_number,
        entry_count,
        reached_{{ step }} as reached_count,
        {{ 'reached_' ~ (step - 1) if step > 1 else 'entry_count' }} as previous_reached_count,
        mature_entry_count,
        mature_reached_{{ step }} as mature_reached_count,
        {{ 'mature_reached_' ~ (step - 1) if step > 1 else 'mature_entry_count' }}
            as mature_previous_reached_count,
        {{ 'microseconds_' ~ step if step > 1 else '0' }} / 1000000.0 as seconds_to_convert_sum
    from days
    where step_count >= {{ step }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

steps as (
    select funnel, step_number, step_name from {{ ref('ref_funnel_steps') }}
),

{% set keys = {'step_number': 'day_steps.step_number'} %}
{% for column in dimensions %}
{% do keys.update({column: 'day_steps.' ~ column}) %}
{% endfor %}

funnel_days as (
    select
        md5({{ json_row(keys) }}) as funnel_day_id,
        day_steps.funnel,
        day_steps.step_number,
        steps.step_name,
        day_steps.channel,
        day_steps.device,
        day_steps.country,
        day_steps.is_new_visitor,
        day_steps.entry_count,
        day_steps.reached_count,
        day_steps.previous_reached_count,
        day_steps.mature_entry_count,
        day_steps.mature_reached_count,
        day_steps.mature_previous_reached_count,
        cast(day_steps.seconds_to_convert_sum as decimal(20, 6)) as seconds_to_convert_sum,
        day_steps.entry_date
    from day_steps
    inner join steps
        on day_steps.funnel = steps.funnel and day_steps.step_number = steps.step_number
)

select * from funnel_days

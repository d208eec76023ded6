-- Grain: one row per funnel, period (week or month of the entry) and step.
-- Mature entries alone: an open one may still convert, and would make the newest period look worse
-- than it is.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='funnel_period_step_id',
    incremental_predicates=[
        "(period = 'week' and period_start_date in " ~ touched_periods('entry_date', 'week')
        ~ " or period = 'month' and period_start_date in "
        ~ touched_periods('entry_date', 'month') ~ ")"
    ]
) }}
{% set shares = [0.25, 0.5, 0.75, 0.9] %}
with

entries as (
    select * from {{ ref('fct_funnel_entries') }}
),

steps as (
    select funnel, step_number from {{ ref('ref_funnel_steps') }}
),

entries_by_period as (
    {% for period in ['week', 'month'] -%}
    select
        *,
        '{{ period }}' as period,
        cast(date_trunc('{{ period }}', entry_date) as date) as period_start_date
    from entries
    {% if is_incremental() -%}
    where {{ in_touched_periods('entry_date', 'entry_date', period) }}
    {% endif -%}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- All steps of an entry at once: one pass over the entries, whatever the number of steps.
periods as (
    select
        funnel,
        period,
        period_start_date,
        {% for step in range(1, 11) -%}
        count(step_{{ step }}_at) filter (where is_mature) as reached_{{ step }},
        {% endfor -%}
        {% for step in range(2, 11) -%}
        {{ quantiles_of(
            microseconds_between('step_' ~ (step - 1) ~ '_at', 'step_' ~ step ~ '_at'), shares
        ) }} filter (where is_mature) as microseconds_{{ step }},
        {% endfor -%}
        count(*) as entry_count,
        count(*) filter (where is_mature) as mature_entry_count
    from entries_by_period
    group by funnel, period, period_start_date
),

period_steps as (
    {% for step in range(1, 11) -%}
    select
        funnel,
        period,
        period_start_date,
        cast({{ step }} as bigint) as step_number,
        {% for name in ['p25', 'median', 'p75', 'p90'] -%}
        round(
            {{ list_item('microseconds_' ~ step, loop.index) if step > 1 else 'null' }} / 1000000, 6
        ) as seconds_to_convert_{{ name }},
        {% endfor -%}
        reached_{{ step }} as reached_count,
        {{ 'reached_' ~ (step - 1) if step > 1 else 'mature_entry_count' }}
            as previous_reached_count,
        entry_count,
        mature_entry_count
    from periods
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

funnel_periods_measured as (
    select
        md5(concat_ws(
            '|',
            period_steps.funnel,
            period_steps.period,
            cast(period_steps.period_start_date as string),
            cast(period_steps.step_number as string)
        )) as funnel_period_step_id,
        period_steps.*
    from period_steps
    inner join steps
        on period_steps.funnel = steps.funnel and period_steps.step_number = steps.step_number
)

select * from funnel_periods_measured

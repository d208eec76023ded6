-- A funnel read by day, channel or country has the entries and steps of the funnel, no more and no
-- fewer; else a dashboard and an analyst's own count disagree.
with

entries as (
    select * from {{ ref('fct_funnel_entries') }}
),

days as (
    select * from {{ ref('agg_funnel_daily') }}
),

entry_steps as (
    {% for step in range(1, 11) -%}
    select
        funnel,
        entry_date,
        {{ step }} as step_number,
        count(*) as entry_count,
        count(step_{{ step }}_at) as reached_count
    from entries
    where step_count >= {{ step }}
    group by funnel, entry_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

day_steps as (
    select
        funnel,
        entry_date,
        step_number,
        sum(entry_count) as entry_count,
        sum(reached_count) as reached_count
    from days
    group by funnel, entry_date, step_number
)

select
    coalesce(entry_steps.funnel, day_steps.funnel) as funnel,
    coalesce(entry_steps.entry_date, day_steps.entry_date) as entry_date
from entry_steps
full join day_steps
    on entry_steps.funnel = day_steps.funnel
    and entry_steps.entry_date = day_steps.entry_date
    and entry_steps.step_number = day_steps.step_number
where
    entry_steps.entry_count is distinct from day_steps.entry_count
    or entry_steps.reached_count is distinct from day_steps.reached_count

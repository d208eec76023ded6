-- Grain: one row per event row that is rejected or shares its event_id in a UTC day.
-- Each has a verdict. Few: base_web__events reads all others straight from the raw files. A row
-- whose time cannot be read has no day: it is judged with the file that it came in.
-- depends_on: {{ ref('base_web__days_touched') }}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=[
        'utc_date in ' ~ touched('utc_date', 'date')
        ~ ' or (utc_date is null and file_name in ' ~ touched('event_file') ~ ')'
    ]
) }}
with

events as {{ inlined() }} (
    {{ typed_rows('events') }}
),

events_touched as {{ inlined() }} (
    select
        *,
        cast(event_at as date) as utc_date
    from events
    where {{ in_touched_days('event_at') }}
    {% if is_incremental() -%}
    union all
    select
        *,
        cast(null as date) as utc_date
    from events
    where event_at is null and file_name in {{ text_list(event_file_changes().renewed) }}
    {%- endif %}
),

{{ judgement('events', 'events_touched') }},

events_judged as (
    select
        *,
        cast(event_at as date) as utc_date
    from rows_set_aside
)

select * from events_judged

-- Grain: one row per UTC day whose events may differ from those of the last complete refresh.
-- Days of event files that are new, replaced or gone, however late they come; and those that were
-- loaded before they were known. A lone file tells of no part that is new: of it, days from
-- late_event_days before what was known on, and of events that arrived since then. No row where
-- nothing was loaded yet: then everything is built.
{{ config(
    post_hook=[
        "{{ note_touched('utc_date', 'utc_date', 'select utc_date from ' ~ this) }}",
        "{{ note_touched_event_files() }}"
    ]
) }}
with

events as (
    select
        {{ typed_columns('events') }},
        file_name
    from {{ ref('raw_events') }}
),

{% set from_at = touched_from() %}

days_touched as (
    {% if from_at -%}
    {% set changes = event_file_changes() -%}
    select cast(event_at as date) as utc_date from events where event_at >= {{ from_at }}
    union -- a day once, for whatever reason
    {% if is_lone_event_file() -%}
    select cast(event_at as date) as utc_date from events where received_at >= {{ from_at }}
    union
    {% endif -%}
    select cast(event_at as date) as utc_date
    from events
    where file_name in {{ text_list(changes.changed) }}
    union
    {{ days_loaded(from_at, changes.gone) }}
    {%- else -%}
    select cast(event_at as date) as utc_date from events where false
    {%- endif %}
)

select * from days_touched where utc_date is not null

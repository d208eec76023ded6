-- Grain: one row per event row that is rejected or shares its event_id, with a verdict.
-- Few: stg_web__events reads all others straight from the raw files.
with

events as (
    select * from {{ ref('base_web__events') }}
),

{{ judgement('events', 'events') }}

select * from rows_set_aside

-- Grain: one row per event row that is rejected or shares its event_id, with a verdict.
-- Few: base_web__events reads all others straight from the raw files.
with

{{ judgement('events', '(' ~ typed_rows('events') ~ ') as events') }}

select * from rows_set_aside

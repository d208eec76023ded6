-- Grain: one row per web event row that the shop brought, typed, not yet judged.
-- A view: events are many, and to write them once more would cost more than to read them again.
with

events as (
    {{ typed_rows('events') }}
)

select * from events

-- Grain: one row per web event that was kept, known by as_of_date or not.
-- A view on the raw files, since to write the many events once more would cost more than to read
-- them again: of the files only the columns asked for are read, and an event has been judged where
-- its event_id was set aside.
with

events as (
    select
        {{ typed_columns('events') }}
    from {{ ref('raw_events') }}
    where event_id is not null
),

events_set_aside as (
    select
        {{ contract_columns('events') }},
        verdict
    from {{ ref('base_web__events_set_aside') }}
),

ids_set_aside as (
    select
        event_id,
        cast(event_at as date) as utc_date
    from {{ ref('base_web__events_set_aside') }}
    group by event_id, cast(event_at as date)
),

events_kept as (
    select events.*
    from events
    left join ids_set_aside
        on events.event_id = ids_set_aside.event_id
        and cast(events.event_at as date) = ids_set_aside.utc_date
    where ids_set_aside.event_id is null and events.event_at is not null
    union all
    select
        {{ contract_columns('events') }}
    from events_set_aside
    where verdict = 'kept'
)

select * from events_kept

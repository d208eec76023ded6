-- Grain: one row per funnel and kind of event that any funnel asks for.
-- A kind is a name on a page type that is asked for, or on any other page.
-- The steps that such an event is in the funnel, as bits of one number: step n is bit n-1.
with

funnels as (
    select funnel, unit from {{ ref('ref_funnels') }}
),

steps as (
    select funnel, step_number, event_name, page_type from {{ ref('stg_web__funnel_steps') }}
),

kinds as (
    select event_name, page_type from steps
    union -- a kind once, whatever funnels ask for it
    select
        event_name,
        cast(null as string) as page_type
    from steps
),

kinds_numbered as (
    select
        event_name,
        page_type,
        row_number() over (order by event_name, coalesce(page_type, '')) as kind_number
    from kinds
),

steps_masked as (
    select
        funnels.funnel,
        funnels.unit,
        kinds_numbered.kind_number,
        kinds_numbered.event_name,
        kinds_numbered.page_type,
        coalesce(
            {{ bits_of_any('cast(power(2, steps.step_number - 1) as bigint)') }}, 0
        ) as step_mask
    from funnels
    cross join kinds_numbered
    left join steps
        on funnels.funnel = steps.funnel
        and kinds_numbered.event_name = steps.event_name
        and (steps.page_type is null or kinds_numbered.page_type = steps.page_type)
    group by
        funnels.funnel,
        funnels.unit,
        kinds_numbered.kind_number,
        kinds_numbered.event_name,
        kinds_numbered.page_type
)

select * from steps_masked

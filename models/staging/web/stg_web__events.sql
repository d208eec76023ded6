-- Grain: one row per web event that as_of_date knows, bots included (is_bot).
-- Addresses lose their query, which may name a person.
with

events_kept as (
    select * from {{ ref('base_web__events') }}
),

event_names as (
    select event_name, standard_name, journey_stage, is_interaction
    from {{ ref('ref_event_names') }}
),

events_known as (
    select
        events_kept.event_id,
        events_kept.anonymous_id,
        events_kept.customer_id,
        events_kept.product_id,
        events_kept.order_id,
        coalesce(event_names.standard_name, lower(events_kept.event_name)) as event_name,
        event_names.journey_stage,
        coalesce(event_names.is_interaction, true) as is_interaction,
        {{ url_path('events_kept.page_url') }} as page_path,
        events_kept.page_type,
        events_kept.device,
        events_kept.browser,
        events_kept.country,
        nullif({{ url_host('events_kept.referrer') }}, {{ url_host('events_kept.page_url') }})
            as referrer_host,
        lower(trim(events_kept.utm_source)) as utm_source,
        lower(trim(events_kept.utm_medium)) as utm_medium,
        events_kept.utm_campaign,
        events_kept.utm_content,
        coalesce(events_kept.is_bot, false) as is_bot,
        events_kept.quantity,
        events_kept.value as event_value,
        events_kept.page_load_ms,
        events_kept.engaged_ms,
        events_kept.event_at,
        events_kept.received_at
    from events_kept
    left join event_names on lower(events_kept.event_name) = event_names.event_name
    where {{ is_known('events_kept.event_at') }}
)

select * from events_known

-- Grain: one row per web event that as_of_date knows, bots included (is_bot).
-- A view on the raw files: only the columns asked for are read, and an event needs a second look
-- only where its event_id was set aside. Addresses lose their query, which may name a person.
with

events as (
    select * from {{ ref('base_web__events') }} where event_id is not null
),

events_set_aside as (
    select * from {{ ref('base_web__events_set_aside') }}
),

event_names as (
    select event_name, standard_name, journey_stage, is_interaction
    from {{ ref('ref_event_names') }}
),

{% set columns %}
        event_id,
        anonymous_id,
        customer_id,
        product_id,
        order_id,
        event_name,
        page_url,
        page_type,
        device,
        browser,
        country,
        referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        is_bot,
        quantity,
        value,
        page_load_ms,
        engaged_ms,
        event_at,
        received_at
{% endset %}

events_kept as (
    select {{ columns }}
    from events
    where
        not exists (
            select 1 from events_set_aside where events_set_aside.event_id = events.event_id
        )
    union all
    select {{ columns }}
    from events_set_aside
    where verdict = 'kept'
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
        coalesce(events_kept.page_type, 'other') as page_type,
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

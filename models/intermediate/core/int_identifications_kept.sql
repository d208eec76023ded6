-- Grain: one row per anonymous_id, UTC day and instant at which the customer on it became known or
-- another one.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='identification_id',
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')],
    meta={'touches': {'anonymous_id': 'anonymous_id'}, 'days': 'utc_date'}
) }}
with

events as (
    select anonymous_id, customer_id, event_id, event_at
    from {{ ref('stg_web__events') }}
    where customer_id is not null and not is_bot and {{ in_touched_days('event_at') }}
),

-- Where two customers are identified at the same instant, the greater event_id counts as the later.
identifications as (
    select
        anonymous_id,
        cast(event_at as date) as utc_date,
        event_at as identified_at,
        {{ last_by('customer_id', ['event_id']) }} as customer_id
    from events
    group by anonymous_id, event_at
),

identifications_compared as (
    select
        *,
        lag(customer_id) over (partition by anonymous_id, utc_date order by identified_at)
            as previous_customer_id
    from identifications
),

identifications_kept as (
    select
        md5(anonymous_id || '|' || cast(identified_at as string)) as identification_id,
        anonymous_id,
        customer_id,
        utc_date,
        identified_at
    from identifications_compared
    where previous_customer_id is null or previous_customer_id <> customer_id
)

select * from identifications_kept

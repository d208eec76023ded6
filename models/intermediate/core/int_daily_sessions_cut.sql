-- Grain: one row per session and UTC day in which it has events; int_sessions_cut joins the days.
-- A day is cut by itself, so that it can be built again from its own events alone.
-- Two events of one device in one bucket as long as the gap are always less than the gap apart, so
-- a bucket is never cut: events are aggregated by bucket, without a sort. Most sessions are one
-- bucket and pass through; of the others the buckets are numbered. Bots are left out.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='session_part_id',
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')],
    meta={'touches': {'anonymous_id': 'anonymous_id'}, 'days': 'utc_date', 'slices': 'utc_date'}
) }}
with

events as (
    select
        anonymous_id,
        event_id,
        order_id,
        event_name,
        journey_stage,
        is_interaction,
        page_path,
        page_type,
        device,
        browser,
        country,
        referrer_host,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        page_load_ms,
        engaged_ms,
        event_at
    from {{ ref('stg_web__events') }}
    where not is_bot and {{ in_touched_days('event_at') }}
),

{% set first_event = [
    'device', 'browser', 'country', 'referrer_host', 'utm_source', 'utm_medium', 'utm_campaign',
    'utm_content'
] %}
{% set page = ['page_path', 'page_type', 'page_load_ms'] %}
{% set stage_times = [
    'interest_event_at', 'consideration_at', 'intent_at', 'add_to_cart_at', 'begin_checkout_at',
    'add_shipping_info_at', 'add_payment_info_at', 'purchase_event_at'
] %}
{% set counts = [
    'event_count', 'page_view_count', 'interaction_count', 'product_view_count',
    'add_to_cart_count', 'page_load_count', 'page_load_ms', 'engaged_ms'
] %}

buckets as (
    select
        anonymous_id,
        cast(event_at as date) as utc_date,
        {{ time_bucket_number('event_at', var('session_gap_minutes')) }} as bucket,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        {{ first_by(packed(first_event), ['event_at', 'event_id']) }} as first_event,
        -- A tracker's own first event (session_start) may come without a page.
        {{ first_by(packed(page), ['event_at', 'event_id']) }}
        filter (where page_path is not null) as landing_page,
        {{ last_by(packed(page), ['event_at', 'event_id']) }}
        filter (where page_path is not null) as exit_page,
        count(*) as event_count,
        count(*) filter (where event_name = 'page_view') as page_view_count,
        count(*) filter (where is_interaction) as interaction_count,
        count(*) filter (where event_name = 'product_view') as product_view_count,
        count(*) filter (where event_name = 'add_to_cart') as add_to_cart_count,
        count(page_load_ms) as page_load_count,
        cast(coalesce(sum(page_load_ms), 0) as bigint) as page_load_ms,
        cast(coalesce(sum(engaged_ms), 0) as bigint) as engaged_ms,
        max(page_load_ms) as slowest_page_load_ms,
        min(event_at) filter (where journey_stage = 'interest' or page_type = 'blog')
            as interest_event_at,
        min(event_at) filter (where journey_stage = 'consideration' or page_type = 'product')
            as consideration_at,
        min(event_at) filter (where journey_stage = 'intent') as intent_at,
        min(event_at) filter (where event_name = 'add_to_cart') as add_to_cart_at,
        min(event_at) filter (where event_name = 'begin_checkout') as begin_checkout_at,
        min(event_at) filter (where event_name = 'add_shipping_info') as add_shipping_info_at,
        min(event_at) filter (where event_name = 'add_payment_info') as add_payment_info_at,
        min(event_at) filter (where journey_stage = 'purchase') as purchase_event_at
    from events
    group by anonymous_id, utc_date, bucket
),

bucket_bounds as (
    select anonymous_id, utc_date, bucket, started_at, ended_at from buckets
),

{% set gap = var('session_gap_minutes') * 60000000 %}
{% set beside = 'buckets.anonymous_id = {0}.anonymous_id and buckets.utc_date = {0}.utc_date' %}

-- Only the bucket right before or after can be less than the gap away.
buckets_bounded as (
    select
        buckets.*,
        coalesce(
            {{ microseconds_between('previous_bounds.ended_at', 'buckets.started_at') }}
            >= {{ gap }}, true
        ) as is_session_start,
        coalesce(
            {{ microseconds_between('buckets.ended_at', 'next_bounds.started_at') }}
            >= {{ gap }}, true
        ) as is_session_end
    from buckets
    left join bucket_bounds as previous_bounds
        on {{ beside.format('previous_bounds') }} and buckets.bucket = previous_bounds.bucket + 1
    left join bucket_bounds as next_bounds
        on {{ beside.format('next_bounds') }} and buckets.bucket = next_bounds.bucket - 1
),

-- Only the parts of longer sessions are numbered.
parts_numbered as (
    select
        *,
        sum(case when is_session_start then 1 else 0 end) over (
            partition by anonymous_id, utc_date order by bucket rows unbounded preceding
        ) as session_number
    from buckets_bounded
    where not (is_session_start and is_session_end)
),

session_parts as (
    select
        anonymous_id,
        utc_date,
        started_at,
        ended_at,
        first_event,
        landing_page,
        exit_page,
        {{ (counts + stage_times) | join(',\n        ') }},
        slowest_page_load_ms
    from buckets_bounded
    where is_session_start and is_session_end
    union all
    select
        anonymous_id,
        utc_date,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        {{ first_by('first_event', ['started_at']) }} as first_event,
        {{ first_by('landing_page', ['started_at']) }} as landing_page,
        {{ last_by('exit_page', ['started_at']) }} as exit_page,
        {% for column in counts %}
        cast(sum({{ column }}) as bigint) as {{ column }},
        {% endfor %}
        {% for column in stage_times %}
        min({{ column }}) as {{ column }},
        {% endfor %}
        max(slowest_page_load_ms) as slowest_page_load_ms
    from parts_numbered
    group by anonymous_id, utc_date, session_number
),

session_parts_identified as (
    select
        md5(anonymous_id || '|' || cast(started_at as string)) as session_part_id,
        *
    from session_parts
)

select * from session_parts_identified

-- Grain: one row per journey: a visitor's sessions up to one that converted, or up to the last one
-- before journey_loss_days without another.
-- A journey that did not convert is lost once those days are over (is_mature), and stays so: who
-- comes back later begins another one.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='journey_id',
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    meta={'touches': {'month_start_date': 'month_start_date'}, 'slices': 'visitor_id'},
    pre_hook="{{ judge_by_time('is_mature', 'closes_at', 'month_start_date') }}"
) }}
{% set days_open = "interval '" ~ var('journey_loss_days') ~ "' day" %}
{% set in_touched = 'visitor_id in ' ~ touched('visitor_id') %}
{% set visitors = in_touched if is_incremental() else in_slice_of_keys('visitor_id') %}
with

sessions as (
    select
        session_id,
        visitor_id,
        visitor_session_number,
        channel,
        {{ furthest_stage() }} as session_stage,
        is_converted,
        net_amount,
        session_date,
        started_at
    from {{ ref('fct_sessions') }}
    where {{ visitors }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

sessions_compared as (
    select
        *,
        lag(channel) over visitor as previous_channel,
        lag(session_stage) over visitor as previous_stage,
        lag(is_converted) over visitor as is_after_conversion,
        lag(started_at) over visitor as previous_started_at
    from sessions
    window visitor as (partition by visitor_id order by visitor_session_number)
),

sessions_begun as (
    select
        *,
        previous_started_at is null
        or is_after_conversion
        or started_at > previous_started_at + {{ days_open }} as is_journey_start
    from sessions_compared
),

sessions_numbered as (
    select
        *,
        is_journey_start or channel <> previous_channel as is_channel_step,
        is_journey_start or session_stage <> previous_stage as is_stage_step,
        sum(case when is_journey_start then 1 else 0 end) over (
            partition by visitor_id order by visitor_session_number rows unbounded preceding
        ) as journey_number
    from sessions_begun
),

{% set length = var('journey_path_length') %}

journeys as (
    select
        {{ last_by('session_id', ['visitor_session_number']) }} as journey_id,
        visitor_id,
        bool_or(is_converted) as is_converted,
        {{ path_of('channel', 'visitor_session_number', 'is_channel_step', length) }}
            as channel_path,
        {{ path_of('session_stage', 'visitor_session_number', 'is_stage_step', length) }}
            as stage_path,
        count(*) as session_count,
        sum(net_amount) as net_amount,
        max(session_date) as last_session_date,
        min(started_at) as started_at,
        max(started_at) as last_session_at
    from sessions_numbered
    group by visitor_id, journey_number
),

journeys_closed as (
    select
        *,
        case when is_converted then last_session_at else last_session_at + {{ days_open }} end
            as closes_at
    from journeys
),

journeys_traced as (
    select
        journeys_closed.journey_id,
        journeys_closed.visitor_id,
        case when journeys_closed.is_converted then 'purchase' else 'loss' end as outcome,
        journeys_closed.closes_at < as_of.known_until_at as is_mature,
        journeys_closed.channel_path,
        journeys_closed.stage_path,
        journeys_closed.session_count,
        cast(round(
            {{ microseconds_between('started_at', 'last_session_at') }} / 1000000e0
        ) as bigint) as duration_seconds,
        cast(journeys_closed.net_amount as decimal(18, 2)) as net_amount,
        cast(date_trunc('month', journeys_closed.last_session_date) as date) as month_start_date,
        journeys_closed.started_at,
        journeys_closed.last_session_at,
        journeys_closed.closes_at
    from journeys_closed
    cross join as_of
)

select * from journeys_traced

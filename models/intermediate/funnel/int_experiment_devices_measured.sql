-- Grain: one row per experiment, variant and device (anonymous_id) exposed to it; the first
-- exposure counts.
-- Outcomes are those of the sessions from the exposure's own on, begun within the window of
-- experiment_outcome_days after it: alike for every device, however long the experiment goes on.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key=['experiment_id', 'variant', 'anonymous_id'],
    incremental_predicates=['anonymous_id in ' ~ touched('measured_anonymous_id')],
    pre_hook="{{ note_devices_to_measure() }}"
) }}
{% set devices = touched('measured_anonymous_id') %}
{% set is_touched = ('in ' ~ devices) if is_incremental() else 'is not null' %}
with

exposures as (
    select experiment_id, variant, anonymous_id, is_control, exposed_at
    from {{ ref('int_exposures_kept') }}
    where anonymous_id {{ is_touched }}
),

sessions as (
    select
        session_id,
        anonymous_id,
        is_bounced,
        net_amount,
        started_at,
        ended_at,
        intent_at,
        purchase_at
    from {{ ref('fct_sessions') }}
    where anonymous_id {{ is_touched }}
),

orders as (
    select session_id from {{ ref('fct_orders') }} where is_revenue and session_id is not null
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

session_orders as (
    select
        session_id,
        count(*) as order_count
    from orders
    group by session_id
),

devices as (
    select
        experiment_id,
        variant,
        anonymous_id,
        bool_or(is_control) as is_control,
        min(exposed_at) as exposed_at,
        min(exposed_at) + interval '{{ var("experiment_outcome_days") }}' day as outcomes_until_at
    from exposures
    group by experiment_id, variant, anonymous_id
),

sessions_after_exposure as (
    select
        devices.experiment_id,
        devices.variant,
        devices.anonymous_id,
        sessions.session_id,
        sessions.started_at,
        sessions.is_bounced,
        sessions.intent_at is not null as has_intent,
        -- What was bought before, in the session of the exposure, is no outcome of it.
        coalesce(sessions.purchase_at >= devices.exposed_at, false) as has_order,
        sessions.net_amount,
        coalesce(session_orders.order_count, 0) as order_count
    from devices
    inner join sessions
        on devices.anonymous_id = sessions.anonymous_id
        and devices.exposed_at
        < sessions.ended_at + interval '{{ var("session_gap_minutes") }}' minute
        and devices.outcomes_until_at > sessions.started_at
    left join session_orders on sessions.session_id = session_orders.session_id
),

outcomes as (
    select
        experiment_id,
        variant,
        anonymous_id,
        {{ first_by('is_bounced', ['started_at', 'session_id']) }} as is_bounced,
        -- A cart that the visitor brought along may be lost or sold like any other.
        bool_or(has_intent or has_order) as has_cart,
        bool_or(has_order) as has_order,
        coalesce(sum(order_count) filter (where has_order), 0) as order_count,
        coalesce(sum(net_amount) filter (where has_order), 0) as net_amount
    from sessions_after_exposure
    group by experiment_id, variant, anonymous_id
),

devices_measured as (
    select
        devices.experiment_id,
        devices.variant,
        devices.anonymous_id,
        devices.is_control,
        devices.exposed_at,
        case
            when
                count(*) over (partition by devices.experiment_id, devices.anonymous_id) > 1
                then 'crossed'
            when devices.outcomes_until_at > as_of.known_until_at then 'immature'
            when outcomes.anonymous_id is null then 'untracked'
        end as left_out_reason,
        outcomes.is_bounced,
        outcomes.has_cart,
        outcomes.has_order,
        cast(outcomes.order_count as bigint) as order_count,
        cast(outcomes.net_amount as decimal(18, 2)) as net_amount,
        devices.outcomes_until_at
    from devices
    cross join as_of
    left join outcomes
        on devices.experiment_id = outcomes.experiment_id
        and devices.variant = outcomes.variant
        and devices.anonymous_id = outcomes.anonymous_id
),

devices_complete as (
    select
        *,
        left_out_reason is null as is_measured
    from devices_measured
)

select * from devices_complete

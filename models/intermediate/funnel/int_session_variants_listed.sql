-- Grain: one row per session of a browser that was exposed to an experiment by the session's end.
-- All exposures are compared at every refresh, since a shop may bring them later than the events.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='session_id',
    meta={'touches': {'visitor_id': 'visitor_id'}}
) }}
with

exposures as (
    select experiment_id, anonymous_id, variant, exposed_at from {{ ref('stg_web__experiments') }}
),

sessions as (
    select session_id, visitor_id, anonymous_id, ended_at from {{ ref('fct_sessions') }}
),

session_variants_listed as (
    select
        sessions.session_id,
        sessions.visitor_id,
        {{ joined_texts("exposures.experiment_id || '=' || exposures.variant", ', ') }}
            as experiment_variant
    from exposures
    inner join sessions
        on exposures.anonymous_id = sessions.anonymous_id
        and exposures.exposed_at <= sessions.ended_at
    group by sessions.session_id, sessions.visitor_id
)

select * from session_variants_listed

-- Grain: one row per session of a browser that was exposed to an experiment by the session's end.
-- Made again for visitors whose sessions are touched, and for browsers whose exposures are.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='session_id',
    incremental_predicates=[
        '(visitor_id in ' ~ touched('visitor_id')
        ~ ' or anonymous_id in ' ~ touched('exposed_anonymous_id') ~ ')'
    ],
    meta={'touches': {'visitor_id': 'visitor_id'}}
) }}
with

exposures as (
    select experiment_id, anonymous_id, variant, exposed_at from {{ ref('int_exposures_kept') }}
),

sessions as (
    select session_id, visitor_id, anonymous_id, ended_at
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where
        visitor_id in {{ touched('visitor_id') }}
        or anonymous_id in {{ touched('exposed_anonymous_id') }}
    {%- endif %}
),

session_variants_listed as (
    select
        sessions.session_id,
        sessions.visitor_id,
        sessions.anonymous_id,
        {{ joined_texts("exposures.experiment_id || '=' || exposures.variant", ', ') }}
            as experiment_variant
    from exposures
    inner join sessions
        on exposures.anonymous_id = sessions.anonymous_id
        and exposures.exposed_at <= sessions.ended_at
    group by sessions.session_id, sessions.visitor_id, sessions.anonymous_id
)

select * from session_variants_listed

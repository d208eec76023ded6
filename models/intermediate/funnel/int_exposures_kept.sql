-- Grain: one row per exposure of a browser to a variant of an experiment.
-- All of them are compared at every refresh, since a shop may bring them later than the events;
-- browsers whose exposures differ from before are touched.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key=['experiment_id', 'variant', 'anonymous_id', 'exposed_at'],
    meta={'touches': {'exposed_anonymous_id': 'anonymous_id'}}
) }}
with

exposures_kept as (
    select experiment_id, variant, anonymous_id, is_control, exposed_at
    from {{ ref('stg_web__experiments') }}
)

select * from exposures_kept

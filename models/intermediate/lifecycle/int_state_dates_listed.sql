-- Grain: one row per day that purchase models are fitted for: an as_of_date, or its cut-off.
-- A cut-off lies holdout_days before an as_of_date: what the models of that day foretell is judged
-- by what came until then. A day may be both. Days whose facts changed are touched.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='state_date',
    meta={'touches': {'state_date': 'state_date'}}
) }}
with

as_of_dates as (
    select as_of_date, fingerprint from {{ ref('int_as_of_dates_fingerprinted') }}
),

states as (
    select
        as_of_date as state_date,
        true as is_as_of_date,
        false as is_cut_off,
        fingerprint,
        cast(null as string) as outcome_fingerprint
    from as_of_dates
    union all
    select
        as_of_date - {{ var('holdout_days') }} as state_date,
        false as is_as_of_date,
        true as is_cut_off,
        null as fingerprint,
        -- The facts of a cut-off are among those of its as_of_date.
        fingerprint as outcome_fingerprint
    from as_of_dates
),

state_dates as (
    select
        state_date,
        max(is_as_of_date) as is_as_of_date,
        max(is_cut_off) as is_cut_off,
        max(fingerprint) as fingerprint,
        max(outcome_fingerprint) as outcome_fingerprint
    from states
    group by state_date
)

select * from state_dates

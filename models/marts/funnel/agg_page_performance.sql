-- Grain: one row per day, page path, page type and load-time band of the page.
-- Counts add up over any of these; a rate at any grain is sum / sum. A view counts on its own day,
-- a session and both its ends on the day it began: over midnight they part.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['session_date in ' ~ touched('session_date', 'date')],
    on_schema_change='fail'
) }}
{% set dates = touched('session_date', 'date') %}
{% set is_touched = ('in ' ~ dates) if is_incremental() else 'is not null' %}
with

sessions as (
    select
        session_date,
        landing_page_path,
        landing_page_type,
        landing_page_load_ms,
        exit_page_path,
        exit_page_type,
        exit_page_load_ms,
        is_bounced,
        is_converted
    from {{ ref('fct_sessions') }}
    where landing_page_path is not null and session_date {{ is_touched }}
),

views as (
    select
        page_date as session_date,
        page_path,
        page_type,
        load_time_band,
        page_view_count
    from {{ ref('int_page_views_counted') }}
    where page_date {{ is_touched }}
),

load_times as (
    select page_load_ms, load_time_band from {{ ref('int_page_load_times_banded') }}
),

bands as (
    select load_time_band, load_time_band_name, load_time_band_name_fr, from_ms
    from {{ ref('ref_load_time_bands') }}
),

slowest as (
    select max(page_load_ms) as page_load_ms from load_times
),

ends_of_sessions as (
    select
        session_date,
        landing_page_path as page_path,
        landing_page_type as page_type,
        landing_page_load_ms as page_load_ms,
        true as is_landing,
        is_bounced,
        is_converted
    from sessions
    union all
    select
        session_date,
        exit_page_path as page_path,
        exit_page_type as page_type,
        exit_page_load_ms as page_load_ms,
        false as is_landing,
        is_bounced,
        is_converted
    from sessions
),

ends_limited as (
    select
        ends_of_sessions.session_date,
        ends_of_sessions.page_path,
        ends_of_sessions.page_type,
        case
            when ends_of_sessions.page_load_ms > slowest.page_load_ms then slowest.page_load_ms
            else ends_of_sessions.page_load_ms
        end as page_load_ms,
        ends_of_sessions.is_landing,
        ends_of_sessions.is_bounced,
        ends_of_sessions.is_converted
    from ends_of_sessions
    cross join slowest
),

counts as (
    select
        ends_limited.session_date,
        ends_limited.page_path,
        ends_limited.page_type,
        load_times.load_time_band,
        count(*) filter (where ends_limited.is_landing) as landing_session_count,
        count(*) filter (where ends_limited.is_landing and ends_limited.is_bounced)
            as bounced_session_count,
        count(*) filter (where ends_limited.is_landing and ends_limited.is_converted)
            as converted_session_count,
        count(*) filter (where not ends_limited.is_landing) as exit_session_count,
        0 as page_view_count
    from ends_limited
    left join load_times on ends_limited.page_load_ms = load_times.page_load_ms
    group by
        ends_limited.session_date,
        ends_limited.page_path,
        ends_limited.page_type,
        load_times.load_time_band
    union all
    select
        session_date,
        page_path,
        page_type,
        load_time_band,
        0 as landing_session_count,
        0 as bounced_session_count,
        0 as converted_session_count,
        0 as exit_session_count,
        page_view_count
    from views
),

pages as (
    select
        session_date,
        page_path,
        page_type,
        load_time_band,
        cast(sum(landing_session_count) as bigint) as landing_session_count,
        cast(sum(bounced_session_count) as bigint) as bounced_session_count,
        cast(sum(converted_session_count) as bigint) as converted_session_count,
        cast(sum(exit_session_count) as bigint) as exit_session_count,
        cast(sum(page_view_count) as bigint) as page_view_count
    from counts
    group by session_date, page_path, page_type, load_time_band
),

pages_rated as (
    select
        pages.session_date,
        pages.page_path,
        pages.page_type,
        pages.load_time_band,
        bands.load_time_band_name,
        bands.load_time_band_name_fr,
        bands.from_ms as load_time_from_ms,
        pages.landing_session_count,
        pages.bounced_session_count,
        pages.converted_session_count,
        pages.exit_session_count,
        pages.page_view_count,
        pages.bounced_session_count / nullif(pages.landing_session_count, 0) as bounce_rate,
        case
            when pages.exit_session_count <= pages.page_view_count
                then pages.exit_session_count / nullif(pages.page_view_count, 0)
        end as exit_rate,
        pages.converted_session_count / nullif(pages.landing_session_count, 0) as conversion_rate
    from pages
    left join bands on pages.load_time_band = bands.load_time_band
)

select * from pages_rated

-- Grain: one row per UTC day, day in the reporting time zone, page path and type, load-time band.
-- A view is an event that names a page and is a page view or has a load time: where a product
-- page is told by product_view alone, that is its view; beside a page_view it has no load time.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='page_views_key',
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')],
    meta={'touches': {'session_date': 'page_date'}, 'days': 'utc_date'}
) }}
with

events as (
    select page_path, page_type, page_load_ms, event_at
    from {{ ref('stg_web__events') }}
    where
        not is_bot
        and page_path is not null
        and (event_name = 'page_view' or page_load_ms is not null)
        and {{ in_touched_days('event_at') }}
),

load_times as (
    select page_load_ms, load_time_band from {{ ref('int_page_load_times_banded') }}
),

dates as (
    select calendar_date from {{ ref('dim_dates') }}
),

slowest as (
    select max(page_load_ms) as page_load_ms from load_times
),

-- A day of the calendar may begin on the UTC day before it, and end on the one after.
bounds as (
    select
        min(calendar_date) - 1 as from_date,
        max(calendar_date) + 2 as to_date
    from dates
),

utc_days as (
    {{ days_between('bounds', 'from_date', 'to_date') }}
),

parts_of_a_day as (
    {{ numbers_up_to('bounds', '95') }}
),

-- Clocks change at quarters of an hour. To tell the zone's day of every event by itself would cost
-- more than all the rest.
quarter_hours as (
    select
        utc_days.calendar_date as utc_date,
        cast(utc_days.calendar_date as timestamp) + parts_of_a_day.number * interval '15' minute
            as quarter_hour_at
    from utc_days
    cross join parts_of_a_day
),

quarter_hours_dated as (
    select
        utc_date,
        {{ reporting_date('quarter_hour_at') }} as page_date,
        {{ time_bucket_number('quarter_hour_at', 15) }} as quarter_hour
    from quarter_hours
),

views as (
    select
        quarter_hours_dated.utc_date,
        quarter_hours_dated.page_date,
        events.page_path,
        events.page_type,
        case
            when events.page_load_ms > slowest.page_load_ms then slowest.page_load_ms
            else events.page_load_ms
        end as page_load_ms
    from events
    cross join slowest
    inner join quarter_hours_dated
        on {{ time_bucket_number('events.event_at', 15) }} = quarter_hours_dated.quarter_hour
),

views_counted as (
    select
        views.utc_date,
        views.page_date,
        views.page_path,
        views.page_type,
        load_times.load_time_band,
        count(*) as page_view_count
    from views
    left join load_times on views.page_load_ms = load_times.page_load_ms
    group by
        views.utc_date,
        views.page_date,
        views.page_path,
        views.page_type,
        load_times.load_time_band
),

views_keyed as (
    select
        md5(concat_ws(
            '|',
            cast(utc_date as string),
            cast(page_date as string),
            coalesce(load_time_band, chr(0)),
            coalesce(page_type, chr(0)),
            page_path
        )) as page_views_key,
        *
    from views_counted
)

select * from views_keyed

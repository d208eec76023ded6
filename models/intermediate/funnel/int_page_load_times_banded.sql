-- Grain: one row per load time in whole milliseconds, up to the beginning of the slowest band.
-- Millions of pages find their band by an equal number, much faster than between two; a longer
-- load time is looked up as the longest one here.
with

bands as (
    select load_time_band, from_ms, to_ms from {{ ref('ref_load_time_bands') }}
),

slowest_band as (
    select max(from_ms) as from_ms from bands
),

load_times as (
    {{ numbers_up_to('slowest_band', 'from_ms') }}
),

load_times_banded as (
    select
        load_times.number as page_load_ms,
        bands.load_time_band
    from load_times
    inner join bands
        on load_times.number >= bands.from_ms
        and load_times.number < bands.to_ms
)

select * from load_times_banded

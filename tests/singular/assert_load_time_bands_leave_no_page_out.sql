-- Without this a band that is moved in ref_load_time_bands could leave a gap, and slow pages would
-- count as pages that nobody measured.
with

bands as (
    select load_time_band, from_ms, to_ms from {{ ref('ref_load_time_bands') }}
),

bands_compared as (
    select
        load_time_band,
        from_ms,
        to_ms,
        lag(to_ms, 1, 0) over (order by from_ms) as previous_to_ms,
        lead(from_ms, 1, 86400001) over (order by from_ms) as next_from_ms
    from bands
)

select *
from bands_compared
where from_ms <> previous_to_ms or to_ms <> next_from_ms or from_ms >= to_ms

-- Without this a segment could lose a pair of scores, and customers with it be in no segment, or a
-- segment be named that nobody can be in.
with

pairs as (
    select recency_score, fm_score, segment from {{ ref('ref_rfm_segments') }}
),

names as (
    select segment from {{ ref('ref_rfm_segment_names') }}
),

faults as (
    select 'not every pair of scores has one row' as fault
    from pairs
    having
        count(*) <> 25
        or min(least(recency_score, fm_score)) <> 1
        or max(greatest(recency_score, fm_score)) <> 5
    union all
    select 'nobody can be in ' || names.segment as fault
    from names
    left join pairs on names.segment = pairs.segment
    where pairs.segment is null and names.segment <> 'prospects'
    union all
    select 'prospects have no scores' as fault
    from pairs
    where segment = 'prospects'
)

select fault from faults

-- Without this a ratio between two ratings, or above the last, would have none, or two.
with

ratings as (
    select from_ratio, to_ratio from {{ ref('ref_ltv_cac_ratings') }}
),

ratings_in_order as (
    select
        from_ratio,
        to_ratio,
        lag(to_ratio) over (order by coalesce(from_ratio, -1e300)) as previous_to_ratio,
        row_number() over (order by coalesce(from_ratio, -1e300)) as rating_number,
        count(*) over () as rating_count
    from ratings
)

select * from ratings_in_order
where
    (rating_number = 1 and from_ratio is not null)
    or (rating_number > 1 and from_ratio is distinct from previous_to_ratio)
    or (rating_number = rating_count) <> (to_ratio is null)
    or from_ratio >= to_ratio

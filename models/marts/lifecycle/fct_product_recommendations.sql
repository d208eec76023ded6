-- Grain: one row per customer and rank, from 1 to recommendation_count, as of as_of_date.
-- docs/decisions/0019-affinities-and-recommendations.md says how products are scored.
with

recommendations as (
    select * from {{ ref('int_recommendations_ranked') }} where is_latest
),

product_recommendations as (
    select
        customer_id,
        recommendation_rank,
        product_id,
        reason,
        source_product_id,
        is_replenished,
        least(greatest(score, 0e0), 1e0) as expected_order_share,
        as_of_date
    from recommendations
)

select * from product_recommendations

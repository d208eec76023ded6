-- Grain: one row per product review.
with

reviews as (
    select * from {{ ref('base_crm__reviews') }} where verdict = 'kept'
),

reviews_known as (
    select
        review_id,
        product_id,
        customer_id,
        order_id,
        rating,
        reviewed_at
    from reviews
    where {{ is_known('reviewed_at') }}
)

select * from reviews_known

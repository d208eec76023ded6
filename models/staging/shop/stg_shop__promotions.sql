-- Grain: one row per promotion, known by the code that customers enter.
with

promotions as (
    select * from {{ ref('base_shop__promotions') }} where verdict = 'kept'
),

promotions_named as (
    select
        promo_code,
        kind,
        campaign,
        value as promotion_value,
        starts_at,
        ends_at
    from promotions
)

select * from promotions_named

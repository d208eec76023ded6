-- Grain: one row per basis (orders, sessions) and pair of products that enough baskets have.
-- A pair is there once, product_a before product_b. Baskets are the orders of the last
-- affinity_order_days and the sessions of the last affinity_session_days.
with

affinities as (
    select * from {{ ref('int_product_affinities_tested') }} where is_latest
),

product_affinities as (
    select
        basis,
        product_a as product_a_id,
        product_b as product_b_id,
        pair_count,
        product_a_count,
        product_b_count,
        basket_count,
        comparable_basket_count,
        support_share,
        confidence_a_to_b_share,
        confidence_b_to_a_share,
        lift,
        adjusted_lift,
        p_value,
        adjusted_p_value,
        coalesce(adjusted_p_value <= {{ var('affinity_false_discovery_rate') }}, false)
            as is_significant,
        as_of_date
    from affinities
)

select * from product_affinities

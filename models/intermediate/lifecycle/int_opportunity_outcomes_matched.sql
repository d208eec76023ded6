-- Grain: one row per opportunity of int_opportunities_detected, with what became of it.
-- Converted by the first outcome of its kind from detected_at on until it expires. converted_at
-- says what is known by now; a rate is of those that are mature.
with

opportunities as (
    select * from {{ ref('int_opportunities_detected') }}
),

kinds as (
    select kind, expiry_days, outcome from {{ ref('ref_opportunity_kinds') }}
),

orders as (
    select order_id, customer_id, ordered_at
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

referrals as (
    select referrer_customer_id as customer_id, invited_at from {{ ref('stg_crm__referrals') }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

opportunities_timed as (
    select
        opportunities.*,
        kinds.outcome,
        kinds.expiry_days,
        opportunities.detected_at + kinds.expiry_days * interval '1' day as expires_at
    from opportunities
    inner join kinds on opportunities.kind = kinds.kind
),

outcomes as (
    select
        customer_id,
        'order' as outcome,
        '' as product_key,
        ordered_at as happened_at
    from orders
    union all
    select
        orders.customer_id,
        'product_order' as outcome,
        lines.product_id as product_key,
        orders.ordered_at as happened_at
    from orders
    inner join lines on orders.order_id = lines.order_id
    union all
    select
        customer_id,
        'referral' as outcome,
        '' as product_key,
        invited_at as happened_at
    from referrals
),

conversions as (
    select
        opportunities_timed.customer_id,
        opportunities_timed.kind,
        opportunities_timed.detected_at,
        min(outcomes.happened_at) as converted_at
    from opportunities_timed
    inner join outcomes
        on opportunities_timed.customer_id = outcomes.customer_id
        and opportunities_timed.outcome = outcomes.outcome
        and outcomes.product_key = case opportunities_timed.outcome
            when 'product_order' then opportunities_timed.product_id else ''
        end
        and opportunities_timed.detected_at <= outcomes.happened_at
        and opportunities_timed.expires_at > outcomes.happened_at
    group by
        opportunities_timed.customer_id,
        opportunities_timed.kind,
        opportunities_timed.detected_at
),

outcomes_matched as (
    select
        opportunities_timed.*,
        conversions.converted_at,
        opportunities_timed.expires_at <= as_of.known_until_at as is_mature
    from opportunities_timed
    cross join as_of
    left join conversions
        on opportunities_timed.customer_id = conversions.customer_id
        and opportunities_timed.kind = conversions.kind
        and opportunities_timed.detected_at = conversions.detected_at
)

select * from outcomes_matched

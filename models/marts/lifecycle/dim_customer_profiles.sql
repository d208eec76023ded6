-- Grain: one row per customer of dim_customers, with all that as_of_date knows of them.
-- NULL is unknown or nothing to tell of; a count of nothing is 0.
with

customers as (
    select * from {{ ref('dim_customers') }}
),

customer_orders as (
    select * from {{ ref('int_customer_orders_summed') }}
),

purchase_days as (
    select customer_id, order_date, next_order_date, mean_gap_days, expected_gap_days
    from {{ ref('int_purchase_days_spaced') }}
),

visits as (
    select * from {{ ref('int_customer_visits_summed') }}
),

voices as (
    select * from {{ ref('int_customer_voices_summed') }}
),

customer_states as (
    select customer_id, state, valid_from_date
    from {{ ref('fct_customer_states') }}
    where is_current
),

customer_rfm as (
    select customer_id, segment, recency_score, frequency_score, monetary_score, fm_score
    from {{ ref('fct_customer_rfm') }}
    where is_latest
),

customer_clv as (
    select
        customer_id,
        historic_margin_amount,
        formula_clv_amount,
        predicted_clv_amount_90d,
        predicted_clv_amount_365d,
        spend_tier
    from {{ ref('fct_customer_clv') }}
    where is_latest
),

customer_churn as (
    select
        customer_id,
        churn_probability,
        churn_risk,
        expected_next_order_date,
        days_overdue,
        value_at_risk_amount
    from {{ ref('fct_customer_churn') }}
    where is_latest
),

basket_bands as (
    select basket_band, from_units, to_units from {{ ref('ref_basket_bands') }}
),

cadence_bands as (
    select cadence_band, from_days, to_days from {{ ref('ref_cadence_bands') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

last_purchase_days as (
    select * from purchase_days where next_order_date = date '9999-12-31'
),

orders_rated as (
    select
        *,
        {{ amount_per('net_amount', 'revenue_order_count') }} as mean_order_amount,
        cast(unit_count as double) / nullif(revenue_order_count, 0) as units_per_order,
        cast(discount_amount as double) / nullif(gross_amount, 0) as discount_share,
        cast(returned_unit_count as double) / nullif(unit_count, 0) as return_rate
    from customer_orders
),

profiles as (
    select
        customers.customer_id,
        as_of.as_of_date,
        customers.has_account,
        customers.is_buyer,
        customers.has_marketing_consent,
        customers.gender,
        customers.age_band,
        customers.country,
        customers.region,
        customers.language,
        customers.signup_source,
        customers.first_channel,
        visits.last_channel,
        customer_states.state as lifecycle_state,
        customer_states.valid_from_date as lifecycle_state_entered_date,
        customer_rfm.segment as rfm_segment,
        customer_rfm.recency_score,
        customer_rfm.frequency_score,
        customer_rfm.monetary_score,
        customer_rfm.fm_score,
        customer_clv.historic_margin_amount,
        customer_clv.formula_clv_amount,
        customer_clv.predicted_clv_amount_90d,
        customer_clv.predicted_clv_amount_365d,
        customer_clv.spend_tier,
        customer_churn.churn_probability,
        customer_churn.churn_risk,
        customer_churn.expected_next_order_date,
        customer_churn.days_overdue,
        customer_churn.value_at_risk_amount,
        customers.order_count,
        coalesce(orders_rated.revenue_order_count, 0) as revenue_order_count,
        coalesce(orders_rated.unit_count, 0) as unit_count,
        coalesce(orders_rated.returned_unit_count, 0) as returned_unit_count,
        customers.net_amount,
        cast(coalesce(orders_rated.net_amount_after_refunds_by_order_date, 0) as decimal(18, 2))
            as net_amount_after_refunds_by_order_date,
        cast(
            case when orders_rated.customer_id is null then 0 else orders_rated.margin_amount end
            as decimal(18, 2)
        ) as margin_amount,
        orders_rated.mean_order_amount,
        orders_rated.units_per_order,
        basket_bands.basket_band,
        orders_rated.discount_share,
        orders_rated.return_rate,
        orders_rated.favourite_category,
        visits.favourite_device,
        orders_rated.favourite_payment_method,
        {{ reporting_date('customers.first_ordered_at') }} as first_order_date,
        last_purchase_days.order_date as last_order_date,
        cast({{ days_from('last_purchase_days.order_date', 'as_of.as_of_date') }} as bigint)
            as days_since_last_order,
        last_purchase_days.mean_gap_days,
        cadence_bands.cadence_band,
        last_purchase_days.expected_gap_days,
        coalesce(visits.session_count, 0) as session_count,
        coalesce(visits.recent_session_count, 0) as recent_session_count,
        visits.last_session_date,
        voices.last_nps_score,
        voices.last_nps_class,
        voices.last_nps_date,
        coalesce(voices.review_count, 0) as review_count,
        voices.mean_rating,
        coalesce(voices.ticket_count, 0) as ticket_count,
        coalesce(voices.open_ticket_count, 0) as open_ticket_count,
        coalesce(voices.invite_count, 0) as invite_count,
        coalesce(voices.bought_invite_count, 0) as bought_invite_count,
        voices.loyalty_points,
        coalesce(voices.subscription_count, 0) > 0 as is_subscriber,
        cast(
            case when voices.customer_id is null then 0 else voices.mrr_amount end
            as decimal(18, 2)
        ) as mrr_amount,
        customers.created_at
    from customers
    cross join as_of
    left join orders_rated on customers.customer_id = orders_rated.customer_id
    left join basket_bands
        on orders_rated.units_per_order >= basket_bands.from_units
        and orders_rated.units_per_order < basket_bands.to_units
    left join last_purchase_days on customers.customer_id = last_purchase_days.customer_id
    left join cadence_bands
        on last_purchase_days.mean_gap_days >= cadence_bands.from_days
        and last_purchase_days.mean_gap_days < cadence_bands.to_days
    left join visits on customers.customer_id = visits.customer_id
    left join voices on customers.customer_id = voices.customer_id
    left join customer_states on customers.customer_id = customer_states.customer_id
    left join customer_rfm on customers.customer_id = customer_rfm.customer_id
    left join customer_clv on customers.customer_id = customer_clv.customer_id
    left join customer_churn on customers.customer_id = customer_churn.customer_id
)

select * from profiles

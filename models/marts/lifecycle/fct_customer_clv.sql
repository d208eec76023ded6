-- Grain: one row per as_of_date and customer with an order by then.
-- Amounts of several as_of_dates are of the same customers: they do not add up over days.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
with

as_of_dates as (
    select as_of_date, is_latest
    from {{ ref('int_as_of_dates_fingerprinted') }}
    {% if is_incremental() -%} where as_of_date in {{ touched('as_of_date', 'date') }} {%- endif %}
),

purchase_histories as (
    select state_date, customer_id, order_count, age_days, net_amount, margin_amount
    from {{ ref('int_purchase_histories_derived') }}
),

scores as (
    select
        state_date,
        customer_id,
        expected_orders_90d,
        expected_orders_365d,
        discounted_orders_90d,
        discounted_orders_365d,
        expected_purchase_value,
        ineligible_reason
    from {{ ref('int_purchase_histories_scored') }}
),

value_rates as (
    select as_of_date, margin_rate, lifetime_years, cac_amount
    from {{ ref('int_value_rates_derived') }}
),

-- A customer of some weeks is not taken to go on ordering at that rate.
customers as (
    select
        purchase_histories.customer_id,
        as_of_dates.as_of_date,
        as_of_dates.is_latest,
        purchase_histories.order_count,
        purchase_histories.net_amount,
        purchase_histories.margin_amount,
        greatest(purchase_histories.age_days, {{ var('clv_shortest_tenure_days') }}) / 365.25
            as tenure_years,
        value_rates.lifetime_years,
        value_rates.cac_amount,
        value_rates.margin_rate,
        scores.expected_orders_90d,
        scores.expected_orders_365d,
        scores.expected_purchase_value,
        scores.discounted_orders_90d * scores.expected_purchase_value as discounted_net_90d,
        scores.discounted_orders_365d * scores.expected_purchase_value as discounted_net_365d,
        scores.ineligible_reason
    from as_of_dates
    inner join purchase_histories on as_of_dates.as_of_date = purchase_histories.state_date
    left join value_rates on as_of_dates.as_of_date = value_rates.as_of_date
    left join scores
        on purchase_histories.state_date = scores.state_date
        and purchase_histories.customer_id = scores.customer_id
),

customers_valued as (
    select
        *,
        cast(discounted_net_90d as decimal(18, 2)) as predicted_net_amount_90d,
        cast(discounted_net_365d as decimal(18, 2)) as predicted_net_amount_365d,
        cast(discounted_net_90d * margin_rate as decimal(18, 2)) as predicted_clv_amount_90d,
        cast(discounted_net_365d * margin_rate as decimal(18, 2)) as predicted_clv_amount_365d
    from customers
),

customers_ranked as (
    select
        *,
        rank() over (
            partition by as_of_date
            order by predicted_net_amount_365d
        ) - 1 as worse_customer_count,
        count(*) over (partition by as_of_date) as customer_count
    from customers_valued
),

customer_clv as (
    select
        customer_id,
        as_of_date,
        is_latest,
        net_amount as historic_net_amount,
        margin_amount as historic_margin_amount,
        cast(cast(net_amount as double) / order_count as decimal(18, 2)) as average_order_amount,
        order_count,
        tenure_years,
        order_count / tenure_years as orders_per_year,
        lifetime_years,
        cac_amount,
        cast(
            net_amount / tenure_years * lifetime_years - cac_amount as decimal(18, 2)
        ) as formula_clv_amount,
        expected_orders_90d,
        expected_orders_365d,
        cast(expected_purchase_value as decimal(18, 2)) as expected_purchase_amount,
        predicted_net_amount_90d,
        predicted_net_amount_365d,
        margin_rate,
        predicted_clv_amount_90d,
        predicted_clv_amount_365d,
        -- The share of strictly worse ones decides, so that equals are of one tier.
        case
            when predicted_net_amount_365d is null then null
            when
                worse_customer_count
                >= (1 - {{ var('spend_tier_high_share') }}) * customer_count
                then 'high'
            when
                worse_customer_count
                >= (1 - {{ var('spend_tier_high_share') }} - {{ var('spend_tier_medium_share') }})
                * customer_count
                then 'medium'
            else 'low'
        end as spend_tier,
        predicted_clv_amount_365d is not null as is_eligible,
        case
            when predicted_net_amount_365d is null then ineligible_reason
            when margin_rate is null then 'The costs of what was sold are not known.'
        end as ineligible_reason
    from customers_ranked
)

select * from customer_clv

-- Grain: one row per as_of_date and customer with an order by then.
-- Amounts of several as_of_dates are of the same customers: they do not add up over days.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set high, medium = var('spend_tier_high_share'), var('spend_tier_medium_share') %}
{% set tier_shares = {'high': '1 - ' ~ high, 'medium': '1 - ' ~ high ~ ' - ' ~ medium} %}
with

as_of_dates as (
    select as_of_date, is_latest
    from {{ ref('int_as_of_dates_fingerprinted') }}
    {% if is_incremental() -%} where as_of_date in {{ touched('as_of_date', 'date') }} {%- endif %}
),

purchase_histories as (
    select
        state_date,
        customer_id,
        order_count,
        age_days,
        net_amount,
        margin_amount,
        expected_orders_90d,
        expected_orders_365d,
        discounted_orders_90d,
        discounted_orders_365d,
        expected_purchase_value,
        ineligible_reason
    from {{ ref('int_purchase_histories_scored') }}
    where is_as_of_date {% if is_incremental() -%} and is_touched {%- endif %}
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
        greatest(purchase_histories.age_days, {{ var('clv_shortest_tenure_days') }}) / 365.25e0
            as tenure_years,
        value_rates.lifetime_years,
        value_rates.cac_amount,
        value_rates.margin_rate,
        purchase_histories.expected_orders_90d,
        purchase_histories.expected_orders_365d,
        purchase_histories.expected_purchase_value,
        purchase_histories.discounted_orders_90d * purchase_histories.expected_purchase_value
            as discounted_net_90d,
        purchase_histories.discounted_orders_365d * purchase_histories.expected_purchase_value
            as discounted_net_365d,
        purchase_histories.ineligible_reason
    from as_of_dates
    inner join purchase_histories on as_of_dates.as_of_date = purchase_histories.state_date
    left join value_rates on as_of_dates.as_of_date = value_rates.as_of_date
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

-- The highest predictions of those who make up the lower tiers: equals are of one tier.
tiers as (
    select
        {% for tier, share in tier_shares.items() -%}
        {{ highest_of_lowest('predicted_net_amount_365d', share) }} as {{ tier }}_above_amount,
        {% endfor -%}
        as_of_date
    from customers_valued
    group by as_of_date
),

customers_tiered as (
    select
        {% for tier in tier_shares -%}
        tiers.{{ tier }}_above_amount,
        {% endfor -%}
        customers_valued.*
    from customers_valued
    inner join tiers on customers_valued.as_of_date = tiers.as_of_date
),

customer_clv as (
    select
        customer_id,
        as_of_date,
        is_latest,
        net_amount as historic_net_amount,
        margin_amount as historic_margin_amount,
        {{ amount_per('net_amount', 'order_count') }} as average_order_amount,
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
        case
            when predicted_net_amount_365d is null then null
            {% for tier in tier_shares -%}
            when coalesce(predicted_net_amount_365d > {{ tier }}_above_amount, true)
                then '{{ tier }}'
            {% endfor -%}
            else 'low'
        end as spend_tier,
        predicted_clv_amount_365d is not null as is_eligible,
        case
            when predicted_net_amount_365d is null then ineligible_reason
            when margin_rate is null then 'The costs of what was sold are not known.'
        end as ineligible_reason
    from customers_tiered
)

select * from customer_clv

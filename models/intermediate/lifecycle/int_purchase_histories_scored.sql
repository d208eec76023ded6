-- Grain: one row per state_date and customer with an order by then.
-- A view, as int_purchase_histories_derived is: that a customer has one row of it, and whose, is
-- known without a join. macros/purchase_models.sql has the closed forms.
{{ config(materialized='view') }}
with

purchase_histories as (
    select * from {{ ref('int_purchase_histories_derived') }}
),

parameters as (
    select * from {{ ref('int_purchase_parameters_served') }}
),

expectations as (
    select
        state_date,
        repeat_count,
        age_days,
        expected_orders_90d_if_alive,
        expected_orders_365d_if_alive,
        discounted_orders_90d_if_alive,
        discounted_orders_365d_if_alive
    from {{ ref('int_purchase_expectations_tabulated') }}
),

histories_with_odds as (
    select
        purchase_histories.*,
        parameters.gamma_gamma_p * (
            parameters.gamma_gamma_gamma + greatest(purchase_histories.repeat_net_amount, 0)
        ) / (
            parameters.gamma_gamma_p * purchase_histories.repeat_count
            + parameters.gamma_gamma_q - 1
        ) as expected_purchase_value,
        parameters.ineligible_reason,
        {% for model in ['bg_nbd', 'mbg_nbd'] -%}
        {{ log_odds_gone(
            model, 'purchase_histories.repeat_count', 'purchase_histories.recency_days',
            'purchase_histories.age_days', 'parameters'
        ) }} as {{ model }}_log_odds_gone,
        {% endfor -%}
        {{ p_active_if_alive(
            90, 'purchase_histories.repeat_count', 'purchase_histories.age_days', 'parameters'
        ) }} as p_active_90d_if_alive
    from purchase_histories
    left join parameters on purchase_histories.state_date = parameters.state_date
),

histories_alive as (
    select
        *,
        {{ p_alive('bg_nbd_log_odds_gone') }} as bg_nbd_p_alive,
        {{ p_alive('mbg_nbd_log_odds_gone') }} as mbg_nbd_p_alive
    from histories_with_odds
),

purchase_histories_scored as (
    select
        histories_alive.state_date,
        histories_alive.is_as_of_date,
        histories_alive.is_touched,
        histories_alive.customer_id,
        histories_alive.first_order_date,
        histories_alive.last_order_date,
        histories_alive.order_count,
        histories_alive.net_amount,
        histories_alive.margin_amount,
        histories_alive.repeat_count,
        histories_alive.age_days,
        histories_alive.recency_days / 7e0 as recency_weeks,
        histories_alive.age_days / 7e0 as age_weeks,
        histories_alive.mbg_nbd_p_alive as p_alive,
        histories_alive.mbg_nbd_p_alive * histories_alive.p_active_90d_if_alive as p_active_90d,
        {% for column in [
            'expected_orders_90d', 'expected_orders_365d',
            'discounted_orders_90d', 'discounted_orders_365d'
        ] -%}
        histories_alive.bg_nbd_p_alive * expectations.{{ column }}_if_alive as {{ column }},
        {% endfor -%}
        histories_alive.expected_purchase_value,
        histories_alive.ineligible_reason
    from histories_alive
    left join expectations
        on histories_alive.state_date = expectations.state_date
        and histories_alive.repeat_count = expectations.repeat_count
        and histories_alive.age_days = expectations.age_days
)

select * from purchase_histories_scored

-- Grain: one row per state_date and customer with an order by then.
-- The models' closed forms (orchestration/purchase_models.py has the equations), in logarithms:
-- odds of customers with hundreds of purchases do not fit a double. Weeks of 7 days, as the
-- parameters are.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['state_date in ' ~ touched('state_date', 'date')],
    on_schema_change='fail'
) }}
{% set scope = 'in ' ~ touched('state_date', 'date') if is_incremental() else 'is not null' %}
with

purchase_histories as (
    select
        state_date,
        customer_id,
        first_order_date,
        last_order_date,
        order_count,
        repeat_count,
        age_days,
        repeat_net_amount,
        recency_days / 7.0 as recency_weeks,
        age_days / 7.0 as age_weeks
    from {{ ref('int_purchase_histories_derived') }}
    where state_date {{ scope }}
),

fits as (
    select state_date, model, r, alpha, a, b, p, q, gamma, ineligible_reason
    from {{ ref('int_purchase_models_fitted') }}
    where state_date {{ scope }}
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
    where state_date {{ scope }}
),

-- What is not served stays NULL, and so does all that comes from it.
models as (
    select
        state_date,
        {% for model, parameters in [
            ('bg_nbd', ['r', 'alpha', 'a', 'b']),
            ('mbg_nbd', ['r', 'alpha', 'a', 'b']),
            ('gamma_gamma', ['p', 'q', 'gamma'])
        ] -%}
        {% for parameter in parameters -%}
        max({{ parameter }}) filter (
            where model = '{{ model }}' and ineligible_reason is null
        ) as {{ model }}_{{ parameter }},
        {% endfor -%}
        {% endfor -%}
        max(ineligible_reason) filter (where model = 'bg_nbd') as bg_nbd_reason,
        max(ineligible_reason) filter (where model = 'mbg_nbd') as mbg_nbd_reason,
        max(ineligible_reason) filter (where model = 'gamma_gamma') as gamma_gamma_reason
    from fits
    group by state_date
),

-- BG/NBD lets nobody go before a repeat purchase, MBG/NBD after any purchase.
histories_with_odds as (
    select
        purchase_histories.*,
        models.gamma_gamma_p * (
            models.gamma_gamma_gamma + greatest(purchase_histories.repeat_net_amount, 0)
        ) / (
            models.gamma_gamma_p * purchase_histories.repeat_count + models.gamma_gamma_q - 1
        ) as expected_purchase_value,
        coalesce(models.bg_nbd_reason, models.mbg_nbd_reason, models.gamma_gamma_reason)
            as ineligible_reason,
        {% for model, deaths in [('bg_nbd', 'repeat_count'), ('mbg_nbd', 'repeat_count + 1')] -%}
        case
            when purchase_histories.{{ deaths }} > 0
                then
                    ln(models.{{ model }}_a)
                    - ln(models.{{ model }}_b + purchase_histories.{{ deaths }} - 1)
                    + (models.{{ model }}_r + purchase_histories.repeat_count) * ln(
                        (models.{{ model }}_alpha + purchase_histories.age_weeks)
                        / (models.{{ model }}_alpha + purchase_histories.recency_weeks)
                    )
            -- The odds of who cannot be gone are none.
            when models.{{ model }}_r is not null then -700
        end as {{ model }}_log_odds_gone,
        {% endfor -%}
        1 - exp(
            -(models.mbg_nbd_r + purchase_histories.repeat_count)
            * ln(1 + 90 / 7.0 / (models.mbg_nbd_alpha + purchase_histories.age_weeks))
        ) as p_active_90d_if_alive
    from purchase_histories
    left join models on purchase_histories.state_date = models.state_date
),

histories_alive as (
    select
        *,
        -- Beyond 700 an exponential does not fit a double, and its reciprocal is nothing. (Not by
        -- least(): it passes over NULL, and a model that is not served would call all dead.)
        case
            when bg_nbd_log_odds_gone > 700 then 0 else 1 / (1 + exp(bg_nbd_log_odds_gone))
        end as bg_nbd_p_alive,
        case
            when mbg_nbd_log_odds_gone > 700 then 0 else 1 / (1 + exp(mbg_nbd_log_odds_gone))
        end as mbg_nbd_p_alive
    from histories_with_odds
),

purchase_histories_scored as (
    select
        histories_alive.state_date,
        histories_alive.customer_id,
        histories_alive.first_order_date,
        histories_alive.last_order_date,
        histories_alive.order_count,
        histories_alive.repeat_count,
        histories_alive.recency_weeks,
        histories_alive.age_weeks,
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

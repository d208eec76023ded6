-- Grain: one row per customer with an order by then and day that states are kept for.
-- A customer of a shop never says goodbye: all of this is probability, but for churn_state, which
-- is a rule. Amounts and probabilities of one day do not add up with those of another.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set touched_days = 'in ' ~ touched('as_of_date', 'date') %}
{% set is_touched = touched_days if is_incremental() else 'is not null' %}
with

customers as (
    select
        customer_id,
        as_of_date,
        is_latest,
        last_order_date,
        recency_days,
        purchase_day_count,
        mean_gap_days,
        recent_net_amount,
        p_alive,
        purchase_p_active_90d,
        behaviour_p_active_90d,
        ineligible_reason
    from {{ ref('int_churn_customers_scored') }}
    where stage = 'serving' and as_of_date {{ is_touched }}
),

gaps as (
    select as_of_date, first_order_date, last_order_date, purchase_day_count
    from {{ ref('int_churn_customers_scored') }}
    where stage = 'serving' and as_of_date {{ is_touched }}
),

models_selected as (
    select as_of_date, serving_model, serving_reason from {{ ref('int_churn_models_selected') }}
),

-- Of all customers with more than one purchase day: days between purchases over their number.
population as (
    select
        as_of_date,
        cast(sum({{ days_from('first_order_date', 'last_order_date') }}) as double)
        / nullif(sum(purchase_day_count - 1), 0) as mean_gap_days
    from gaps
    group by as_of_date
),

probabilities as (
    select
        customers.*,
        models_selected.serving_model,
        models_selected.serving_reason,
        case models_selected.serving_model
            when 'behaviour_p_active' then customers.behaviour_p_active_90d
            else customers.purchase_p_active_90d
        end as p_active_90d,
        case
            when customers.purchase_day_count >= {{ var('churn_own_gap_days_from') }}
                then customers.mean_gap_days
            else population.mean_gap_days
        end as expected_gap_days
    from customers
    inner join models_selected on customers.as_of_date = models_selected.as_of_date
    left join population on customers.as_of_date = population.as_of_date
),

expectations as (
    select
        *,
        1 - p_active_90d as churn_probability,
        last_order_date + cast(round(expected_gap_days) as integer) as expected_next_order_date
    from probabilities
),

customers_complete as (
    select
        customer_id,
        as_of_date,
        is_latest,
        p_active_90d is not null as is_eligible,
        case
            when p_active_90d is null
                then coalesce(ineligible_reason, 'No model could be fitted to the orders.')
        end as ineligible_reason,
        p_alive,
        p_active_90d,
        churn_probability,
        case
            when churn_probability < {{ var('churn_low_risk_below') }} then 'low'
            when churn_probability <= {{ var('churn_high_risk_above') }} then 'medium'
            when churn_probability > {{ var('churn_high_risk_above') }} then 'high'
        end as churn_risk,
        case when p_active_90d is not null then serving_model end as serving_model,
        case when p_active_90d is not null then serving_reason end as serving_reason,
        purchase_p_active_90d,
        behaviour_p_active_90d,
        last_order_date,
        recency_days,
        expected_gap_days,
        expected_next_order_date,
        case
            when expected_next_order_date >= as_of_date then 0
            else {{ days_from('expected_next_order_date', 'as_of_date') }}
        end as days_overdue,
        case
            when recency_days >= {{ var('churn_after_days') }} then 'churned' else 'active'
        end as churn_state,
        recent_net_amount,
        cast(round(churn_probability * greatest(recent_net_amount, 0), 2) as decimal(18, 2))
            as value_at_risk_amount
    from expectations
)

select * from customers_complete

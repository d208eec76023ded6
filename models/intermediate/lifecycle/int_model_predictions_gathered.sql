-- Grain: one row per as_of_date, model and customer of the holdout, with what became of them.
-- All models of a day speak about the same customers. A model without a prediction is not there.
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
        as_of_date,
        state_date,
        customer_id,
        recency_days,
        purchase_day_count,
        outcome_purchase_day_count
    from {{ ref('int_churn_features_measured') }}
    where stage = 'holdout' and as_of_date {{ is_touched }}
),

purchase_histories as (
    select state_date, customer_id, p_alive, p_active_90d, expected_orders_90d
    from {{ ref('int_purchase_histories_scored') }}
),

behaviours as (
    select as_of_date, customer_id, p_active_90d
    from {{ ref('int_churn_customers_scored') }}
    where stage = 'holdout'
),

customers_predicted as (
    select
        customers.*,
        customers.outcome_purchase_day_count > 0 as is_active,
        case when customers.outcome_purchase_day_count > 0 then 1 else 0 end as activity,
        purchase_histories.p_alive,
        purchase_histories.p_active_90d as purchase_p_active,
        purchase_histories.expected_orders_90d,
        behaviours.p_active_90d as behaviour_p_active
    from customers
    left join purchase_histories
        on customers.state_date = purchase_histories.state_date
        and customers.customer_id = purchase_histories.customer_id
    left join behaviours
        on customers.as_of_date = behaviours.as_of_date
        and customers.customer_id = behaviours.customer_id
),

-- Nobody ever sees who is alive: of life there is a ranking, and nothing predicted that came.
predictions as (
    {% for model, subject, score, predicted, actual in [
        (
            'mbg_nbd_p_active', 'activity', 'purchase_p_active', 'purchase_p_active', 'activity'
        ),
        (
            'behaviour_p_active', 'activity', 'behaviour_p_active', 'behaviour_p_active', 'activity'
        ),
        (
            'bg_nbd_orders', 'orders', 'expected_orders_90d', 'expected_orders_90d',
            'outcome_purchase_day_count'
        ),
        (
            'mbg_nbd_p_alive', 'life', 'p_alive', 'cast(null as double)', 'cast(null as bigint)'
        )
    ] %}
    select
        as_of_date,
        state_date as cutoff_date,
        '{{ model }}' as model,
        '{{ subject }}' as subject,
        customer_id,
        recency_days,
        purchase_day_count - 1 as repeat_count,
        is_active,
        {{ score }} as score,
        {{ predicted }} as predicted,
        {{ actual }} as actual
    from customers_predicted
    where {{ score }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from predictions

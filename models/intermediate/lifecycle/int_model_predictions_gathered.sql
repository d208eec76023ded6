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
        tenure_days,
        repeat_count,
        outcome_purchase_day_count,
        bg_nbd_p_alive,
        p_alive,
        purchase_p_active_90d,
        behaviour_p_active_90d
    from {{ ref('int_churn_customers_scored') }}
    where stage = 'holdout' and as_of_date {{ is_touched }}
),

expectations as (
    select state_date, repeat_count, age_days, expected_orders_90d_if_alive
    from {{ ref('int_purchase_expectations_tabulated') }}
),

customers_predicted as (
    select
        customers.*,
        customers.outcome_purchase_day_count > 0 as is_active,
        case when customers.outcome_purchase_day_count > 0 then 1 else 0 end as activity,
        customers.bg_nbd_p_alive * expectations.expected_orders_90d_if_alive
            as expected_orders_90d
    from customers
    left join expectations
        on customers.state_date = expectations.state_date
        and customers.repeat_count = expectations.repeat_count
        and customers.tenure_days = expectations.age_days
),

-- Nobody ever sees who is alive: of life there is a ranking, and nothing predicted that came.
predictions as (
    {% for model, subject, score, predicted, actual in [
        (
            'mbg_nbd_p_active', 'activity', 'purchase_p_active_90d', 'purchase_p_active_90d',
            'activity'
        ),
        (
            'behaviour_p_active', 'activity', 'behaviour_p_active_90d', 'behaviour_p_active_90d',
            'activity'
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
        repeat_count,
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

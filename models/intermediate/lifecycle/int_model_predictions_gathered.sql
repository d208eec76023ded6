-- Grain: one row per as_of_date, model and customer of the holdout, with what became of the customer.
-- All models of a day speak about the same customers. A model without a prediction is not there.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
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
    where
        stage = 'holdout'
        {% if is_incremental() -%}
        and as_of_date in {{ touched('as_of_date', 'date') }}
        {%- endif %}
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

predictions as (
    {% for model, prediction, subject in [
        ('mbg_nbd_p_active', 'purchase_p_active', 'activity'),
        ('behaviour_p_active', 'behaviour_p_active', 'activity'),
        ('bg_nbd_orders', 'expected_orders_90d', 'orders'),
        ('mbg_nbd_p_alive', 'p_alive', 'life')
    ] -%}
    select
        as_of_date,
        state_date as cutoff_date,
        '{{ model }}' as model,
        '{{ subject }}' as subject,
        customer_id,
        recency_days,
        purchase_day_count - 1 as repeat_count,
        outcome_purchase_day_count > 0 as is_active,
        {{ prediction }} as score,
        {% if subject == 'activity' -%}
        {{ prediction }} as predicted,
        case when outcome_purchase_day_count > 0 then 1 else 0 end as actual
        {%- elif subject == 'orders' -%}
        {{ prediction }} as predicted,
        outcome_purchase_day_count as actual
        {%- else -%}
        cast(null as double) as predicted, -- nobody ever sees who is alive
        cast(null as bigint) as actual
        {%- endif %}
    from customers_predicted
    where {{ prediction }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from predictions

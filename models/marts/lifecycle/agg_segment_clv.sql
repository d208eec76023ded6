-- Grain: one row per as_of_date and RFM segment that has customers with an order.
-- Counts and amounts add up over segments of one day, but for the means and CLV by formula, which
-- are of the segment's sums.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set days = touched('as_of_date', 'date') %}
{% set is_touched = ('in ' ~ days) if is_incremental() else 'is not null' %}
with

values_of_customers as (
    select
        customer_id,
        as_of_date,
        is_latest,
        historic_net_amount,
        historic_margin_amount,
        order_count,
        -- Decimals, whose sums are the same in any order.
        cast(tenure_years as decimal(18, 6)) as tenure_years,
        lifetime_years,
        cac_amount,
        predicted_net_amount_365d,
        predicted_clv_amount_90d,
        predicted_clv_amount_365d,
        is_eligible
    from {{ ref('fct_customer_clv') }}
    where as_of_date {{ is_touched }}
),

segments as (
    select customer_id, as_of_date, segment
    from {{ ref('fct_customer_rfm') }}
    where as_of_date {{ is_touched }}
),

segment_sums as (
    select
        values_of_customers.as_of_date,
        values_of_customers.is_latest,
        segments.segment,
        values_of_customers.lifetime_years,
        values_of_customers.cac_amount,
        count(*) as customer_count,
        cast(sum(values_of_customers.order_count) as bigint) as order_count,
        sum(values_of_customers.tenure_years) as tenure_years,
        sum(values_of_customers.historic_net_amount) as historic_net_amount,
        sum(values_of_customers.historic_margin_amount) as historic_margin_amount,
        count(*) filter (where values_of_customers.historic_margin_amount is null)
            as unknown_margin_customer_count,
        count(*) filter (where values_of_customers.is_eligible) as predicted_customer_count,
        sum(values_of_customers.predicted_net_amount_365d) as predicted_net_amount_365d,
        sum(values_of_customers.predicted_clv_amount_90d) as predicted_clv_amount_90d,
        sum(values_of_customers.predicted_clv_amount_365d) as predicted_clv_amount_365d
    from values_of_customers
    inner join segments
        on values_of_customers.customer_id = segments.customer_id
        and values_of_customers.as_of_date = segments.as_of_date
    group by
        values_of_customers.as_of_date,
        values_of_customers.is_latest,
        segments.segment,
        values_of_customers.lifetime_years,
        values_of_customers.cac_amount
),

segment_clv as (
    select
        as_of_date,
        is_latest,
        segment,
        customer_count,
        order_count,
        cast(historic_net_amount as decimal(18, 2)) as historic_net_amount,
        cast(historic_margin_amount as decimal(18, 2)) as historic_margin_amount,
        unknown_margin_customer_count,
        {{ amount_per('historic_net_amount', 'order_count') }} as average_order_amount,
        order_count / cast(tenure_years as double) as orders_per_year,
        lifetime_years,
        cac_amount,
        cast(
            historic_net_amount / cast(tenure_years as double) * lifetime_years - cac_amount
            as decimal(18, 2)
        ) as formula_clv_amount,
        predicted_customer_count,
        cast(predicted_net_amount_365d as decimal(18, 2)) as predicted_net_amount_365d,
        cast(predicted_clv_amount_90d as decimal(18, 2)) as predicted_clv_amount_90d,
        cast(predicted_clv_amount_365d as decimal(18, 2)) as predicted_clv_amount_365d
    from segment_sums
)

select * from segment_clv

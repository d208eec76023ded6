-- Grain: one row per as_of_date, model, kind of bin (decile, frequency) and bin of customers.
-- Totals add up over the bins of a kind to those of fct_model_backtests; means do not. Customers
-- with one prediction share a decile, so deciles may differ in size.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set touched_days = 'in ' ~ touched('as_of_date', 'date') %}
{% set is_touched = touched_days if is_incremental() else 'is not null' %}
with

predictions as (
    select
        *,
        rank() over (partition by as_of_date, model order by predicted) as place,
        count(*) over (partition by as_of_date, model) as customer_count
    from {{ ref('int_model_predictions_gathered') }}
    where predicted is not null and as_of_date {{ is_touched }}
),

predictions_binned as (
    select
        *,
        'decile' as bin_kind,
        cast(floor((place - 1) * 10 / customer_count) as bigint) + 1 as bin_number
    from predictions
    union all
    select
        *,
        'frequency' as bin_kind,
        least(repeat_count, {{ var('calibration_top_frequency') }}) as bin_number
    from predictions
),

bins as (
    select
        as_of_date,
        model,
        bin_kind,
        bin_number,
        min(cutoff_date) as cutoff_date,
        count(*) as customer_count,
        -- Sums of decimals are the same in any order.
        cast(sum(cast(predicted as decimal(28, 12))) as double) as predicted_total,
        cast(sum(actual) as double) as actual_total,
        min(predicted) as lowest_prediction,
        max(predicted) as highest_prediction
    from predictions_binned
    group by as_of_date, model, bin_kind, bin_number
),

bins_complete as (
    select
        as_of_date,
        cutoff_date,
        model,
        bin_kind,
        bin_number,
        case
            when bin_kind = 'frequency' and bin_number = {{ var('calibration_top_frequency') }}
                then '{{ var('calibration_top_frequency') }}+'
            else cast(bin_number as string)
        end as bin,
        customer_count,
        predicted_total,
        actual_total,
        predicted_total / customer_count as predicted_mean,
        actual_total / customer_count as actual_mean,
        lowest_prediction,
        highest_prediction
    from bins
)

select * from bins_complete

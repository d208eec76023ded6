-- Grain: one row per as_of_date and model, judged on the customers of a cut-off one horizon before.
with

backtests as (
    select * from {{ ref('int_model_backtests_measured') }}
),

models_selected as (
    select as_of_date, serving_model from {{ ref('int_churn_models_selected') }}
),

as_of_dates as (
    select as_of_date, is_latest from {{ ref('int_as_of_dates_fingerprinted') }}
),

backtests_complete as (
    select
        backtests.as_of_date,
        as_of_dates.is_latest,
        backtests.model,
        backtests.subject,
        backtests.cutoff_date,
        cast({{ var('holdout_days') }} as integer) as horizon_days,
        backtests.customer_count,
        backtests.active_count,
        backtests.auc,
        backtests.baseline_auc,
        backtests.auc_lead_error,
        backtests.auc > backtests.baseline_auc as is_better_than_baseline,
        backtests.auc
        < backtests.baseline_auc - {{ var('churn_baseline_errors') }} * backtests.auc_lead_error
            as is_worse_than_baseline,
        backtests.predicted_total,
        backtests.actual_total,
        backtests.total_error_ratio,
        backtests.correlation,
        backtests.brier_score,
        backtests.log_loss,
        backtests.model = models_selected.serving_model as is_serving
    from backtests
    inner join as_of_dates on backtests.as_of_date = as_of_dates.as_of_date
    inner join models_selected on backtests.as_of_date = models_selected.as_of_date
)

select * from backtests_complete

-- Without this a shop could act on probabilities that rank its customers worse than the day of
-- their last order does, which costs nothing to know. By chance a good model is now and then a
-- little behind on few customers, so only a lag beyond churn_baseline_errors standard errors
-- (DeLong's) fails.
select
    as_of_date,
    model,
    auc,
    baseline_auc,
    auc_lead_error
from {{ ref('fct_model_backtests') }}
where is_latest and is_serving and is_worse_than_baseline

-- Grain: one row per day that states are kept for: the model that gives its customers' P(order).
-- The greater AUC on the holdout, at a tie the smaller log loss, then the purchase history, which
-- needs less. While neither could be judged the purchase history serves, and the reason says so.
with

as_of_dates as (
    select as_of_date from {{ ref('int_as_of_dates_fingerprinted') }}
),

backtests as (
    select as_of_date, model, cutoff_date, auc, log_loss
    from {{ ref('int_model_backtests_measured') }}
    where subject = 'activity' and auc is not null
),

{% set auc_text = 'cast(cast(ranked.auc as decimal(5, 4)) as string)' %}

ranked as (
    select
        *,
        row_number() over (partition by as_of_date order by auc desc, log_loss, model desc) as place
    from backtests
),

best as (
    select * from ranked where place = 1
),

second as (
    select * from ranked where place = 2
),

models_selected as (
    select
        as_of_dates.as_of_date,
        coalesce(best.model, 'mbg_nbd_p_active') as serving_model,
        case
            when best.model is null
                then 'mbg_nbd_p_active serves unjudged: no model had a holdout to be judged by.'
            else
                best.model || ' had an AUC of ' || {{ auc_text | replace('ranked', 'best') }}
                || ' on the customers of ' || cast(best.cutoff_date as string) || ', '
                || coalesce(
                    second.model || ' one of ' || {{ auc_text | replace('ranked', 'second') }}
                    || case when best.auc = second.auc then ' (log loss decides).' else '.' end,
                    'and no other model could be judged.'
                )
        end as serving_reason
    from as_of_dates
    left join best on as_of_dates.as_of_date = best.as_of_date
    left join second on as_of_dates.as_of_date = second.as_of_date
)

select * from models_selected

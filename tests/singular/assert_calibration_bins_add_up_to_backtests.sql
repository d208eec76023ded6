-- Without this a bin could lose customers (an equal prediction at a border, a frequency beyond the
-- last bin), and a model would look better calibrated than it is.
with

backtests as (
    select as_of_date, model, customer_count, predicted_total, actual_total
    from {{ ref('fct_model_backtests') }}
    where predicted_total is not null
),

kinds as (
    select 'decile' as bin_kind
    union all
    select 'frequency' as bin_kind
),

bins as (
    select
        as_of_date,
        model,
        bin_kind,
        sum(customer_count) as customer_count,
        sum(predicted_total) as predicted_total,
        sum(actual_total) as actual_total
    from {{ ref('agg_model_calibration') }}
    group by as_of_date, model, bin_kind
)

select
    backtests.as_of_date,
    backtests.model,
    kinds.bin_kind,
    bins.customer_count,
    bins.predicted_total
from backtests
cross join kinds
left join bins
    on backtests.as_of_date = bins.as_of_date
    and backtests.model = bins.model
    and kinds.bin_kind = bins.bin_kind
where
    bins.customer_count is distinct from backtests.customer_count
    or abs(bins.predicted_total - backtests.predicted_total) > 0.000001
    or abs(bins.actual_total - backtests.actual_total) > 0.000001

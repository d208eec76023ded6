-- What is reached never rises with the step, so that no rate is above 100%.
with

steps as (
    select * from {{ ref('agg_funnel_steps') }}
)

select funnel, period, period_start_date, step_number
from steps
where
    not (coalesce(step_conversion_rate, 0) between 0 and 1)
    or not (coalesce(conversion_rate, 0) between 0 and 1)
    or reached_count > previous_reached_count

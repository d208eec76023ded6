-- Without this a customer could fall out of a state on the way through features, models and joins,
-- and churned + active would not be the customers of that day.
with

as_of_dates as (
    select as_of_date from {{ ref('int_as_of_dates_fingerprinted') }}
),

buyers as (
    select
        as_of_dates.as_of_date,
        count(distinct orders.customer_id) as customer_count
    from as_of_dates
    inner join {{ ref('fct_orders') }} as orders on as_of_dates.as_of_date >= orders.order_date
    where orders.status <> 'cancelled' and orders.customer_id is not null
    group by as_of_dates.as_of_date
),

states as (
    select
        as_of_date,
        count(*) as customer_count,
        count(*) filter (where is_eligible = (ineligible_reason is not null)) as doubtful_count
    from {{ ref('fct_customer_churn') }}
    group by as_of_date
)

select
    coalesce(buyers.as_of_date, states.as_of_date) as as_of_date,
    buyers.customer_count as buyers,
    states.customer_count as states
from buyers
full outer join states on buyers.as_of_date = states.as_of_date
where
    buyers.customer_count is distinct from states.customer_count
    or states.doubtful_count > 0

-- Without this the grid and the distributions could leave customers out, and their sums be other
-- numbers than those of the profiles.
with

bands as (
    select
        sum(customer_count) as customers,
        sum(predicted_clv_amount_365d) as predicted,
        sum(historic_margin_amount) as margin,
        sum(value_at_risk_amount) as at_risk
    from {{ ref('agg_customer_bands') }}
),

profiles as (
    select
        nullif(count(*), 0) as customers,
        sum(predicted_clv_amount_365d) as predicted,
        sum(historic_margin_amount) as margin,
        sum(value_at_risk_amount) as at_risk
    from {{ ref('dim_customer_profiles') }}
)

select
    bands.customers as customers_of_bands,
    profiles.customers as customers_of_profiles
from bands
cross join profiles
where
    bands.customers is distinct from profiles.customers
    or bands.predicted is distinct from profiles.predicted
    or bands.margin is distinct from profiles.margin
    or bands.at_risk is distinct from profiles.at_risk

-- Rates of what has not had its time yet would look worse every day, and better the next month.
with

outcomes as (
    select * from {{ ref('agg_opportunity_outcomes') }}
),

kinds as (
    select kind, expiry_days from {{ ref('ref_opportunity_kinds') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
)

select outcomes.*
from outcomes
inner join kinds on outcomes.kind = kinds.kind
cross join as_of
where
    outcomes.converted_count > outcomes.mature_count
    or outcomes.mature_count > outcomes.opportunity_count
    or (
        outcomes.mature_count < outcomes.opportunity_count
        and cast(outcomes.month_start_date + interval '1' month as date)
        + cast(kinds.expiry_days as integer) < as_of.as_of_date
    )

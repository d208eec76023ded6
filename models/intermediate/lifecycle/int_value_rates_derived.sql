-- Grain: one row per day that states of customers are kept for.
-- What a customer's value hangs on besides the customer: the shop's margin, churn and CAC by then.
{{ config(materialized='view') }}
with

as_of_dates as (
    select as_of_date from {{ ref('int_as_of_dates_fingerprinted') }}
),

purchase_histories as (
    select state_date, net_amount, margin_amount
    from {{ ref('int_purchase_histories_derived') }}
    where is_as_of_date
),

purchase_days as (
    select order_date, next_order_date from {{ ref('int_purchase_days_spaced') }}
),

ad_spend as (
    select spend_date, spend_amount from {{ ref('fct_ad_spend') }}
),

-- Of customers who ordered in the year before the last one, those who have not since.
churn as (
    select
        as_of_dates.as_of_date,
        count(*) as opening_customer_count,
        count(*) filter (
            where purchase_days.next_order_date > as_of_dates.as_of_date
        ) as churned_customer_count
    from as_of_dates
    inner join purchase_days
        on as_of_dates.as_of_date - 365 >= purchase_days.order_date
        and as_of_dates.as_of_date - 365 < purchase_days.next_order_date
        and as_of_dates.as_of_date - 730 < purchase_days.order_date
    group by as_of_dates.as_of_date
),

-- A customer with an unknown cost is in neither sum.
margins as (
    select
        state_date,
        count(*) as customer_count,
        sum(margin_amount) as margin_amount,
        sum(net_amount) filter (where margin_amount is not null) as net_amount
    from purchase_histories
    group by state_date
),

spend as (
    select as_of_dates.as_of_date, sum(ad_spend.spend_amount) as spend_amount
    from as_of_dates
    inner join ad_spend on as_of_dates.as_of_date >= ad_spend.spend_date
    group by as_of_dates.as_of_date
),

value_rates as (
    select
        as_of_dates.as_of_date,
        cast(margins.margin_amount as double) / nullif(margins.net_amount, 0) as margin_rate,
        cast(churn.churned_customer_count as double) / nullif(churn.opening_customer_count, 0)
            as yearly_churn_rate,
        {{ amount_per('spend.spend_amount', 'margins.customer_count') }} as cac_amount
    from as_of_dates
    left join margins on as_of_dates.as_of_date = margins.state_date
    left join churn on as_of_dates.as_of_date = churn.as_of_date
    left join spend on as_of_dates.as_of_date = spend.as_of_date
),

-- Where nobody churned (a rate of 0) the lifetime has no end but the cap.
value_rates_with_lifetime as (
    select
        as_of_date,
        margin_rate,
        yearly_churn_rate,
        cac_amount,
        case
            when yearly_churn_rate is not null
                then 1 / greatest(yearly_churn_rate, 1.0 / {{ var('clv_longest_lifetime_years') }})
        end as lifetime_years
    from value_rates
)

select * from value_rates_with_lifetime

-- Grain: one row per kind of opportunity and month in which they showed.
-- Counts add up over months; a rate is of the mature ones. base_rate is what customers do anyway:
-- the mean, over these opportunities, of the share of all known customers who had the same outcome
-- within as many days from the first of the month on.
with

opportunities as (
    select
        kind,
        cast(date_trunc('month', detected_date) as date) as month_start_date,
        expiry_days,
        outcome,
        case outcome when 'product_order' then product_id else '' end as product_key,
        is_mature,
        converted_at
    from {{ ref('int_opportunity_outcomes_matched') }}
),

base_rates as (
    select
        month_start_date,
        expiry_days,
        outcome,
        product_key,
        known_customer_count,
        converted_customer_count
    from {{ ref('int_opportunity_base_rates_measured') }}
),

opportunities_compared as (
    select
        opportunities.*,
        -- Decimals, so that the mean does not hang on the order of the rows.
        cast(
            cast(base_rates.converted_customer_count as double) / base_rates.known_customer_count
            as decimal(18, 12)
        ) as base_rate
    from opportunities
    left join base_rates
        on opportunities.month_start_date = base_rates.month_start_date
        and opportunities.expiry_days = base_rates.expiry_days
        and opportunities.outcome = base_rates.outcome
        and opportunities.product_key = base_rates.product_key
),

opportunities_counted as (
    select
        kind,
        month_start_date,
        count(*) as opportunity_count,
        count(case when is_mature then 1 end) as mature_count,
        count(case when is_mature and converted_at is not null then 1 end) as converted_count,
        cast(sum(base_rate) as double) / nullif(count(base_rate), 0) as base_rate
    from opportunities_compared
    group by kind, month_start_date
),

opportunity_outcomes as (
    select
        kind,
        month_start_date,
        opportunity_count,
        mature_count,
        converted_count,
        cast(converted_count as double) / nullif(mature_count, 0) as conversion_rate,
        base_rate,
        cast(converted_count as double) / nullif(mature_count, 0) - base_rate as conversion_lead
    from opportunities_counted
)

select * from opportunity_outcomes

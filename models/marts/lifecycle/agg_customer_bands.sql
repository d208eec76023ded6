-- Grain: one row per pair of RFM scores, segment, country, first channel, band of predicted CLV and
-- tenth of churn probability that a customer has. Counts and sums add up to dim_customer_profiles.
with

customers as (
    select
        rfm_segment,
        recency_score,
        fm_score,
        country,
        first_channel,
        predicted_clv_amount_365d,
        churn_probability,
        historic_margin_amount,
        value_at_risk_amount,
        as_of_date
    from {{ ref('dim_customer_profiles') }}
),

customers_banded as (
    select
        rfm_segment,
        recency_score,
        fm_score,
        country,
        first_channel,
        cast(
            case
                when predicted_clv_amount_365d < 1 then 0
                else power(2, floor(log2(cast(predicted_clv_amount_365d as double))))
            end as decimal(18, 2)
        ) as clv_from_amount,
        case
            when churn_probability is not null then least(floor(churn_probability * 10), 9) / 10
        end as churn_from_share,
        predicted_clv_amount_365d,
        historic_margin_amount,
        value_at_risk_amount,
        as_of_date
    from customers
),

bands as (
    select
        rfm_segment,
        recency_score,
        fm_score,
        country,
        first_channel,
        clv_from_amount,
        churn_from_share,
        count(*) as customer_count,
        cast(sum(predicted_clv_amount_365d) as decimal(18, 2)) as predicted_clv_amount_365d,
        cast(sum(historic_margin_amount) as decimal(18, 2)) as historic_margin_amount,
        cast(sum(value_at_risk_amount) as decimal(18, 2)) as value_at_risk_amount,
        as_of_date
    from customers_banded
    group by
        rfm_segment,
        recency_score,
        fm_score,
        country,
        first_channel,
        clv_from_amount,
        churn_from_share,
        as_of_date
)

select * from bands

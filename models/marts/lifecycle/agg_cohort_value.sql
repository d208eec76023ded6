-- Grain: one row per cohort (month, dimension, value) and month since, up to that of as_of_date.
-- Amounts of a month add up over cohorts of one dimension, cumulative ones over cohorts of the same
-- months_since. Refunds are booked with the orders they are of.
{% set measures = [
    'order_count', 'unknown_margin_order_count', 'net_amount',
    'net_amount_after_refunds_by_order_date', 'margin_amount', 'cumulative_net_amount',
    'cumulative_margin_amount'
] %}
with

cohort_months as (
    select
        cohort_month_start_date,
        dimension,
        dimension_value,
        months_since,
        month_start_date,
        is_mature,
        cohort_customer_count,
        order_count,
        unknown_margin_order_count,
        net_amount,
        net_amount_after_refunds_by_order_date,
        margin_amount
    from {{ ref('int_cohort_months_measured') }}
),

ad_spend as (
    select spend_date, spend_amount from {{ ref('fct_ad_spend') }}
),

spend_months as (
    select
        cast(date_trunc('month', spend_date) as date) as month_start_date,
        sum(spend_amount) as spend_amount
    from ad_spend
    group by cast(date_trunc('month', spend_date) as date)
),

spend_bounds as (
    select
        min(month_start_date) as first_month_start_date,
        max(month_start_date) as last_month_start_date
    from spend_months
),

cohort_months_accumulated as (
    select
        {% for measure in ['net_amount', 'margin_amount'] -%}
        cast(
            sum({{ measure }}) over (
                partition by cohort_month_start_date, dimension, dimension_value
                order by months_since rows unbounded preceding
            ) as decimal(18, 2)
        ) as cumulative_{{ measure }},
        {% endfor -%}
        *
    from cohort_months
),

-- Between the first and the last month of advertising one without any cost nothing; before and
-- after nobody knows. A month that is not complete has neither all its spend nor all its customers.
cohort_months_spent as (
    select
        cohort_months_accumulated.*,
        case
            when
                cohort_months_accumulated.dimension = 'all'
                and cohort_months_accumulated.cohort_month_start_date
                between spend_bounds.first_month_start_date and spend_bounds.last_month_start_date
                and bool_or(cohort_months_accumulated.is_mature) over (
                    partition by cohort_months_accumulated.cohort_month_start_date
                )
                then cast(coalesce(spend_months.spend_amount, 0) as decimal(18, 2))
        end as spend_amount
    from cohort_months_accumulated
    cross join spend_bounds
    left join spend_months
        on cohort_months_accumulated.cohort_month_start_date = spend_months.month_start_date
),

cohort_months_paid_back as (
    select
        *,
        min(case when is_mature and cumulative_margin_amount >= spend_amount then months_since end)
            over (partition by cohort_month_start_date, dimension, dimension_value)
            as payback_months
    from cohort_months_spent
),

cohort_value as (
    select
        cohort_month_start_date,
        dimension,
        dimension_value,
        months_since,
        month_start_date,
        is_mature,
        cohort_customer_count,
        {% for measure in measures -%}
        case when is_mature then {{ measure }} end as {{ measure }},
        {% endfor -%}
        {% for measure in ['cumulative_net_amount', 'cumulative_margin_amount'] -%}
        case when is_mature then {{ amount_per(measure, 'cohort_customer_count') }} end
            as {{ measure }}_per_customer,
        {% endfor -%}
        spend_amount,
        {{ amount_per('spend_amount', 'cohort_customer_count') }} as cac_amount,
        payback_months
    from cohort_months_paid_back
)

select * from cohort_value

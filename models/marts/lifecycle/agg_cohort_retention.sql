-- Grain: one row per cohort (month, dimension, value) and month since, up to that of as_of_date.
-- Counts add up over cohorts of one dimension; a rate of several is the ratio of their sums, over
-- rows of the same months_since that are mature.
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
        customer_count,
        second_order_customer_count,
        order_count
    from {{ ref('int_cohort_months_measured') }}
),

cohort_months_accumulated as (
    select
        *,
        cast(
            sum(second_order_customer_count) over (
                partition by cohort_month_start_date, dimension, dimension_value
                order by months_since rows unbounded preceding
            ) as bigint
        ) as repeat_customer_count
    from cohort_months
),

cohort_retention as (
    select
        cohort_month_start_date,
        dimension,
        dimension_value,
        months_since,
        month_start_date,
        is_mature,
        cohort_customer_count,
        {% for column in ['customer_count', 'order_count', 'repeat_customer_count'] -%}
        case when is_mature then {{ column }} end as {{ column }},
        {% endfor -%}
        case
            when is_mature and months_since > 0
                then cast(customer_count as double) / cohort_customer_count
        end as retention_rate,
        case when is_mature then cast(repeat_customer_count as double) / cohort_customer_count end
            as repeat_rate
    from cohort_months_accumulated
)

select * from cohort_retention

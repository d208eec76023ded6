-- Grain: one row per cohort (month, dimension, value) and month from its own to that of as_of_date.
-- Measured so far; whether the month is complete stands beside it. Customers are of one channel and
-- one category, so every number of a dimension adds up to that of all.
{% set measures = [
    'customer_count', 'second_order_customer_count', 'order_count', 'unknown_margin_order_count',
    'net_amount', 'net_amount_after_refunds_by_order_date', 'margin_amount'
] %}
with

customers as (
    select customer_id, cohort_month_start_date, first_channel, first_category
    from {{ ref('int_customers_acquired') }}
),

customer_months as (
    select
        customer_id,
        month_start_date,
        1 as customer_count,
        case
            when cumulative_order_count >= 2 and cumulative_order_count - order_count < 2 then 1
            else 0
        end as second_order_customer_count,
        order_count,
        unknown_margin_order_count,
        net_amount,
        net_amount_after_refunds_by_order_date,
        margin_amount
    from {{ ref('int_customer_months_summed') }}
),

months as (
    select
        month_start_date,
        bool_and(is_known) as is_mature
    from {{ ref('dim_dates') }}
    group by month_start_date
    having bool_or(is_known)
),

group_months as (
    select
        customers.cohort_month_start_date,
        customers.first_channel,
        customers.first_category,
        {% for measure in measures -%}
        sum(customer_months.{{ measure }}) as {{ measure }},
        {% endfor -%}
        customer_months.month_start_date
    from customers
    inner join customer_months on customers.customer_id = customer_months.customer_id
    group by
        customers.cohort_month_start_date,
        customers.first_channel,
        customers.first_category,
        customer_months.month_start_date
),

cohort_months as (
    {% for dimension in ['all', 'first_channel', 'first_category'] -%}
    {% set value = "'all'" if dimension == 'all' else dimension -%}
    select
        cohort_month_start_date,
        '{{ dimension }}' as dimension,
        {{ value }} as dimension_value,
        {% for measure in measures -%}
        sum({{ measure }}) as {{ measure }},
        {% endfor -%}
        month_start_date
    from group_months
    group by cohort_month_start_date, {{ dimension ~ ', ' if dimension != 'all' }}month_start_date
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- All of a cohort's customers order in its first month.
cohorts as (
    select
        cohort_month_start_date,
        dimension,
        dimension_value,
        customer_count as cohort_customer_count
    from cohort_months
    where month_start_date = cohort_month_start_date
),

cohort_months_filled as (
    select
        cohorts.cohort_month_start_date,
        cohorts.dimension,
        cohorts.dimension_value,
        months.month_start_date,
        cast(
            12 * (
                extract(year from months.month_start_date)
                - extract(year from cohorts.cohort_month_start_date)
            )
            + extract(month from months.month_start_date)
            - extract(month from cohorts.cohort_month_start_date) as bigint
        ) as months_since,
        cast(cohorts.cohort_customer_count as bigint) as cohort_customer_count,
        {% for measure in measures -%}
        {% set data_type = 'decimal(18, 2)' if '_amount' in measure else 'bigint' -%}
        cast(coalesce(cohort_months.{{ measure }}, 0) as {{ data_type }}) as {{ measure }},
        {% endfor -%}
        months.is_mature
    from cohorts
    inner join months on cohorts.cohort_month_start_date <= months.month_start_date
    left join cohort_months
        on cohorts.cohort_month_start_date = cohort_months.cohort_month_start_date
        and cohorts.dimension = cohort_months.dimension
        and cohorts.dimension_value is not distinct from cohort_months.dimension_value
        and months.month_start_date = cohort_months.month_start_date
)

select * from cohort_months_filled

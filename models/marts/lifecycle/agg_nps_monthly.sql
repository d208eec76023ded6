-- Grain: one row per month and dimension's value: all customers, or those of a country or age band.
-- Counts of a dimension's values add up to those of `all`. NPS counts each customer's last answer
-- in the month, so months do not add up to a year: who answered in two of them has two answers.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

nps_responses as (
    select
        customer_id,
        response_id,
        score,
        responded_at,
        {{ reporting_date('responded_at') }} as response_date
    from {{ ref('stg_crm__nps_responses') }}
),

customers as (
    select customer_id, country, age_band from {{ ref('dim_customers') }}
),

bounds as (
    select
        min(nps_responses.response_date) as from_date,
        max(as_of.as_of_date) as to_date
    from nps_responses
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

customer_months as (
    select
        customer_id,
        cast(date_trunc('month', response_date) as date) as month_start_date,
        count(*) as response_count,
        {{ last_by(nps_class('score'), ['responded_at', 'response_id']) }} as nps_class
    from nps_responses
    group by customer_id, date_trunc('month', response_date)
),

customer_months_described as (
    select
        customer_months.*,
        customers.country,
        customers.age_band
    from customer_months
    left join customers on customer_months.customer_id = customers.customer_id
),

answers_by_dimension as (
    {% for dimension in ['all', 'country', 'age_band'] -%}
    select
        month_start_date,
        '{{ dimension }}' as dimension,
        {{ 'cast(null as string)' if dimension == 'all' else dimension }} as dimension_value,
        response_count,
        nps_class
    from customer_months_described
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

answers as (
    select
        month_start_date,
        dimension,
        dimension_value,
        sum(response_count) as response_count,
        count(*) as respondent_count,
        count(*) filter (where nps_class = 'promoter') as promoter_count,
        count(*) filter (where nps_class = 'passive') as passive_count,
        count(*) filter (where nps_class = 'detractor') as detractor_count
    from answers_by_dimension
    group by month_start_date, dimension, dimension_value
),

-- A month without an answer is a row too.
rows_wanted as (
    select month_start_date, dimension, dimension_value
    from answers
    where dimension <> 'all'
    union all
    select month_start_date, 'all' as dimension, cast(null as string) as dimension_value
    from months
),

nps as (
    select
        rows_wanted.month_start_date,
        rows_wanted.dimension,
        rows_wanted.dimension_value,
        {{ is_complete_month('rows_wanted.month_start_date', 'as_of.as_of_date') }} as is_mature,
        {% for count in ['response', 'respondent', 'promoter', 'passive', 'detractor'] -%}
        cast(coalesce(answers.{{ count }}_count, 0) as bigint) as {{ count }}_count,
        {% endfor -%}
        100.0e0 * (answers.promoter_count - answers.detractor_count)
        / nullif(answers.respondent_count, 0) as nps
    from rows_wanted
    cross join as_of
    left join answers
        on rows_wanted.month_start_date = answers.month_start_date
        and rows_wanted.dimension = answers.dimension
        and rows_wanted.dimension_value is not distinct from answers.dimension_value
)

select * from nps

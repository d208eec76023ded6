-- Grain: one row per month, length of window, outcome and product (empty for any).
-- How many of the customers known when the month began had the outcome within so many days from
-- then on: what opportunities of the month are compared with. Only windows that have passed.
with

opportunities as (
    select detected_date, expiry_days, outcome, product_id
    from {{ ref('int_opportunity_outcomes_matched') }}
),

customers as (
    select customer_id, least(created_at, first_ordered_at) as known_from_at
    from {{ ref('dim_customers') }}
),

orders as (
    select order_id, customer_id, ordered_at, order_date
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

referrals as (
    select referrer_customer_id as customer_id, invited_at from {{ ref('stg_crm__referrals') }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

windows as (
    select
        cast(date_trunc('month', detected_date) as date) as month_start_date,
        expiry_days,
        outcome,
        case outcome when 'product_order' then product_id else '' end as product_key
    from opportunities
    group by
        cast(date_trunc('month', detected_date) as date),
        expiry_days,
        outcome,
        case outcome when 'product_order' then product_id else '' end
),

windows_timed as (
    select
        *,
        {{ start_of_reporting_date('month_start_date') }} as from_at,
        {{ start_of_reporting_date('month_start_date') }} + expiry_days * interval '1' day as to_at
    from windows
),

windows_passed as (
    select windows_timed.*
    from windows_timed
    inner join as_of on windows_timed.to_at <= as_of.known_until_at
),

outcomes as (
    select
        customer_id,
        'order' as outcome,
        '' as product_key,
        ordered_at as happened_at,
        order_date as happened_on
    from orders
    union all
    select
        orders.customer_id,
        'product_order' as outcome,
        lines.product_id as product_key,
        orders.ordered_at as happened_at,
        orders.order_date as happened_on
    from orders
    inner join lines on orders.order_id = lines.order_id
    union all
    select
        customer_id,
        'referral' as outcome,
        '' as product_key,
        invited_at as happened_at,
        {{ reporting_date('invited_at') }} as happened_on
    from referrals
),

outcomes_asked_for as (
    select
        outcome,
        product_key,
        min(month_start_date) as from_date
    from windows_passed
    group by outcome, product_key
),

-- Windows begin with a month, so a customer's first outcome of each month tells all of them, and a
-- window meets them by equal months.
outcomes_first as (
    select
        outcomes.customer_id,
        outcomes.outcome,
        outcomes.product_key,
        cast(date_trunc('month', outcomes.happened_on) as date) as outcome_month,
        min(outcomes.happened_at) as happened_at
    from outcomes
    inner join outcomes_asked_for
        on outcomes.outcome = outcomes_asked_for.outcome
        and outcomes.product_key = outcomes_asked_for.product_key
        and outcomes.happened_on >= outcomes_asked_for.from_date
    group by
        outcomes.customer_id,
        outcomes.outcome,
        outcomes.product_key,
        cast(date_trunc('month', outcomes.happened_on) as date)
),

outcome_months as (
    select outcome_month, {{ start_of_reporting_date('outcome_month') }} as from_at
    from outcomes_first
    group by outcome_month
),

windows_by_month as (
    select windows_passed.*, outcome_months.outcome_month
    from windows_passed
    inner join outcome_months
        on windows_passed.month_start_date <= outcome_months.outcome_month
        and windows_passed.to_at > outcome_months.from_at
),

months as (
    select month_start_date, from_at from windows_passed group by month_start_date, from_at
),

customers_known as (
    select
        months.month_start_date,
        count(*) as known_customer_count
    from months
    inner join customers on months.from_at > customers.known_from_at
    group by months.month_start_date
),

customers_converted as (
    select
        windows_by_month.month_start_date,
        windows_by_month.expiry_days,
        windows_by_month.outcome,
        windows_by_month.product_key,
        count(distinct outcomes_first.customer_id) as converted_customer_count
    from windows_by_month
    inner join outcomes_first
        on windows_by_month.outcome = outcomes_first.outcome
        and windows_by_month.product_key = outcomes_first.product_key
        and windows_by_month.outcome_month = outcomes_first.outcome_month
        and windows_by_month.to_at > outcomes_first.happened_at
    inner join customers
        on outcomes_first.customer_id = customers.customer_id
        and windows_by_month.from_at > customers.known_from_at
    group by
        windows_by_month.month_start_date,
        windows_by_month.expiry_days,
        windows_by_month.outcome,
        windows_by_month.product_key
),

base_rates_measured as (
    select
        windows_passed.month_start_date,
        windows_passed.expiry_days,
        windows_passed.outcome,
        windows_passed.product_key,
        customers_known.known_customer_count,
        coalesce(customers_converted.converted_customer_count, 0) as converted_customer_count,
        coalesce(customers_converted.converted_customer_count, 0)
        / cast(customers_known.known_customer_count as double) as base_rate
    from windows_passed
    inner join customers_known
        on windows_passed.month_start_date = customers_known.month_start_date
    left join customers_converted
        on windows_passed.month_start_date = customers_converted.month_start_date
        and windows_passed.expiry_days = customers_converted.expiry_days
        and windows_passed.outcome = customers_converted.outcome
        and windows_passed.product_key = customers_converted.product_key
)

select * from base_rates_measured

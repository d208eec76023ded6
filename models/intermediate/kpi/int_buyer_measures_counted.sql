-- Grain: one row per measure, period, its first day, dimension and value.
-- A buyer counts once in a period, however many days they ordered on: each period is counted by
-- itself. What is known of all customers so far is booked by the day.
{% set dimensions = {'session_channel': 'channel', 'country': 'country'} %}
with

orders as (
    select customer_id, session_channel, country, is_revenue, customer_order_number, order_date
    from {{ ref('fct_orders') }}
),

lines as (
    select product_id, is_revenue, order_date from {{ ref('fct_order_lines') }}
),

dates as (
    select calendar_date from {{ ref('dim_dates') }} where is_known
),

periods as (
    select period from {{ ref('ref_kpi_periods') }}
),

orders_by_period as (
    select
        orders.customer_id,
        orders.session_channel,
        orders.country,
        periods.period,
        cast(date_trunc(periods.period, orders.order_date) as date) as period_start_date
    from orders
    cross join periods
    where orders.is_revenue
),

buyers as (
    select
        period,
        period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(distinct customer_id) as buyer_count
    from orders_by_period
    group by {{ dimension_sets(['period', 'period_start_date'], dimensions) }} -- noqa: PRS
),

products_by_day as (
    select
        order_date,
        product_id
    from lines
    where is_revenue
    group by order_date, product_id
),

products as (
    select
        periods.period,
        cast(date_trunc(periods.period, products_by_day.order_date) as date) as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        count(distinct products_by_day.product_id) as product_count
    from products_by_day
    cross join periods
    group by
        periods.period,
        cast(date_trunc(periods.period, products_by_day.order_date) as date)
),

customers_by_day as (
    select
        order_date,
        count(*) filter (where customer_order_number = 1) as customer_count,
        count(*) filter (where customer_order_number = 2) as repeat_customer_count
    from orders
    group by order_date
),

first_dates as (
    select min(order_date) as first_date from orders
),

customers_so_far as (
    select
        'day' as period,
        dates.calendar_date as period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        sum(coalesce(customers_by_day.customer_count, 0))
            over (order by dates.calendar_date) as customer_count,
        sum(coalesce(customers_by_day.repeat_customer_count, 0))
            over (order by dates.calendar_date) as repeat_customer_count
    from dates
    inner join first_dates on dates.calendar_date >= first_dates.first_date
    left join customers_by_day on dates.calendar_date = customers_by_day.order_date
),

buyer_measures_counted as (
    {{ measure_rows('buyers', {'buyers': 'buyer_count'}) }}
    union all
    {{ measure_rows('products', {'products_sold': 'product_count'}) }}
    union all
    {{ measure_rows('customers_so_far', {
        'customers_so_far': 'customer_count',
        'repeat_customers_so_far': 'repeat_customer_count',
    }) }}
)

select * from buyer_measures_counted

-- Grain: one row per month, from that of the first order of a customer on.
-- A customer is active until churn_after_days have passed since the last order. As these are more
-- than a month's days, who orders in a month is active at its end: opening + new + reactivated -
-- churned = closing. Amounts are of customers, not guests.
{% set churn_after_days = var('churn_after_days') %}
with

customer_months as (
    select
        customer_id,
        month_start_date,
        order_count,
        net_amount,
        last_order_date,
        previous_order_date,
        next_month_start_date
    from {{ ref('int_customer_months_summed') }}
),

customer_days as (
    select customer_id, activity_date, valid_to_date, net_amount_after_refunds, margin_amount
    from {{ ref('int_customer_days_accumulated') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

dates as (
    select month_start_date, is_known from {{ ref('dim_dates') }}
),

first_months as (
    select min(month_start_date) as month_start_date from customer_months
),

months as (
    select
        dates.month_start_date,
        bool_and(dates.is_known) as is_mature
    from dates
    cross join first_months
    where dates.month_start_date >= first_months.month_start_date
    group by dates.month_start_date
    having bool_or(dates.is_known)
),

-- Who had not churned by the evening before the month was there at its opening.
orders_by_state as (
    select
        customer_id,
        month_start_date,
        order_count,
        net_amount,
        case
            when previous_order_date is null then 'new'
            when
                month_start_date
                > cast(previous_order_date + interval '{{ churn_after_days }}' day as date)
                then 'reactivated'
            else 'retained'
        end as customer_state
    from customer_months
),

order_sums as (
    select
        month_start_date,
        {% for state in ['new', 'reactivated', 'retained'] -%}
        count(*) filter (where customer_state = '{{ state }}') as {{ state }}_customer_count,
        coalesce(sum(net_amount) filter (where customer_state = '{{ state }}'), 0)
            as {{ state }}_net_amount,
        {% endfor -%}
        count(*) as ordering_customer_count,
        sum(order_count) as order_count,
        sum(net_amount) as net_amount
    from orders_by_state
    group by month_start_date
),

last_orders as (
    select
        customer_id,
        next_month_start_date,
        cast(last_order_date + interval '{{ churn_after_days }}' day as date) as churn_date
    from customer_months
),

churns as (
    select
        last_orders.customer_id,
        cast(date_trunc('month', last_orders.churn_date) as date) as month_start_date,
        last_orders.churn_date,
        cast(
            last_orders.churn_date - interval '{{ var("churn_value_days") }}' day as date
        ) as value_from_date
    from last_orders
    inner join as_of on last_orders.churn_date <= as_of.as_of_date
    where
        last_orders.next_month_start_date is null
        or last_orders.next_month_start_date > last_orders.churn_date
),

churns_valued as (
    select
        churns.month_start_date,
        days_until.net_amount_after_refunds - coalesce(days_before.net_amount_after_refunds, 0)
            as net_amount,
        days_until.margin_amount
        - case when days_before.customer_id is null then 0 else days_before.margin_amount end
            as margin_amount
    from churns
    inner join customer_days as days_until
        on churns.customer_id = days_until.customer_id
        and churns.churn_date >= days_until.activity_date
        and churns.churn_date < days_until.valid_to_date
    left join customer_days as days_before
        on churns.customer_id = days_before.customer_id
        and churns.value_from_date >= days_before.activity_date
        and churns.value_from_date < days_before.valid_to_date
),

churn_sums as (
    select
        month_start_date,
        count(*) as churned_customer_count,
        sum(net_amount) as churned_net_amount,
        sum(margin_amount) as churned_margin_amount,
        count(*) filter (where margin_amount is null) as churned_unknown_margin_customer_count
    from churns_valued
    group by month_start_date
),

months_filled as (
    select
        {% for column in [
            'new_customer_count', 'reactivated_customer_count', 'churned_customer_count',
            'ordering_customer_count', 'order_count', 'net_amount', 'new_net_amount',
            'retained_net_amount', 'reactivated_net_amount', 'churned_net_amount',
            'churned_margin_amount', 'churned_unknown_margin_customer_count'
        ] -%}
        coalesce({{ column }}, 0) as {{ column }},
        {% endfor -%}
        months.month_start_date,
        months.is_mature
    from months
    left join order_sums on months.month_start_date = order_sums.month_start_date
    left join churn_sums on months.month_start_date = churn_sums.month_start_date
),

months_balanced as (
    select
        *,
        sum(new_customer_count + reactivated_customer_count - churned_customer_count)
            over (order by month_start_date rows unbounded preceding) as closing_customer_count
    from months_filled
),

months_opened as (
    select
        *,
        closing_customer_count
        - new_customer_count - reactivated_customer_count + churned_customer_count
            as opening_customer_count
    from months_balanced
),

churn_months as (
    select
        month_start_date,
        is_mature,
        cast(opening_customer_count as bigint) as opening_customer_count,
        new_customer_count,
        reactivated_customer_count,
        churned_customer_count,
        cast(opening_customer_count - churned_customer_count as bigint) as retained_customer_count,
        cast(closing_customer_count as bigint) as closing_customer_count,
        case
            when is_mature
                then cast(churned_customer_count as double) / nullif(opening_customer_count, 0)
        end as churn_rate,
        case
            when is_mature
                then
                    cast(opening_customer_count - churned_customer_count as double)
                    / nullif(opening_customer_count, 0)
        end as retention_rate,
        ordering_customer_count,
        cast(order_count as bigint) as order_count,
        {% for column in [
            'net_amount', 'new_net_amount', 'retained_net_amount', 'reactivated_net_amount',
            'churned_net_amount', 'churned_margin_amount'
        ] -%}
        cast({{ column }} as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        churned_unknown_margin_customer_count
    from months_opened
)

select * from churn_months

-- Grain: one row per scope (one channel, all paid, all), its channel and month of acquisition.
-- Customers belong to the month of their first order and the channel of its first touch; spend to
-- its own month. The scopes paid and all hold the channels' customers again: never add up over
-- scopes. Value is what is known to date: young cohorts have little of it (is_mature).
with

attributed as (
    select customer_id, channel, order_date
    from {{ ref('fct_attributed_revenue') }}
    where attribution_model = 'first_touch' and is_first_order
),

orders as (
    select customer_id, is_revenue, net_amount, margin_amount, order_date
    from {{ ref('fct_orders') }}
    where customer_id is not null and is_revenue
),

spend as (
    select channel, spend_amount, spend_date from {{ ref('int_channel_spend_summed') }}
),

channels as (
    select channel, is_paid from {{ ref('dim_channels') }}
),

ratings as (
    select
        ltv_cac_rating,
        ltv_cac_rating_name,
        ltv_cac_rating_name_fr,
        from_ratio,
        to_ratio
    from {{ ref('ref_ltv_cac_ratings') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

scopes as (
    select
        'channel' as channel_scope,
        channel as scope_channel,
        channel
    from channels
    union all
    select
        'paid' as channel_scope,
        null as scope_channel,
        channel
    from channels
    where is_paid
    union all
    select
        'all' as channel_scope,
        null as scope_channel,
        channel
    from channels
),

{% set month = "extract(year from {0}) * 12 + extract(month from {0})" %}

new_customers as (
    select
        customer_id,
        channel,
        cast(date_trunc('month', order_date) as date) as cohort_month_date,
        {{ month.format('order_date') }} as first_month
    from attributed
),

orders_of_months as (
    select
        customer_id,
        net_amount,
        margin_amount,
        {{ month.format('order_date') }} as order_month
    from orders
),

customer_months as (
    select
        new_customers.channel,
        new_customers.cohort_month_date,
        orders_of_months.order_month - new_customers.first_month as month_number,
        sum(orders_of_months.net_amount) as net_amount,
        sum(orders_of_months.margin_amount) as margin_amount,
        count(*) - count(orders_of_months.margin_amount) as unknown_margin_order_count
    from new_customers
    inner join orders_of_months on new_customers.customer_id = orders_of_months.customer_id
    group by
        new_customers.channel,
        new_customers.cohort_month_date,
        orders_of_months.order_month - new_customers.first_month
),

cohort_rows as (
    select
        channel,
        cohort_month_date,
        count(*) as new_customer_count,
        null as spend_amount,
        null as net_amount,
        null as margin_amount,
        null as unknown_margin_order_count
    from new_customers
    group by channel, cohort_month_date
    union all
    select
        channel,
        cast(date_trunc('month', spend_date) as date) as cohort_month_date,
        null as new_customer_count,
        sum(spend_amount) as spend_amount,
        null as net_amount,
        null as margin_amount,
        null as unknown_margin_order_count
    from spend
    group by channel, cast(date_trunc('month', spend_date) as date)
    union all
    select
        channel,
        cohort_month_date,
        null as new_customer_count,
        null as spend_amount,
        net_amount,
        margin_amount,
        unknown_margin_order_count
    from customer_months
),

cohorts as (
    select
        scopes.channel_scope,
        scopes.scope_channel,
        cohort_rows.cohort_month_date,
        cast(coalesce(sum(cohort_rows.new_customer_count), 0) as bigint) as new_customer_count,
        cast(sum(cohort_rows.spend_amount) as decimal(18, 2)) as spend_amount,
        cast(coalesce(sum(cohort_rows.net_amount), 0) as decimal(18, 2)) as net_amount,
        cast(coalesce(sum(cohort_rows.margin_amount), 0) as decimal(18, 2)) as margin_amount,
        cast(coalesce(sum(cohort_rows.unknown_margin_order_count), 0) as bigint)
            as unknown_margin_order_count
    from cohort_rows
    inner join scopes on cohort_rows.channel = scopes.channel
    group by scopes.channel_scope, scopes.scope_channel, cohort_rows.cohort_month_date
),

months as (
    select
        scopes.channel_scope,
        scopes.scope_channel,
        customer_months.cohort_month_date,
        customer_months.month_number,
        sum(sum(customer_months.margin_amount)) over (
            partition by
                scopes.channel_scope, scopes.scope_channel, customer_months.cohort_month_date
            order by customer_months.month_number rows unbounded preceding
        ) as cumulative_margin_amount
    from customer_months
    inner join scopes on customer_months.channel = scopes.channel
    group by
        scopes.channel_scope,
        scopes.scope_channel,
        customer_months.cohort_month_date,
        customer_months.month_number
),

-- Margin per customer reaches the CAC when margin reaches spend: both are per the same customers.
paybacks as (
    select
        cohorts.channel_scope,
        cohorts.scope_channel,
        cohorts.cohort_month_date,
        min(months.month_number) as payback_month_count
    from cohorts
    inner join months
        on cohorts.channel_scope = months.channel_scope
        and coalesce(cohorts.scope_channel, '') = coalesce(months.scope_channel, '')
        and cohorts.cohort_month_date = months.cohort_month_date
        and cohorts.spend_amount <= months.cumulative_margin_amount
    where cohorts.spend_amount > 0
    group by cohorts.channel_scope, cohorts.scope_channel, cohorts.cohort_month_date
),

cohort_ratios as (
    select
        cohorts.*,
        case
            when cohorts.new_customer_count > 0
                then cast(cohorts.margin_amount as double) / nullif(cohorts.spend_amount, 0)
        end as ltv_cac_ratio,
        greatest(
            {{ month.format('(as_of.as_of_date + 1)') }}
            - ({{ month.format('cohorts.cohort_month_date') }}) - 1, 0
        ) as complete_month_count
    from cohorts
    cross join as_of
),

ltv_cac as (
    select
        cohorts.channel_scope,
        cohorts.scope_channel as channel,
        cohorts.cohort_month_date,
        cohorts.new_customer_count,
        cohorts.spend_amount,
        cohorts.net_amount,
        cohorts.margin_amount,
        cohorts.unknown_margin_order_count,
        cast(cohorts.spend_amount as double) / nullif(cohorts.new_customer_count, 0) as cac,
        cast(cohorts.net_amount as double) / nullif(cohorts.new_customer_count, 0)
            as net_per_customer,
        cast(cohorts.margin_amount as double) / nullif(cohorts.new_customer_count, 0)
            as margin_per_customer,
        cohorts.ltv_cac_ratio,
        ratings.ltv_cac_rating,
        ratings.ltv_cac_rating_name,
        ratings.ltv_cac_rating_name_fr,
        cohorts.ltv_cac_ratio - averages.ltv_cac_ratio as ltv_cac_difference,
        cast(paybacks.payback_month_count as bigint) as payback_month_count,
        cast(cohorts.complete_month_count as bigint) as complete_month_count,
        cohorts.complete_month_count >= {{ var('ltv_cac_mature_months') }} as is_mature
    from cohort_ratios as cohorts
    left join cohort_ratios as averages
        on cohorts.cohort_month_date = averages.cohort_month_date
        and averages.channel_scope = 'all'
    left join paybacks
        on cohorts.channel_scope = paybacks.channel_scope
        and coalesce(cohorts.scope_channel, '') = coalesce(paybacks.scope_channel, '')
        and cohorts.cohort_month_date = paybacks.cohort_month_date
    left join ratings
        on (ratings.from_ratio is null or cohorts.ltv_cac_ratio >= ratings.from_ratio)
        and (ratings.to_ratio is null or cohorts.ltv_cac_ratio < ratings.to_ratio)
        and cohorts.ltv_cac_ratio is not null
)

select * from ltv_cac

-- Grain: one row per month, from the first subscription to as_of_date. Movements compare what a
-- customer pays a month at the end of a month (of as_of_date, in the running one) with the end of
-- the month before: opening + new + reactivated + expansion - contraction - churned = closing, for
-- MRR and, without expansion and contraction, for subscribers.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

subscriptions as (
    select customer_id, is_active, is_paused, mrr_amount, started_date, ended_date
    from {{ ref('int_subscriptions_priced') }}
),

bounds as (
    select
        min(subscriptions.started_date) as from_date,
        max(as_of.as_of_date) as to_date
    from subscriptions
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

-- What begins and ends within a month is seen at no end of one.
subscription_months as (
    select
        customer_id,
        mrr_amount,
        cast(date_trunc('month', started_date) as date) as started_month,
        cast(date_trunc('month', ended_date) as date) as ended_month
    from subscriptions
    where
        ended_date is null
        or date_trunc('month', ended_date) <> date_trunc('month', started_date)
),

changes as (
    select
        customer_id,
        started_month as change_month,
        1 as subscription_change,
        mrr_amount
    from subscription_months
    union all
    select
        customer_id,
        ended_month as change_month,
        -1 as subscription_change,
        -mrr_amount as mrr_amount
    from subscription_months
    where ended_month is not null
),

customer_changes as (
    select
        customer_id,
        change_month,
        sum(subscription_change) as subscription_change,
        sum(mrr_amount) as mrr_change
    from changes
    where mrr_amount is not null
    group by customer_id, change_month
),

customer_balances as (
    select
        customer_id,
        change_month,
        subscription_change,
        mrr_change,
        sum(subscription_change) over history as closing_subscriptions,
        sum(mrr_change) over history as closing_mrr,
        row_number() over history as change_number
    from customer_changes
    window history as (partition by customer_id order by change_month rows unbounded preceding)
),

customer_movements as (
    select
        change_month,
        subscription_change,
        mrr_change,
        closing_mrr,
        closing_mrr - mrr_change as opening_mrr,
        case
            when change_number = 1 then 'new'
            when closing_subscriptions - subscription_change = 0 then 'reactivated'
            when closing_subscriptions = 0 then 'churned'
            when mrr_change > 0 then 'expansion'
            else 'contraction'
        end as movement
    from customer_balances
),

movements as (
    select
        change_month,
        {% for movement in ['new', 'reactivated', 'churned'] -%}
        count(*) filter (where movement = '{{ movement }}') as {{ movement }}_subscriber_count,
        {% endfor -%}
        {% for movement in ['new', 'reactivated', 'expansion', 'contraction', 'churned'] -%}
        coalesce(sum(abs(mrr_change)) filter (where movement = '{{ movement }}'), 0)
            as {{ movement }}_mrr,
        {% endfor -%}
        sum(subscription_change) as subscription_change
    from customer_movements
    group by change_month
),

unpriced_changes as (
    select change_month, sum(subscription_change) as subscription_change
    from changes
    where mrr_amount is null
    group by change_month
),

paused as (
    select
        count(*) as paused_subscription_count,
        coalesce(sum(mrr_amount), 0) as paused_mrr
    from subscriptions
    where is_paused
),

months_summed as (
    select
        months.month_start_date,
        months.month_start_date = cast(date_trunc('month', as_of.as_of_date) as date) as is_last,
        {{ is_complete_month('months.month_start_date', 'as_of.as_of_date') }} as is_mature,
        {% for movement in ['new', 'reactivated', 'churned'] -%}
        cast(coalesce(movements.{{ movement }}_subscriber_count, 0) as bigint)
            as {{ movement }}_subscriber_count,
        {% endfor -%}
        {% for movement in ['new', 'reactivated', 'expansion', 'contraction', 'churned'] -%}
        cast(coalesce(movements.{{ movement }}_mrr, 0) as decimal(18, 2))
            as {{ movement }}_mrr_amount,
        {% endfor -%}
        coalesce(movements.subscription_change, 0) as subscription_change,
        coalesce(unpriced_changes.subscription_change, 0) as unpriced_change
    from months
    cross join as_of
    left join movements on months.month_start_date = movements.change_month
    left join unpriced_changes on months.month_start_date = unpriced_changes.change_month
),

months_closed as (
    select
        *,
        new_subscriber_count + reactivated_subscriber_count - churned_subscriber_count
            as subscriber_change,
        new_mrr_amount + reactivated_mrr_amount + expansion_mrr_amount
        - contraction_mrr_amount - churned_mrr_amount as mrr_change,
        cast(sum(
            new_subscriber_count + reactivated_subscriber_count - churned_subscriber_count
        ) over history as bigint) as closing_subscriber_count,
        cast(sum(
            new_mrr_amount + reactivated_mrr_amount + expansion_mrr_amount
            - contraction_mrr_amount - churned_mrr_amount
        ) over history as decimal(18, 2)) as closing_mrr_amount,
        cast(sum(subscription_change) over history as bigint) as subscription_count,
        cast(sum(unpriced_change) over history as bigint) as unpriced_subscription_count
    from months_summed
    window history as (order by month_start_date rows unbounded preceding)
),

months_opened as (
    select
        *,
        closing_subscriber_count - subscriber_change as opening_subscriber_count,
        cast(closing_mrr_amount - mrr_change as decimal(18, 2)) as opening_mrr_amount
    from months_closed
),

subscriptions_monthly as (
    select
        months_opened.month_start_date,
        months_opened.is_mature,
        months_opened.opening_subscriber_count,
        months_opened.new_subscriber_count,
        months_opened.reactivated_subscriber_count,
        months_opened.churned_subscriber_count,
        months_opened.closing_subscriber_count,
        months_opened.subscription_count,
        months_opened.unpriced_subscription_count,
        case when months_opened.is_last then paused.paused_subscription_count end
            as paused_subscription_count,
        months_opened.opening_mrr_amount,
        months_opened.new_mrr_amount,
        months_opened.reactivated_mrr_amount,
        months_opened.expansion_mrr_amount,
        months_opened.contraction_mrr_amount,
        months_opened.churned_mrr_amount,
        months_opened.closing_mrr_amount,
        case when months_opened.is_last then cast(paused.paused_mrr as decimal(18, 2)) end
            as paused_mrr_amount,
        cast(months_opened.churned_subscriber_count as double)
        / nullif(months_opened.opening_subscriber_count, 0) as subscriber_churn_rate,
        cast(months_opened.churned_mrr_amount as double)
        / nullif(months_opened.opening_mrr_amount, 0) as mrr_churn_rate,
        cast(
            months_opened.opening_mrr_amount + months_opened.expansion_mrr_amount
            - months_opened.contraction_mrr_amount - months_opened.churned_mrr_amount as double
        ) / nullif(months_opened.opening_mrr_amount, 0) as net_mrr_retention_rate
    from months_opened
    cross join paused
)

select * from subscriptions_monthly

-- Grain: one row per day, kind and channel of messages.
-- What is counted of the messages adds up; the comparison group is one per day and kind, the same
-- for each channel: a rate over several days is the ratio of the sums within one channel.
-- An order belongs to the last message before it, so that none counts twice.
with

messages as (
    select
        message_id,
        customer_id,
        channel,
        kind,
        coalesce(kind, '') as kind_or_none,
        cost_amount,
        {{ reporting_date('sent_at') }} as sent_date,
        sent_at,
        sent_at + interval '{{ var("message_window_days") }}' day as window_ends_at,
        opened_at,
        clicked_at,
        unsubscribed_at
    from {{ ref('stg_marketing__messages') }}
),

orders as (
    select order_id, customer_id, net_amount, margin_amount, order_date, ordered_at
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

customers as (
    select customer_id, created_at from {{ ref('dim_customers') }} where has_marketing_consent
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

orders_after_messages as (
    select
        orders.order_id,
        orders.net_amount,
        orders.margin_amount,
        messages.message_id,
        messages.sent_date,
        messages.kind_or_none,
        messages.channel,
        messages.customer_id,
        messages.sent_at
    from orders
    inner join messages
        on orders.customer_id = messages.customer_id
        and orders.ordered_at > messages.sent_at
        and orders.ordered_at < messages.window_ends_at
),

credited_orders as (
    select
        order_id,
        max(net_amount) as net_amount,
        max(margin_amount) as margin_amount,
        {{ last_by('message_id', ['sent_at', 'message_id']) }} as message_id
    from orders_after_messages
    group by order_id
),

order_sums as (
    select
        messages.sent_date,
        messages.kind_or_none,
        messages.channel,
        count(*) as order_count,
        sum(credited_orders.net_amount) as net_amount,
        sum(credited_orders.margin_amount) as margin_amount
    from credited_orders
    inner join messages on credited_orders.message_id = messages.message_id
    group by messages.sent_date, messages.kind_or_none, messages.channel
),

buyer_counts as (
    select
        sent_date,
        kind_or_none,
        channel,
        count(distinct customer_id) as ordering_recipient_count
    from orders_after_messages
    group by sent_date, kind_or_none, channel
),

message_sums as (
    select
        sent_date,
        kind,
        kind_or_none,
        channel,
        count(*) as sent_count,
        count(opened_at) as opened_count,
        count(clicked_at) as clicked_count,
        count(unsubscribed_at) as unsubscribed_count,
        sum(cost_amount) as cost_amount,
        count(distinct customer_id) as recipient_count
    from messages
    group by sent_date, kind, kind_or_none, channel
),

-- From the day that a customer may be written to, up to and with the day they unsubscribe.
unsubscriptions as (
    select
        customer_id,
        {{ reporting_date('min(unsubscribed_at)') }} as unsubscribed_date
    from messages
    where unsubscribed_at is not null
    group by customer_id
),

eligible_customers as (
    select
        customers.customer_id,
        coalesce({{ reporting_date('customers.created_at') }}, date '0001-01-01')
            as eligible_from_date,
        coalesce(unsubscriptions.unsubscribed_date + 1, date '9999-12-31') as eligible_to_date
    from customers
    left join unsubscriptions on customers.customer_id = unsubscriptions.customer_id
    where
        unsubscriptions.unsubscribed_date is null
        or customers.created_at is null
        or unsubscriptions.unsubscribed_date >= {{ reporting_date('customers.created_at') }}
),

order_days as (
    select
        customer_id,
        order_date,
        lag(order_date) over (partition by customer_id order by order_date)
            as previous_order_date
    from orders
    group by customer_id, order_date
),

-- The days on which the window, that day and those after it, holds an order: those before the
-- customer's previous order hold that one already, so that no day is counted twice.
eligible_buying_days as (
    select
        eligible_customers.customer_id,
        greatest(
            order_days.order_date - {{ var('message_window_days') }} + 1,
            coalesce(order_days.previous_order_date + 1, date '0001-01-01'),
            eligible_customers.eligible_from_date
        ) as from_date,
        least(order_days.order_date + 1, eligible_customers.eligible_to_date) as to_date
    from order_days
    inner join eligible_customers on order_days.customer_id = eligible_customers.customer_id
),

-- How many more are eligible on a day than the day before, and how many more of these buy.
changes as (
    select
        eligible_from_date as change_date,
        1 as customer_change,
        0 as buyer_change
    from eligible_customers
    union all
    select
        eligible_to_date as change_date,
        -1 as customer_change,
        0 as buyer_change
    from eligible_customers
    union all
    select
        from_date as change_date,
        0 as customer_change,
        1 as buyer_change
    from eligible_buying_days
    where from_date < to_date
    union all
    select
        to_date as change_date,
        0 as customer_change,
        -1 as buyer_change
    from eligible_buying_days
    where from_date < to_date
),

changes_of_days as (
    select
        change_date,
        sum(customer_change) as customer_change,
        sum(buyer_change) as buyer_change
    from changes
    group by change_date
),

sent_days as (
    select sent_date from message_sums group by sent_date
),

eligible_counts as (
    select
        sent_days.sent_date,
        sum(changes_of_days.customer_change) as customer_count,
        sum(changes_of_days.buyer_change) as buyer_count
    from sent_days
    inner join changes_of_days on sent_days.sent_date >= changes_of_days.change_date
    group by sent_days.sent_date
),

recipients as (
    select
        sent_date,
        kind_or_none,
        customer_id
    from messages
    group by sent_date, kind_or_none, customer_id
),

-- Those among the eligible who were sent the kind on the day, through whichever channel.
eligible_recipients as (
    select
        recipients.sent_date,
        recipients.kind_or_none,
        count(*) as customer_count,
        count(buying_days.customer_id) as buyer_count
    from recipients
    inner join eligible_customers
        on recipients.customer_id = eligible_customers.customer_id
        and recipients.sent_date >= eligible_customers.eligible_from_date
        and recipients.sent_date < eligible_customers.eligible_to_date
    left join eligible_buying_days as buying_days
        on recipients.customer_id = buying_days.customer_id
        and recipients.sent_date >= buying_days.from_date
        and recipients.sent_date < buying_days.to_date
    group by recipients.sent_date, recipients.kind_or_none
),

message_counts as (
    select
        message_sums.*,
        coalesce(order_sums.order_count, 0) as order_count,
        coalesce(order_sums.net_amount, 0) as net_amount,
        coalesce(order_sums.margin_amount, 0) as margin_amount,
        coalesce(buyer_counts.ordering_recipient_count, 0) as ordering_recipient_count,
        coalesce(eligible_counts.customer_count, 0)
        - coalesce(eligible_recipients.customer_count, 0) as comparison_customer_count,
        coalesce(eligible_counts.buyer_count, 0) - coalesce(eligible_recipients.buyer_count, 0)
            as ordering_comparison_customer_count,
        {{ days_from('message_sums.sent_date', 'as_of.as_of_date') }}
        >= {{ var('message_window_days') }} as is_mature
    from message_sums
    cross join as_of
    left join order_sums
        on message_sums.sent_date = order_sums.sent_date
        and message_sums.kind_or_none = order_sums.kind_or_none
        and message_sums.channel = order_sums.channel
    left join buyer_counts
        on message_sums.sent_date = buyer_counts.sent_date
        and message_sums.kind_or_none = buyer_counts.kind_or_none
        and message_sums.channel = buyer_counts.channel
    left join eligible_counts on message_sums.sent_date = eligible_counts.sent_date
    left join eligible_recipients
        on message_sums.sent_date = eligible_recipients.sent_date
        and message_sums.kind_or_none = eligible_recipients.kind_or_none
),

message_rates as (
    select
        *,
        case
            when is_mature
                then cast(ordering_recipient_count as double) / nullif(recipient_count, 0)
        end as recipient_order_rate,
        case
            when is_mature
                then
                    cast(ordering_comparison_customer_count as double)
                    / nullif(comparison_customer_count, 0)
        end as comparison_order_rate
    from message_counts
),

message_performance as (
    select
        sent_date,
        kind,
        channel,
        sent_count,
        opened_count,
        clicked_count,
        unsubscribed_count,
        cast(cost_amount as decimal(18, 4)) as cost_amount,
        order_count,
        cast(net_amount as decimal(18, 2)) as net_amount,
        cast(margin_amount as decimal(18, 2)) as margin_amount,
        recipient_count,
        ordering_recipient_count,
        cast(comparison_customer_count as bigint) as comparison_customer_count,
        cast(ordering_comparison_customer_count as bigint) as ordering_comparison_customer_count,
        cast(opened_count as double) / nullif(sent_count, 0) as open_rate,
        cast(clicked_count as double) / nullif(sent_count, 0) as click_rate,
        cast(unsubscribed_count as double) / nullif(sent_count, 0) as unsubscribe_rate,
        recipient_order_rate,
        comparison_order_rate,
        recipient_order_rate - comparison_order_rate as order_rate_difference,
        is_mature
    from message_rates
)

select * from message_performance

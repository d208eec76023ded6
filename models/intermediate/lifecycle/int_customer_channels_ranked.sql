-- Grain: one row per customer and channel on which they can be reached, with how they took to it.
-- By email who has one, by sms and push who was ever sent one, by a call every customer.
-- Marketing needs consent, and no unsubscription on the channel. engagement_rate: the share of the
-- customer's messages there that they opened or clicked, mixed with everybody's.
with

customers as (
    select customer_id, email_hash, has_marketing_consent from {{ ref('dim_customers') }}
),

messages as (
    select message_id, customer_id, channel, opened_at, clicked_at, unsubscribed_at
    from {{ ref('stg_marketing__messages') }}
),

messages_counted as (
    select
        customer_id,
        channel,
        count(*) as message_count,
        count(coalesce(opened_at, clicked_at)) as engaged_count,
        count(unsubscribed_at) as unsubscribed_count
    from messages
    group by customer_id, channel
),

channel_rates as (
    select
        channel,
        cast(sum(engaged_count) as double) / sum(message_count) as engagement_rate
    from messages_counted
    group by channel
),

customer_channels as (
    select customer_id, channel from messages_counted
    union -- a channel once, written to or not
    select customer_id, 'email' as channel from customers where email_hash is not null
    union
    select customer_id, 'call' as channel from customers
),

channels_ranked as (
    select
        customer_channels.customer_id,
        customer_channels.channel,
        coalesce(customers.has_marketing_consent, false)
        and coalesce(messages_counted.unsubscribed_count, 0) = 0 as has_consent,
        coalesce(messages_counted.message_count, 0) as message_count,
        (
            coalesce(messages_counted.engaged_count, 0)
            + {{ var('engagement_prior_count') }} * channel_rates.engagement_rate
        )
        / (coalesce(messages_counted.message_count, 0) + {{ var('engagement_prior_count') }})
            as engagement_rate
    from customer_channels
    inner join customers on customer_channels.customer_id = customers.customer_id
    left join messages_counted
        on customer_channels.customer_id = messages_counted.customer_id
        and customer_channels.channel = messages_counted.channel
    left join channel_rates on customer_channels.channel = channel_rates.channel
)

select * from channels_ranked

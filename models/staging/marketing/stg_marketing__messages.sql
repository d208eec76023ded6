-- Grain: one row per message sent to one customer.
with

messages as (
    select * from {{ ref('base_marketing__messages') }} where verdict = 'kept'
),

messages_known as (
    select
        message_id,
        customer_id,
        channel,
        kind,
        campaign,
        cost as cost_amount,
        sent_at,
        {{ when_known('opened_at') }} as opened_at,
        {{ when_known('clicked_at') }} as clicked_at,
        {{ when_known('unsubscribed_at') }} as unsubscribed_at
    from messages
    where {{ is_known('sent_at') }}
)

select * from messages_known

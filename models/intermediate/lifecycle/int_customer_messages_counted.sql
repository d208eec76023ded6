-- Grain: one row per customer and the days on which messages were sent, opened and clicked.
-- All three days, since a state of the day in between knows of the message and not of its opening.
with

messages as (
    select customer_id, sent_at, opened_at, clicked_at from {{ ref('stg_marketing__messages') }}
),

messages_dated as (
    select
        customer_id,
        {{ reporting_date('sent_at') }} as sent_date,
        {{ reporting_date('opened_at') }} as opened_date,
        {{ reporting_date('clicked_at') }} as clicked_date
    from messages
),

messages_counted as (
    select
        customer_id,
        sent_date,
        opened_date,
        clicked_date,
        count(*) as message_count
    from messages_dated
    group by customer_id, sent_date, opened_date, clicked_date
)

select * from messages_counted

-- Grain: one row per cart recovery message.
-- All of them are compared at every refresh, as a message is opened long after it was sent. The
-- carts of a customer have their id as visitor_id; of others an order may tell whose they were.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='message_id',
    meta={'touches': {'cart_visitor_id': 'customer_id', 'cart_customer_id': 'customer_id'}}
) }}
with

messages as (
    select message_id, customer_id, channel, kind, sent_at, opened_at, clicked_at
    from {{ ref('stg_marketing__messages') }}
),

messages_kept as (
    select
        message_id,
        customer_id,
        channel,
        sent_at,
        opened_at,
        clicked_at
    from messages
    where kind = 'cart_recovery'
)

select * from messages_kept

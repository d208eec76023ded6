-- Grain: one row per event that makes up a cart, or is a purchase.
-- Few of many: carts are cut again for whole visitors, and read only these events to do so. Devices
-- whose events differ from before are touched, since what is put into a cart shows in no session.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='cart_event_id',
    incremental_predicates=['utc_date in ' ~ touched('utc_date', 'date')],
    meta={'touches': {'cart_anonymous_id': 'anonymous_id'}, 'days': 'utc_date'}
) }}
with

events as (
    select
        event_id,
        anonymous_id,
        event_name,
        product_id,
        order_id,
        quantity,
        event_value,
        utc_date,
        event_at
    from {{ ref('stg_web__interactions') }}
    where
        event_name in (
            'add_to_cart', 'remove_from_cart', 'begin_checkout', 'add_shipping_info',
            'add_payment_info', 'purchase'
        )
        and {{ in_touched_days('event_at') }}
),

events_kept as (
    select
        md5(event_id || '|' || cast(utc_date as string)) as cart_event_id,
        *
    from events
)

select * from events_kept

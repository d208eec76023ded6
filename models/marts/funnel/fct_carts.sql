-- Grain: one row per cart (docs/decisions/0010-carts.md), booked on the day of its first add.
-- A cart belongs to a visitor, over sessions and devices; channel, device and country are those of
-- the session of its first add. recovered_net_amount adds up: an order is booked on one cart.
-- Besides events and orders, time alone changes a cart, and a message that is sent or opened.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='cart_id',
    incremental_predicates=[cart_is_touched()],
    on_schema_change='fail',
    pre_hook=["{{ note_aged_carts() }}", "{{ note_carts_with_messages() }}"],
    meta={'touches': {'cart_date': 'cart_date'}}
) }}
with

carts as (
    select * from {{ ref('int_carts_cut') }}
    {% if is_incremental() -%}
    where {{ cart_is_touched() }}
    {%- endif %}
),

sessions as (
    select session_id, customer_id, channel, device, country, is_new_visitor
    from {{ ref('fct_sessions') }}
),

orders as (
    select visitor_id, order_id, customer_id, is_booked, net_amount, ordered_at
    from {{ ref('int_cart_orders_gathered') }}
),

messages as (
    select message_id, customer_id, channel as message_channel, sent_at, opened_at, clicked_at
    from {{ ref('int_cart_messages_kept') }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

carts_dated as (
    select
        carts.*,
        {{ cart_idle_ends_at() }} as idle_ends_at,
        {{ cart_recovery_ends_at() }} as recovery_ends_at,
        as_of.known_until_at
    from carts
    cross join as_of
),

carts_judged as (
    select
        *,
        idle_ends_at <= known_until_at as is_mature,
        recovery_ends_at <= known_until_at as is_recovery_mature,
        coalesce(next_ordered_at < idle_ends_at, false) as is_ordered,
        coalesce(next_ordered_at >= idle_ends_at and next_ordered_at < recovery_ends_at, false)
            as is_recovered_so_far
    from carts_dated
),

-- Of several carts that one order recovers, it is booked on the last.
carts_with_orders as (
    select
        carts_judged.*,
        orders.order_id,
        orders.customer_id as order_customer_id,
        case
            when
                orders.is_booked
                and lead(carts_judged.started_at) over (
                    partition by
                        carts_judged.visitor_id,
                        carts_judged.next_ordered_at,
                        carts_judged.is_recovered_so_far
                    order by carts_judged.started_at
                ) is null
                then orders.net_amount
            else cast(0 as decimal(18, 2))
        end as booked_net_amount
    from carts_judged
    left join orders
        on carts_judged.visitor_id = orders.visitor_id
        and carts_judged.next_ordered_at = orders.ordered_at
),

carts_of_sessions as (
    select
        carts_with_orders.*,
        sessions.customer_id,
        sessions.channel,
        sessions.device,
        sessions.country,
        sessions.is_new_visitor
    from carts_with_orders
    inner join sessions on carts_with_orders.session_id = sessions.session_id
),

recovery_messages as (
    select
        carts.cart_id,
        {{ last_by(
            packed(['message_id', 'message_channel', 'sent_at', 'opened_at', 'clicked_at']),
            ['messages.sent_at', 'messages.message_id']
        ) }} as message
    from carts_of_sessions as carts
    inner join messages
        on coalesce(carts.customer_id, carts.order_customer_id) = messages.customer_id
        and carts.last_event_at < messages.sent_at
        and carts.next_ordered_at > messages.sent_at
    where carts.is_recovered_so_far
    group by carts.cart_id
),

carts_complete as (
    select
        carts.cart_id,
        carts.visitor_id,
        carts.customer_id,
        carts.session_id,
        carts.channel,
        carts.device,
        carts.country,
        carts.is_new_visitor,
        carts.cart_amount,
        carts.line_count,
        carts.unit_count,
        carts.add_to_cart_count,
        carts.remove_from_cart_count,
        carts.furthest_stage,
        carts.is_mature,
        carts.is_ordered,
        case
            when carts.is_ordered then false
            when carts.is_mature then true
        end as is_abandoned,
        carts.is_recovery_mature,
        case
            when carts.is_ordered then false
            when carts.is_recovered_so_far then true
            when carts.is_recovery_mature then false
        end as is_recovered,
        case when carts.is_ordered then carts.order_id end as order_id,
        case when carts.is_recovered_so_far then carts.order_id end as recovered_order_id,
        case when carts.is_recovered_so_far then carts.booked_net_amount end
            as recovered_net_amount,
        recovery_messages.message.message_id as recovery_message_id,
        recovery_messages.message.message_channel as recovery_message_channel,
        {{ microseconds_between('recovery_messages.message.sent_at', 'carts.next_ordered_at') }}
        / 3600000000e0 as recovery_message_hours,
        {{ reporting_date('carts.started_at') }} as cart_date,
        carts.started_at,
        carts.last_event_at,
        case
            when carts.is_ordered then carts.next_ordered_at
            when carts.is_mature then carts.idle_ends_at
        end as closed_at,
        case when carts.is_ordered then carts.next_ordered_at end as ordered_at,
        case when carts.is_recovered_so_far then carts.next_ordered_at end as recovered_at,
        recovery_messages.message.sent_at as recovery_message_sent_at,
        case
            when recovery_messages.message.opened_at <= carts.next_ordered_at
                then recovery_messages.message.opened_at
        end as recovery_message_opened_at,
        case
            when recovery_messages.message.clicked_at <= carts.next_ordered_at
                then recovery_messages.message.clicked_at
        end as recovery_message_clicked_at
    from carts_of_sessions as carts
    left join recovery_messages on carts.cart_id = recovery_messages.cart_id
)

select * from carts_complete

-- Grain: one row per cart (docs/decisions/0010-carts.md): events of one visitor, over sessions and
-- devices, from an add to cart until they order or do nothing with a cart for cart_idle_hours.
-- Only what its events tell. What became of it by as_of_date is judged in fct_carts.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='cart_id',
    incremental_predicates=[cart_is_touched()],
    pre_hook=["{{ note_carts_priced_otherwise() }}", "{{ note_carts_of_touched_devices() }}"]
) }}
with

events as (
    select event_id, anonymous_id, event_name, product_id, quantity, event_value, event_at
    from {{ ref('int_cart_events_kept') }}
    where event_name <> 'purchase'
),

sessions as (
    select session_id, visitor_id, anonymous_id, started_at, ended_at
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where {{ cart_is_touched() }}
    {%- endif %}
),

orders as (
    select visitor_id, ordered_at from {{ ref('int_cart_orders_gathered') }}
    {% if is_incremental() -%}
    where {{ cart_is_touched() }}
    {%- endif %}
),

products as (
    select product_id, list_price_amount from {{ ref('int_cart_products_priced') }}
),

-- An event without a quantity is about one unit, as in GA4.
events_of_visitors as (
    select
        sessions.visitor_id,
        sessions.session_id,
        events.event_id,
        events.event_name,
        coalesce(events.product_id, '') as product_key,
        coalesce(events.quantity, 1) as quantity,
        coalesce(
            events.event_value,
            {{ extended('products.list_price_amount', 'coalesce(events.quantity, 1)') }}
        ) as event_amount,
        events.event_at
    from events
    inner join sessions
        on events.anonymous_id = sessions.anonymous_id
        and events.event_at >= sessions.started_at
        and events.event_at <= sessions.ended_at
    left join products on events.product_id = products.product_id
),

-- One row an instant: where events are at the same one, their order would be the engine's.
moments as (
    select
        visitor_id,
        event_at as happened_at,
        0 as order_rank,
        min(case when event_name = 'add_to_cart' then event_at end) as added_at
    from events_of_visitors
    group by visitor_id, event_at
    union all
    select
        visitor_id,
        ordered_at as happened_at,
        1 as order_rank,
        null as added_at
    from orders
),

-- At one instant events come before an order, which ends their cart.
moments_compared as (
    select
        *,
        lag(happened_at) over visitor as previous_at,
        lag(order_rank) over visitor as previous_order_rank,
        min(case when order_rank = 1 then happened_at end) over (
            partition by visitor_id order by happened_at, order_rank
            rows between current row and unbounded following
        ) as next_ordered_at
    from moments
    window visitor as (partition by visitor_id order by happened_at, order_rank)
),

moments_numbered as (
    select
        *,
        sum(case
            when previous_order_rank = 0
                and {{ microseconds_between('previous_at', 'happened_at') }}
                < {{ var('cart_idle_hours') * 3600000000 }}
                then 0
            else 1
        end) over (
            partition by visitor_id order by happened_at, order_rank rows unbounded preceding
        ) as island_number
    from moments_compared
),

-- What comes before the first add to cart is no part of it: with nothing added there is no cart.
carts_bounded as (
    select
        visitor_id,
        min(added_at) as started_at,
        max(happened_at) as last_event_at,
        max(next_ordered_at) as next_ordered_at
    from moments_numbered
    where order_rank = 0
    group by visitor_id, island_number
    having min(added_at) is not null
),

events_of_carts as (
    select
        events_of_visitors.*,
        carts_bounded.started_at,
        carts_bounded.last_event_at,
        carts_bounded.next_ordered_at,
        case events_of_visitors.event_name
            when 'add_to_cart' then events_of_visitors.quantity
            when 'remove_from_cart' then -events_of_visitors.quantity
        end as units
    from events_of_visitors
    inner join carts_bounded
        on events_of_visitors.visitor_id = carts_bounded.visitor_id
        and events_of_visitors.event_at >= carts_bounded.started_at
        and events_of_visitors.event_at <= carts_bounded.last_event_at
),

carts as (
    select
        visitor_id,
        started_at,
        {{ first_by('session_id', ['event_at', 'event_id']) }}
        filter (where event_name = 'add_to_cart') as session_id,
        count(*) filter (where event_name = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where event_name = 'remove_from_cart') as remove_from_cart_count,
        max(case event_name
            when 'begin_checkout' then 1
            when 'add_shipping_info' then 2
            when 'add_payment_info' then 3
            else 0
        end) as stage_number,
        last_event_at,
        next_ordered_at
    from events_of_carts
    group by visitor_id, started_at, last_event_at, next_ordered_at
),

units_added_up as (
    select
        visitor_id,
        started_at,
        product_key,
        event_name,
        units,
        event_amount,
        sum(units) over (
            partition by visitor_id, started_at, product_key
            order by event_at, event_name, event_id
            rows unbounded preceding
        ) as units_by_then
    from events_of_carts
    where units is not null
),

-- A removal takes out no more than there is: not from what is added later.
lines as (
    select
        visitor_id,
        started_at,
        product_key,
        cast(sum(units) - least(min(units_by_then), 0) as bigint) as unit_count,
        cast(sum(units) filter (where event_name = 'add_to_cart') as bigint) as added_unit_count,
        cast(sum(event_amount) filter (where event_name = 'add_to_cart') as decimal(18, 2))
            as added_amount,
        count(*) filter (where event_name = 'add_to_cart' and event_amount is null)
            as unvalued_add_count
    from units_added_up
    group by visitor_id, started_at, product_key
),

-- The units left are worth the mean of all that were added of the product.
lines_valued as (
    select
        visitor_id,
        started_at,
        unit_count,
        case
            when unvalued_add_count = 0
                then {{ proportion_to_cent('added_amount', 'unit_count', 'added_unit_count') }}
        end as amount
    from lines
    where unit_count > 0
),

cart_values as (
    select
        visitor_id,
        started_at,
        count(*) as line_count,
        cast(sum(unit_count) as bigint) as unit_count,
        case when count(amount) = count(*) then sum(amount) end as cart_amount
    from lines_valued
    group by visitor_id, started_at
),

carts_cut as (
    select
        md5(carts.visitor_id || '|' || cast(carts.started_at as string)) as cart_id,
        carts.visitor_id,
        carts.session_id,
        carts.add_to_cart_count,
        carts.remove_from_cart_count,
        coalesce(cart_values.line_count, 0) as line_count,
        coalesce(cart_values.unit_count, 0) as unit_count,
        cast(
            case when cart_values.line_count is null then 0 else cart_values.cart_amount end
            as decimal(18, 2)
        ) as cart_amount,
        case carts.stage_number
            when 0 then 'cart'
            when 1 then 'checkout'
            when 2 then 'shipping'
            else 'payment'
        end as furthest_stage,
        carts.started_at,
        carts.last_event_at,
        carts.next_ordered_at
    from carts
    left join cart_values
        on carts.visitor_id = cart_values.visitor_id
        and carts.started_at = cart_values.started_at
)

select * from carts_cut

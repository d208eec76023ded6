-- Grain: one row per order that was not cancelled and touch (docs/decisions/0016-acquisition.md).
-- A touch is a session of the order's visitor that began in the lookback before it. One session may
-- be a touch of several orders: amounts of orders or sessions do not add up over these rows.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key=['order_id', 'session_id'],
    incremental_predicates=['order_id in ' ~ touched('credited_order_id')],
    on_schema_change='fail',
    pre_hook="{{ note_orders_of_touched_visitors() }}"
) }}
with

orders as (
    select
        order_id,
        customer_id,
        visitor_id,
        session_id,
        session_visitor_id,
        is_placed_elsewhere,
        is_session_identified,
        order_date,
        previous_ordered_at,
        ordered_at,
        ordered_at - interval '{{ var("attribution_lookback_days") }}' day as lookback_from_at
    from {{ ref('int_credited_orders_kept') }}
    {% if is_incremental() -%}
    where order_id in {{ touched('credited_order_id') }}
    {%- endif %}
),

sessions as (
    select session_id, visitor_id, channel, utm_campaign as campaign, started_at
    from {{ ref('fct_sessions') }}
),

-- Who orders on a device that nobody is known on was its visitor all the time.
orders_of_visitors as (
    select
        order_id,
        visitor_id,
        lookback_from_at,
        ordered_at
    from orders
    where visitor_id is not null
    union all
    select
        order_id,
        session_visitor_id as visitor_id,
        lookback_from_at,
        ordered_at
    from orders
    where is_placed_elsewhere and not is_session_identified
),

-- Of a session that is another customer's, that one alone.
touches as (
    select
        orders_of_visitors.order_id,
        sessions.session_id,
        sessions.channel,
        sessions.campaign,
        sessions.started_at
    from orders_of_visitors
    inner join sessions
        on orders_of_visitors.visitor_id = sessions.visitor_id
        and orders_of_visitors.lookback_from_at <= sessions.started_at
        and orders_of_visitors.ordered_at >= sessions.started_at
    union all
    select
        orders.order_id,
        sessions.session_id,
        sessions.channel,
        sessions.campaign,
        sessions.started_at
    from orders
    inner join sessions
        on orders.session_id = sessions.session_id
        and orders.lookback_from_at <= sessions.started_at
        and orders.ordered_at >= sessions.started_at
    where orders.is_placed_elsewhere and orders.is_session_identified
),

touches_numbered as (
    select
        *,
        channel = 'direct' as is_direct,
        row_number() over (partition by order_id order by started_at, session_id) as touch_number
    from touches
),

touch_counts as (
    select
        order_id,
        count(*) as touch_count,
        max(case when not is_direct then touch_number end) as last_non_direct_number
    from touches_numbered
    group by order_id
),

touchpoints as (
    select
        orders.order_id,
        touches.session_id,
        orders.customer_id,
        touches.touch_number,
        touch_counts.touch_count,
        touches.channel,
        touches.campaign,
        touches.is_direct,
        touches.touch_number = 1 as is_first,
        touches.touch_number = touch_counts.touch_count as is_last,
        coalesce(touches.touch_number = touch_counts.last_non_direct_number, false)
            as is_last_non_direct,
        coalesce(touches.started_at <= orders.previous_ordered_at, false)
            as is_shared_with_earlier_order,
        {{ microseconds_between('touches.started_at', 'orders.ordered_at') }} / 86400000000e0
            as days_before_order,
        orders.order_date,
        touches.started_at,
        orders.ordered_at
    from touches_numbered as touches
    inner join touch_counts on touches.order_id = touch_counts.order_id
    inner join orders on touches.order_id = orders.order_id
)

select * from touchpoints

-- Grain: one row per session (see int_sessions_cut), bots left out.
-- Stage times say how far the session went; NULL: not reached. Orders and revenue are those matched
-- to the session (int_orders_matched), a part of fct_orders: never more than it has.
with

sessions as (
    select * from {{ ref('int_sessions_identified') }}
),

orders as (
    select
        session_id,
        status,
        is_revenue,
        customer_order_number,
        unit_count,
        net_amount,
        ordered_at
    from {{ ref('fct_orders') }}
    where session_id is not null
),

session_orders as (
    select
        session_id,
        count(*) filter (where status <> 'cancelled') as order_count,
        sum(unit_count) filter (where is_revenue) as unit_count,
        sum(net_amount) as net_amount,
        min(ordered_at) as ordered_at,
        min(ordered_at) filter (where customer_order_number >= 2) as reordered_at
    from orders
    group by session_id
),

sessions_judged as (
    select
        *,
        row_number() over (partition by visitor_id order by started_at, session_id)
            as visitor_session_number,
        page_view_count <= 1
        and interaction_count = 0
        and engaged_ms < {{ var('engaged_seconds') * 1000 }} as is_bounced
    from sessions
),

sessions_complete as (
    select
        sessions_judged.session_id,
        sessions_judged.visitor_id,
        sessions_judged.customer_id,
        sessions_judged.anonymous_id,
        sessions_judged.channel,
        {% for column in [
            'utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'referrer_host'
        ] -%}
        sessions_judged.first_event.{{ column }} as {{ column }},
        {% endfor -%}
        sessions_judged.landing_page.page_path as landing_page_path,
        sessions_judged.landing_page.page_type as landing_page_type,
        {% for column in ['device', 'browser', 'country'] -%}
        sessions_judged.first_event.{{ column }} as {{ column }},
        {% endfor -%}
        sessions_judged.visitor_session_number,
        sessions_judged.visitor_session_number = 1 as is_new_visitor,
        sessions_judged.is_bounced,
        not sessions_judged.is_bounced as is_engaged,
        session_orders.session_id is not null or sessions_judged.purchase_event_at is not null
            as is_converted,
        sessions_judged.event_count,
        sessions_judged.page_view_count,
        sessions_judged.product_view_count,
        sessions_judged.add_to_cart_count,
        sessions_judged.page_load_count,
        sessions_judged.page_load_ms,
        sessions_judged.slowest_page_load_ms,
        sessions_judged.engaged_ms,
        coalesce(session_orders.order_count, 0) as order_count,
        cast(coalesce(session_orders.unit_count, 0) as bigint) as unit_count,
        cast(coalesce(session_orders.net_amount, 0) as decimal(18, 2)) as net_amount,
        {{ reporting_date('sessions_judged.started_at') }} as session_date,
        sessions_judged.started_at,
        sessions_judged.ended_at,
        -- An engaged session shows interest from its start.
        case
            when not sessions_judged.is_bounced then sessions_judged.started_at
            else sessions_judged.interest_event_at
        end as interest_at,
        sessions_judged.consideration_at,
        sessions_judged.intent_at,
        sessions_judged.add_to_cart_at,
        sessions_judged.begin_checkout_at,
        sessions_judged.add_shipping_info_at,
        sessions_judged.add_payment_info_at,
        -- Tracking loses some purchases: the order itself tells of them.
        coalesce(sessions_judged.purchase_event_at, session_orders.ordered_at) as purchase_at,
        session_orders.reordered_at as loyalty_at
    from sessions_judged
    left join session_orders on sessions_judged.session_id = session_orders.session_id
)

select * from sessions_complete

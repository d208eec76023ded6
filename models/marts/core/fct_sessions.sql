-- Grain: one row per session (see int_sessions_cut), bots left out.
-- Stage times say how far the session went; NULL: not reached. Orders and revenue are those matched
-- to the session (int_orders_matched), a part of fct_orders: never more than it has.
-- depends_on: {{ ref('int_daily_sessions_cut') }}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='session_id',
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    on_schema_change='fail',
    meta={
        'touches': {'session_date': 'session_date'},
        'touched_but_for': [
            'visitor_id', 'customer_id', 'visitor_session_number', 'customer_known_at'
        ],
        'slices': 'visitor_id'
    }
) }}
{% set in_touched = 'visitor_id in ' ~ touched('visitor_id') %}
{% set visitors = in_touched if is_incremental() else in_slice_of_keys('visitor_id') %}
with

visitors as (
    select
        session_id,
        anonymous_id,
        customer_id,
        visitor_id,
        channel,
        customer_known_at,
        row_number() over (partition by visitor_id order by started_at, session_id)
            as visitor_session_number
    from {{ ref('int_sessions_identified') }}
    where {{ visitors }}
),

sessions as (
    {{ sessions_cut('anonymous_id in (select anonymous_id from visitors)') }}
),

session_orders as (
    select session_id, order_count, unit_count, net_amount, ordered_at, reordered_at
    from {{ ref('int_session_orders_summed') }}
),

sessions_judged as (
    select
        sessions.*,
        visitors.customer_id,
        visitors.visitor_id,
        visitors.channel,
        visitors.customer_known_at,
        visitors.visitor_session_number,
        sessions.page_view_count <= 1
        and sessions.interaction_count = 0
        and sessions.engaged_ms < {{ var('engaged_seconds') * 1000 }} as is_bounced
    from sessions
    inner join visitors on sessions.session_id = visitors.session_id
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
        sessions_judged.landing_page.page_load_ms as landing_page_load_ms,
        sessions_judged.exit_page.page_path as exit_page_path,
        sessions_judged.exit_page.page_type as exit_page_type,
        sessions_judged.exit_page.page_load_ms as exit_page_load_ms,
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
        sessions_judged.customer_known_at,
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

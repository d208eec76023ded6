-- Grain: one row per day and pair of products viewed or put into a cart in a session of that day.
-- product_a is before product_b; a product with itself is the sessions that have it, and a row
-- without products all of them. Sessions of too many products are left out
-- (affinity_largest_basket). A day is counted again when its sessions or their events were touched.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['basket_date in ' ~ touched('session_pair_date', 'date')],
    on_schema_change='fail',
    pre_hook="{{ note_touched_session_pairs() }}"
) }}
with

sessions as (
    select session_id, anonymous_id, session_date as basket_date, started_at, ended_at
    from {{ ref('fct_sessions') }}
    where (product_view_count > 0 or add_to_cart_count > 0)
    {% if is_incremental() -%}
    and session_date in {{ touched('session_pair_date', 'date') }}
    {%- endif %}
),

events as (
    select anonymous_id, product_id, event_at
    from {{ ref('stg_web__interactions') }}
    where event_name in ('product_view', 'add_to_cart') and product_id is not null
),

bounds as (
    select min(started_at) as from_at, max(ended_at) as to_at from sessions
),

session_products as (
    select
        sessions.basket_date,
        sessions.session_id as basket_id,
        events.product_id
    from events
    inner join bounds on events.event_at >= bounds.from_at and events.event_at <= bounds.to_at
    inner join sessions
        on events.anonymous_id = sessions.anonymous_id
        and events.event_at >= sessions.started_at
        and events.event_at <= sessions.ended_at
    group by sessions.basket_date, sessions.session_id, events.product_id
),

{{ basket_pairs('session_products') }}

select * from pairs_counted

-- Grain: one row per measure, day of the session, dimension and value.
{% set dimensions = {'channel': 'channel', 'device': 'device', 'country': 'country'} %}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['period_start_date in ' ~ touched('session_date', 'date')],
    on_schema_change='fail'
) }}
with

sessions as (
    select
        session_date,
        channel,
        device,
        country,
        is_new_visitor,
        is_bounced,
        is_converted,
        add_to_cart_at,
        begin_checkout_at,
        begin_checkout_at is not null and purchase_at is null as is_checkout_left,
        page_view_count,
        page_load_count,
        page_load_ms,
        engaged_ms
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where session_date in {{ touched('session_date', 'date') }}
    {%- endif %}
),

sums as (
    select
        'day' as period,
        session_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(*) as session_count,
        count(*) filter (where is_new_visitor) as new_visitor_count,
        count(*) filter (where is_bounced) as bounced_session_count,
        count(*) filter (where not is_bounced) as engaged_session_count,
        count(*) filter (where is_converted) as converted_session_count,
        count(add_to_cart_at) as add_to_cart_session_count,
        count(begin_checkout_at) as checkout_session_count,
        count(*) filter (where is_checkout_left) as left_checkout_session_count,
        sum(page_view_count) as page_view_count,
        sum(page_load_count) as page_load_count,
        coalesce(sum(page_load_ms), 0) as page_load_ms,
        coalesce(sum(engaged_ms), 0) as engaged_ms
    from sessions
    group by {{ dimension_sets(['session_date'], dimensions) }} -- noqa: PRS
),

session_measures_summed as (
    {{ measure_rows('sums', {
        'sessions': 'session_count',
        'new_visitors': 'new_visitor_count',
        'bounced_sessions': 'bounced_session_count',
        'engaged_sessions': 'engaged_session_count',
        'converted_sessions': 'converted_session_count',
        'add_to_cart_sessions': 'add_to_cart_session_count',
        'checkout_sessions': 'checkout_session_count',
        'left_checkout_sessions': 'left_checkout_session_count',
        'page_views': 'page_view_count',
        'page_loads': 'page_load_count',
        'page_load_ms': 'page_load_ms',
        'engaged_ms': 'engaged_ms',
    }) }}
)

select * from session_measures_summed

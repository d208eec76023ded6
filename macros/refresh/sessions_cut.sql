{#
    The select of int_sessions_cut. A refresh asks for the sessions of some devices alone: `devices` is a
    condition on anonymous_id, which the engine would not see through the view's windows.
#}
{% macro sessions_cut(devices='true') -%}
{%- set counts = [
    'event_count', 'page_view_count', 'interaction_count', 'product_view_count', 'add_to_cart_count',
    'page_load_count', 'page_load_ms', 'engaged_ms'
] %}
{% set stage_times = [
    'interest_event_at', 'consideration_at', 'intent_at', 'add_to_cart_at', 'begin_checkout_at',
    'add_shipping_info_at', 'add_payment_info_at', 'purchase_event_at'
] %}
{% set gap = var('session_gap_minutes') * 60000000 %}
{% set columns = ['session_part_id', 'anonymous_id', 'started_at', 'ended_at', 'first_event',
    'landing_page', 'exit_page'] + counts + stage_times + ['slowest_page_load_ms'] %}
with

session_parts as (
    select
        *,
        {{ microseconds_between('cast(utc_date as timestamp)', 'started_at') }} < {{ gap }}
        or {{ microseconds_between('ended_at', 'cast(utc_date + 1 as timestamp)') }} <= {{ gap }}
            as is_near_midnight
    from {{ ref('int_daily_sessions_cut') }}
    where {{ devices }}
),

parts_compared as (
    select
        *,
        lag(ended_at) over (partition by anonymous_id order by started_at) as previous_ended_at
    from session_parts
    where is_near_midnight
),

parts_numbered as (
    select
        *,
        sum(case
            when {{ microseconds_between('previous_ended_at', 'started_at') }} < {{ gap }} then 0
            else 1
        end) over (
            partition by anonymous_id order by started_at rows unbounded preceding
        ) as session_number
    from parts_compared
),

sessions as (
    select
        {{ columns | join(',\n        ') }}
    from session_parts
    where not is_near_midnight
    union all
    select
        {{ first_by('session_part_id', ['started_at']) }} as session_part_id,
        anonymous_id,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        {{ first_by('first_event', ['started_at']) }} as first_event,
        {{ first_by('landing_page', ['started_at']) }} as landing_page,
        {{ last_by('exit_page', ['started_at']) }} as exit_page,
        {% for column in counts %}
        cast(sum({{ column }}) as bigint) as {{ column }},
        {% endfor %}
        {% for column in stage_times %}
        min({{ column }}) as {{ column }},
        {% endfor %}
        max(slowest_page_load_ms) as slowest_page_load_ms
    from parts_numbered
    group by anonymous_id, session_number
),

-- The id of a session is that of its first part: a hash of the device and the first event's time.
sessions_identified as (
    select
        session_part_id as session_id,
        {{ columns[1:] | join(',\n        ') }}
    from sessions
)

select * from sessions_identified
{%- endmacro %}

-- Without this a build for a past day could know the future, and a forecast judged by it would look
-- better than it was.
with

as_of as (
    select as_of_date, known_until_at from {{ ref('stg_shop__as_of') }}
),

{% set times = {
    'fct_orders': ['ordered_at', 'delivered_at'],
    'fct_order_lines': ['ordered_at'],
    'fct_refunds': ['refunded_at'],
    'fct_sessions': ['started_at', 'ended_at', 'purchase_at', 'loyalty_at'],
    'dim_customers': ['created_at', 'first_session_at', 'first_ordered_at', 'last_ordered_at'],
} %}

newest as (
    {% for mart, columns in times.items() %}
    {% set is_last_mart = loop.last %}
    {% for column in columns %}
    select
        '{{ mart }}.{{ column }}' as time_column,
        max({{ column }}) as newest_at
    from {{ ref(mart) }}
    {{ 'union all' if not (is_last_mart and loop.last) }}
    {% endfor %}
    {% endfor %}
)

select
    newest.time_column,
    newest.newest_at
from newest
cross join as_of
where newest.newest_at >= as_of.known_until_at

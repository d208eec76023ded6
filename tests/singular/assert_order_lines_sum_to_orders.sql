-- Without this an order could lose a line, or a line be counted twice by a join, and revenue by
-- product would no longer be revenue by order. Per day and currency, in every money column.
with

lines as (
    select * from {{ ref('fct_order_lines') }}
),

orders as (
    select * from {{ ref('fct_orders') }}
),

line_sums as (
    select
        order_id,
        order_date,
        currency,
        sum(quantity) as unit_count,
        sum(returned_quantity) as returned_unit_count,
        {% for column in [
            'ordered_amount', 'gross_amount', 'discount_amount', 'net_amount',
            'net_amount_in_order_currency', 'refund_amount_by_order_date',
            'net_amount_after_refunds_by_order_date'
        ] %}
        sum({{ column }}) as {{ column }},
        {% endfor %}
        -- an order's cost is known where all of its lines' are
        case when count(cost_amount) = count(*) then sum(cost_amount) end as cost_amount,
        case when count(margin_amount) = count(*) then sum(margin_amount) end as margin_amount
    from lines
    group by order_id, order_date, currency
),

{% set columns = [
    'unit_count', 'returned_unit_count', 'ordered_amount', 'gross_amount', 'discount_amount',
    'net_amount', 'net_amount_in_order_currency', 'refund_amount_by_order_date',
    'net_amount_after_refunds_by_order_date', 'cost_amount', 'margin_amount'
] %}

rows_of_both as (
    select
        {{ columns | join(',\n        ') }},
        order_date,
        currency
    from orders
    union all
    select
        {% for column in columns %}
        -{{ column }} as {{ column }},
        {% endfor %}
        order_date,
        currency
    from line_sums
),

differences as (
    select
        {% for column in columns %}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor %}
        order_date,
        currency
    from rows_of_both
    group by order_date, currency
)

select * from differences
where {{ columns | join(' <> 0 or ') }} <> 0

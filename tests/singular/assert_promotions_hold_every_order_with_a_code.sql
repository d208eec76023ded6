-- Without this orders with a code that the shop does not list, or of guests, could be in no row.
with

orders as (
    select promo_code, is_revenue, gross_amount, discount_amount, net_amount, margin_amount
    from {{ ref('fct_orders') }}
    where status <> 'cancelled' and promo_code is not null
),

promotions as (
    select
        promo_code,
        order_count,
        new_customer_order_count + returning_customer_order_count + guest_order_count
            as order_count_by_kind,
        revenue_order_count,
        gross_amount,
        discount_amount,
        net_amount,
        margin_amount
    from {{ ref('agg_promotion_performance') }}
),

rows_of_both as (
    select
        promo_code,
        count(*) as order_count,
        count(*) as order_count_by_kind,
        count(*) filter (where is_revenue) as revenue_order_count,
        coalesce(sum(gross_amount), 0) as gross_amount,
        coalesce(sum(discount_amount), 0) as discount_amount,
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(margin_amount), 0) as margin_amount
    from orders
    group by promo_code
    union all
    select
        promo_code,
        -order_count as order_count,
        -order_count_by_kind as order_count_by_kind,
        -revenue_order_count as revenue_order_count,
        -gross_amount as gross_amount,
        -discount_amount as discount_amount,
        -net_amount as net_amount,
        -margin_amount as margin_amount
    from promotions
),

{% set sums = [
    'order_count', 'order_count_by_kind', 'revenue_order_count', 'gross_amount',
    'discount_amount', 'net_amount', 'margin_amount'
] %}

differences as (
    select
        {% for column in sums -%}
        sum({{ column }}) as {{ column }},
        {% endfor -%}
        promo_code
    from rows_of_both
    group by promo_code
)

select * from differences
where {{ sums | join(' <> 0 or ') }} <> 0

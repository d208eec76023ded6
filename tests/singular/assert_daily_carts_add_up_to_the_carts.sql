-- Without this the daily table could keep days that a refresh should have made again, and the rate
-- that everybody looks at would not be that of the carts one can count.
with

carts as (
    select
        cart_date,
        is_mature,
        is_ordered,
        is_abandoned,
        is_recovered,
        cart_amount,
        recovered_net_amount
    from {{ ref('fct_carts') }}
),

daily as (
    select * from {{ ref('agg_cart_abandonment_daily') }}
),

rows_of_both as (
    select
        cart_date,
        count(*) as cart_count,
        count(*) filter (where is_mature) as mature_cart_count,
        count(*) filter (where is_ordered) as ordered_cart_count,
        count(*) filter (where is_abandoned) as abandoned_cart_count,
        count(*) filter (where is_recovered) as recovered_cart_count,
        coalesce(sum(cart_amount), 0) as cart_amount,
        coalesce(sum(recovered_net_amount), 0) as recovered_net_amount
    from carts
    group by cart_date
    union all
    select
        cart_date,
        -sum(ordered_cart_count + abandoned_cart_count + open_cart_count) as cart_count,
        -sum(mature_cart_count) as mature_cart_count,
        -sum(ordered_cart_count) as ordered_cart_count,
        -sum(
            abandoned_at_cart_count + abandoned_at_checkout_count
            + abandoned_at_shipping_count + abandoned_at_payment_count
        ) as abandoned_cart_count,
        -sum(recovered_cart_count) as recovered_cart_count,
        -sum(cart_amount) as cart_amount,
        -sum(recovered_net_amount) as recovered_net_amount
    from daily
    group by cart_date
),

{% set sums = [
    'cart_count', 'mature_cart_count', 'ordered_cart_count', 'abandoned_cart_count',
    'recovered_cart_count', 'cart_amount', 'recovered_net_amount'
] %}

differences as (
    select
        {% for column in sums -%}
        sum({{ column }}) as {{ column }},
        {% endfor -%}
        cart_date
    from rows_of_both
    group by cart_date
)

select * from differences
where {{ sums | join(' <> 0 or ') }} <> 0

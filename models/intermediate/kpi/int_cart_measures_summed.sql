-- Grain: one row per measure, day of the cart, dimension and value.
{% set dimensions = {'channel': 'channel', 'device': 'device', 'country': 'country'} %}
with

carts as (
    select
        cart_date,
        channel,
        device,
        country,
        cart_count,
        mature_cart_count,
        abandoned_cart_count,
        settled_cart_count,
        settled_recovered_cart_count,
        abandoned_amount
    from {{ ref('agg_cart_abandonment_daily') }}
),

sums as (
    select
        'day' as period,
        cart_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        sum(cart_count) as cart_count,
        sum(mature_cart_count) as mature_cart_count,
        sum(abandoned_cart_count) as abandoned_cart_count,
        sum(settled_cart_count) as settled_cart_count,
        sum(settled_recovered_cart_count) as recovered_cart_count,
        sum(abandoned_amount) as abandoned_amount
    from carts
    group by {{ dimension_sets(['cart_date'], dimensions) }} -- noqa: PRS
),

cart_measures_summed as (
    {{ measure_rows('sums', {
        'carts': 'cart_count',
        'mature_carts': 'mature_cart_count',
        'abandoned_carts': 'abandoned_cart_count',
        'settled_carts': 'settled_cart_count',
        'recovered_carts': 'recovered_cart_count',
        'abandoned_cart_value': 'abandoned_amount',
    }) }}
)

select * from cart_measures_summed

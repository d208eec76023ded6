-- Grain: one row per measure, day of the order, dimension and value.
-- Orders are those with revenue; repeat orders and the gaps between orders those not cancelled.
-- Cost and margin are of the orders whose cost is known, as is the net amount beside them.
{% set dimensions = {'session_channel': 'channel', 'device': 'device', 'country': 'country'} %}
with

orders as (
    select
        order_id,
        customer_id,
        session_channel,
        device,
        country,
        payment_method,
        promo_code,
        is_revenue,
        customer_order_number,
        unit_count,
        gross_amount,
        discount_amount,
        net_amount,
        net_amount_after_refunds_by_order_date,
        cost_amount,
        margin_amount,
        case when margin_amount is not null then net_amount end as net_amount_of_known_margin,
        shipping_amount,
        order_date,
        ordered_at
    from {{ ref('fct_orders') }}
),

-- A customer's orders are numbered without a gap: the one before is the row before. Days are whole
-- millionths, halves up, so that sums are exact: a cast of a double rounds some halves down.
orders_spaced as (
    select
        *,
        cast(floor({{ microseconds_between(
            'lag(ordered_at) over (partition by customer_id order by customer_order_number)',
            'ordered_at'
        ) }} / 86400e0 + 0.5e0) as decimal(22, 0)) * 0.000001 as days_since_order
    from orders
    where customer_order_number is not null
),

-- Shops may print a code for each customer: the most used ones are told one by one.
promo_codes as (
    select
        promo_code,
        row_number() over (order by count(*) desc, promo_code) as use_rank
    from orders
    where promo_code is not null
    group by promo_code
),

orders_labelled as (
    select
        orders.*,
        case
            when orders.promo_code is null then 'none'
            when promo_codes.use_rank <= {{ var('kpi_promo_codes_kept') }} then orders.promo_code
            else 'other'
        end as promo_code_kept
    from orders
    left join promo_codes on orders.promo_code = promo_codes.promo_code
),

sums as (
    select
        'day' as period,
        order_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(*) filter (where is_revenue) as order_count,
        count(*) filter (where is_revenue and customer_id is not null) as customer_order_count,
        count(*) filter (where is_revenue and promo_code is not null) as promo_order_count,
        count(*) filter (where customer_order_number > 1) as repeat_order_count,
        count(customer_order_number) as numbered_order_count,
        coalesce(sum(unit_count) filter (where is_revenue), 0) as unit_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount',
            'net_amount_after_refunds_by_order_date', 'cost_amount', 'margin_amount',
            'net_amount_of_known_margin', 'shipping_amount'
        ] -%}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor -%}
        coalesce(sum(margin_amount) filter (where customer_id is not null), 0)
            as customer_margin_amount
    from orders_labelled
    group by {{ dimension_sets(['order_date'], dimensions) }} -- noqa: PRS
),

gaps as (
    select
        'day' as period,
        order_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(days_since_order) as gap_count,
        coalesce(sum(days_since_order), 0) as gap_days
    from orders_spaced
    group by {{ dimension_sets(['order_date'], dimensions) }} -- noqa: PRS
),

{% set mixes = {'payment_method': 'payment_method', 'promo_code_kept': 'promo_code'} %}
mix_sums as (
    select
        'day' as period,
        order_date as period_start_date,
        {{ dimension_of_row(mixes) }},
        count(*) as order_count,
        sum(net_amount) as net_amount
    from orders_labelled
    where is_revenue
    group by {{ dimension_sets(['order_date'], mixes) }} -- noqa: PRS
),

mixes as (
    select * from mix_sums where dimension <> 'total'
),

order_measures_summed as (
    {{ measure_rows('sums', {
        'orders': 'order_count',
        'customer_orders': 'customer_order_count',
        'promo_orders': 'promo_order_count',
        'repeat_orders': 'repeat_order_count',
        'numbered_orders': 'numbered_order_count',
        'units_sold': 'unit_count',
        'gross_revenue': 'gross_amount',
        'discount': 'discount_amount',
        'net_revenue': 'net_amount',
        'net_revenue_after_refunds': 'net_amount_after_refunds_by_order_date',
        'cost': 'cost_amount',
        'margin': 'margin_amount',
        'customer_margin': 'customer_margin_amount',
        'net_revenue_of_known_margin': 'net_amount_of_known_margin',
        'shipping_revenue': 'shipping_amount',
    }) }}
    union all
    {{ measure_rows('gaps', {'order_gaps': 'gap_count', 'order_gap_days': 'gap_days'}) }}
    union all
    {{ measure_rows('mixes', {'orders': 'order_count', 'net_revenue': 'net_amount'}) }}
)

select * from order_measures_summed

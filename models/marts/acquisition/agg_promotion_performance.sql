-- Grain: one row per promotion code that the shop knows or that an order has, as it was entered.
-- Orders that were cancelled are none. Discounts are all of these orders', lines' own ones too.
-- What customers did next is told of those whose first order had the code; the comparison, of all
-- whose first order had none, is the same on each row.
with

orders as (
    select
        order_id,
        customer_id,
        customer_order_number,
        is_first_order,
        is_guest,
        is_revenue,
        promo_code,
        gross_amount,
        discount_amount,
        net_amount,
        refund_amount_by_order_date,
        margin_amount,
        ordered_at
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

promotions as (
    select promo_code, kind, campaign, promotion_value, starts_at, ends_at
    from {{ ref('stg_shop__promotions') }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

order_sums as (
    select
        count(*) as order_count,
        count(*) filter (where orders.is_revenue) as revenue_order_count,
        count(*) filter (where orders.is_first_order) as new_customer_order_count,
        count(*) filter (where not orders.is_first_order) as returning_customer_order_count,
        count(*) filter (where orders.is_guest) as guest_order_count,
        count(*) filter (
            where orders.ordered_at < promotions.starts_at
            or orders.ordered_at >= promotions.ends_at
        ) as invalid_order_count,
        count(*) filter (where orders.is_revenue and orders.margin_amount is null)
            as unknown_margin_order_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount_by_order_date',
            'margin_amount'
        ] -%}
        sum(orders.{{ column }}) as {{ column }},
        {% endfor -%}
        orders.promo_code
    from orders
    left join promotions on orders.promo_code = promotions.promo_code
    where orders.promo_code is not null
    group by orders.promo_code
),

first_orders as (
    select
        orders.customer_id,
        orders.promo_code,
        orders.ordered_at + interval '{{ var("second_order_days") }}' day as second_order_ends_at
    from orders
    cross join as_of
    where
        orders.is_first_order
        and orders.ordered_at + interval '{{ var("second_order_days") }}' day
        <= as_of.known_until_at
),

second_orders as (
    select customer_id, ordered_at from orders where customer_order_number = 2
),

next_orders as (
    select
        first_orders.promo_code,
        count(*) as mature_new_customer_count,
        count(second_orders.customer_id) as second_order_customer_count
    from first_orders
    left join second_orders
        on first_orders.customer_id = second_orders.customer_id
        and first_orders.second_order_ends_at > second_orders.ordered_at
    group by first_orders.promo_code
),

without_code as (
    select
        sum(mature_new_customer_count) as mature_new_customer_count,
        sum(second_order_customer_count) as second_order_customer_count
    from next_orders
    where promo_code is null
),

codes as (
    select promo_code from promotions
    union -- a code once, whether the shop lists it or an order has it
    select promo_code from order_sums
),

promotion_performance as (
    select
        codes.promo_code,
        promotions.promo_code is not null as is_known,
        promotions.kind,
        promotions.campaign,
        promotions.promotion_value,
        promotions.starts_at,
        promotions.ends_at,
        {% for column in [
            'order_count', 'revenue_order_count', 'new_customer_order_count',
            'returning_customer_order_count', 'guest_order_count'
        ] -%}
        coalesce(order_sums.{{ column }}, 0) as {{ column }},
        {% endfor -%}
        case
            when promotions.promo_code is not null then coalesce(order_sums.invalid_order_count, 0)
        end as invalid_order_count,
        coalesce(order_sums.unknown_margin_order_count, 0) as unknown_margin_order_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount_by_order_date',
            'margin_amount'
        ] -%}
        cast(coalesce(order_sums.{{ column }}, 0) as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        cast(order_sums.discount_amount as double) / nullif(order_sums.gross_amount, 0)
            as discount_rate,
        cast(order_sums.margin_amount as double) / nullif(order_sums.net_amount, 0) as margin_rate,
        coalesce(next_orders.mature_new_customer_count, 0) as mature_new_customer_count,
        coalesce(next_orders.second_order_customer_count, 0) as second_order_customer_count,
        cast(next_orders.second_order_customer_count as double)
        / nullif(next_orders.mature_new_customer_count, 0) as second_order_rate,
        cast(coalesce(without_code.mature_new_customer_count, 0) as bigint)
            as comparison_customer_count,
        cast(coalesce(without_code.second_order_customer_count, 0) as bigint)
            as second_order_comparison_customer_count,
        cast(without_code.second_order_customer_count as double)
        / nullif(without_code.mature_new_customer_count, 0) as comparison_second_order_rate
    from codes
    cross join without_code
    left join promotions on codes.promo_code = promotions.promo_code
    left join order_sums on codes.promo_code = order_sums.promo_code
    left join next_orders on codes.promo_code = next_orders.promo_code
)

select * from promotion_performance

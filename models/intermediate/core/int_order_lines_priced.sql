-- Grain: one row per order line, priced whatever the order's status.
-- Amounts of the order's currency are converted one by one, at the rate of the order's day, so that
-- any sum of lines is exact in both currencies. What allocation leaves over goes to the largest
-- line.
with

orders as (
    select order_id, status, currency, discount_amount, ordered_at
    from {{ ref('stg_shop__orders') }}
),

order_items as (
    select order_id, line_number, product_id, quantity, unit_price, discount_amount, unit_cost
    from {{ ref('stg_shop__order_items') }}
),

products as (
    select product_id, unit_cost, currency from {{ ref('stg_shop__products') }}
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

orders_rated as (
    select
        orders.order_id,
        {{ has_revenue('orders.status') }} as is_revenue,
        orders.currency,
        orders.discount_amount,
        orders.ordered_at,
        {{ reporting_date('orders.ordered_at') }} as order_date,
        rates.rate
    from orders
    inner join rates
        on {{ rate_holds('rates', 'orders.currency', reporting_date('orders.ordered_at')) }}
),

lines as (
    select
        order_items.order_id,
        order_items.line_number,
        order_items.product_id,
        orders_rated.is_revenue,
        orders_rated.currency,
        orders_rated.rate,
        orders_rated.discount_amount as order_discount,
        order_items.quantity,
        order_items.unit_price,
        {{ extended('order_items.unit_price', 'order_items.quantity') }} as gross,
        order_items.discount_amount as line_discount,
        -- The item's cost is in the order's currency, the product's in its own.
        coalesce(
            {{ unit_converted('order_items.unit_cost', 'orders_rated.rate') }},
            {{ unit_converted('products.unit_cost', 'product_rates.rate') }}
        ) as unit_cost_amount,
        orders_rated.order_date,
        orders_rated.ordered_at
    from order_items
    inner join orders_rated on order_items.order_id = orders_rated.order_id
    left join products on order_items.product_id = products.product_id
    left join rates as product_rates
        on {{ rate_holds('product_rates', 'products.currency', 'orders_rated.order_date') }}
),

lines_ranked as (
    select
        *,
        sum(gross) over (partition by order_id) as order_gross,
        row_number() over (partition by order_id order by gross desc, line_number) as size_rank
    from lines
),

lines_shared as (
    select
        *,
        {{ proportion_to_cent('order_discount', 'gross', 'order_gross') }} as discount_share
    from lines_ranked
),

lines_discounted as (
    select
        *,
        line_discount + discount_share + case
            when size_rank = 1
                then order_discount - sum(discount_share) over (partition by order_id)
            else 0
        end as discount
    from lines_shared
),

lines_converted as (
    select
        order_id,
        line_number,
        product_id,
        is_revenue,
        currency,
        rate,
        quantity,
        unit_price,
        unit_cost_amount,
        gross as gross_amount_in_order_currency,
        cast(discount as decimal(18, 2)) as discount_amount_in_order_currency,
        {{ converted('gross', 'rate') }} as gross_amount,
        {{ converted('cast(discount as decimal(18, 2))', 'rate') }} as discount_amount,
        {{ extended('unit_cost_amount', 'quantity') }} as cost_amount,
        order_date,
        ordered_at
    from lines_discounted
),

lines_priced as (
    select
        *,
        gross_amount_in_order_currency - discount_amount_in_order_currency
            as net_amount_in_order_currency,
        gross_amount - discount_amount as net_amount
    from lines_converted
)

select * from lines_priced

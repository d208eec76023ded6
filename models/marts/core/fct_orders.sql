-- Grain: one row per order, guests' included.
-- Revenue columns are sums of fct_order_lines, NULL where the order has no revenue (cancelled,
-- pending), so that sums and means over all rows are those of revenue. A cost unknown on one line
-- is unknown.
with

orders as (
    select * from {{ ref('stg_shop__orders') }}
),

lines as (
    select * from {{ ref('fct_order_lines') }}
),

rates as (
    select currency, valid_from_date, valid_to_date, rate from {{ ref('stg_shop__fx_rates') }}
),

matches as (
    select order_id, session_id from {{ ref('int_orders_matched') }}
),

sessions as (
    select session_id, visitor_id, channel from {{ ref('int_sessions_identified') }}
),

order_sums as (
    select
        order_id,
        count(*) as line_count,
        sum(quantity) as unit_count,
        sum(returned_quantity) as returned_unit_count,
        sum(ordered_amount) as ordered_amount,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(net_amount) as net_amount,
        sum(net_amount_in_order_currency) as net_amount_in_order_currency,
        sum(refund_amount_by_order_date) as refund_amount_by_order_date,
        sum(net_amount_after_refunds_by_order_date) as net_amount_after_refunds_by_order_date,
        case when count(cost_amount) = count(*) then sum(cost_amount) end as cost_amount,
        case when count(margin_amount) = count(*) then sum(margin_amount) end as margin_amount
    from lines
    group by order_id
),

orders_rated as (
    select
        orders.*,
        {{ has_revenue('orders.status') }} as is_revenue,
        {{ reporting_date('orders.ordered_at') }} as order_date,
        rates.rate
    from orders
    inner join rates
        on {{ rate_holds('rates', 'orders.currency', reporting_date('orders.ordered_at')) }}
),

orders_numbered as (
    select
        order_id,
        row_number() over (partition by customer_id order by ordered_at, order_id)
            as customer_order_number
    from orders
    where status <> 'cancelled' and customer_id is not null
),

orders_complete as (
    select
        orders_rated.order_id,
        orders_rated.customer_id,
        coalesce(orders_rated.customer_id, sessions.visitor_id, orders_rated.anonymous_id)
            as visitor_id,
        matches.session_id,
        sessions.channel as session_channel,
        orders_rated.status,
        orders_rated.is_revenue,
        orders_rated.customer_id is null as is_guest,
        orders_numbered.customer_order_number,
        orders_numbered.customer_order_number = 1 as is_first_order,
        orders_rated.currency,
        orders_rated.promo_code,
        orders_rated.payment_method,
        orders_rated.device,
        orders_rated.country,
        orders_rated.delivered_at <= orders_rated.delivery_promised_at as is_delivered_on_time,
        coalesce(order_sums.line_count, 0) as line_count,
        cast(coalesce(order_sums.unit_count, 0) as bigint) as unit_count,
        case
            when orders_rated.is_revenue
                then cast(coalesce(order_sums.returned_unit_count, 0) as bigint)
        end as returned_unit_count,
        {% for column in [
            'gross_amount', 'discount_amount', 'net_amount', 'net_amount_in_order_currency',
            'refund_amount_by_order_date', 'net_amount_after_refunds_by_order_date'
        ] -%}
        case
            when orders_rated.is_revenue
                then cast(coalesce(order_sums.{{ column }}, 0) as decimal(18, 2))
        end as {{ column }},
        {% endfor -%}
        cast(order_sums.cost_amount as decimal(18, 2)) as cost_amount,
        cast(order_sums.margin_amount as decimal(18, 2)) as margin_amount,
        cast(coalesce(order_sums.ordered_amount, 0) as decimal(18, 2)) as ordered_amount,
        case
            when orders_rated.is_revenue
                then {{ converted('orders_rated.shipping_amount', 'orders_rated.rate') }}
        end as shipping_amount,
        case
            when orders_rated.is_revenue
                then {{ converted('orders_rated.tax_amount', 'orders_rated.rate') }}
        end as tax_amount,
        orders_rated.order_date,
        orders_rated.ordered_at,
        orders_rated.delivery_promised_at,
        orders_rated.delivered_at
    from orders_rated
    left join order_sums on orders_rated.order_id = order_sums.order_id
    left join orders_numbered on orders_rated.order_id = orders_numbered.order_id
    left join matches on orders_rated.order_id = matches.order_id
    left join sessions on matches.session_id = sessions.session_id
)

select * from orders_complete

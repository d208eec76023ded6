-- Grain: one row per order. No customer_id: a guest's order.
with

orders as (
    select * from {{ ref('base_shop__orders') }} where verdict = 'kept'
),

orders_known as (
    select
        order_id,
        customer_id,
        anonymous_id,
        case
            when status = 'delivered' and not coalesce({{ is_known('delivered_at') }}, true)
                then 'shipped'
            else status
        end as status,
        upper(coalesce(currency, '{{ var("reporting_currency") }}')) as currency,
        coalesce(shipping_amount, 0) as shipping_amount,
        coalesce(tax_amount, 0) as tax_amount,
        coalesce(discount_amount, 0) as discount_amount,
        promo_code,
        payment_method,
        device,
        country,
        ordered_at,
        delivery_promised_at,
        {{ when_known('delivered_at') }} as delivered_at
    from orders
    where {{ is_known('ordered_at') }}
)

select * from orders_known

-- Who has just bought a product and is shown it again learns not to look at recommendations.
with

recommendations as (
    select customer_id, product_id, is_replenished from {{ ref('fct_product_recommendations') }}
),

orders as (
    select order_id, customer_id from {{ ref('fct_orders') }} where status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

bought as (
    select orders.customer_id, lines.product_id
    from lines
    inner join orders on lines.order_id = orders.order_id
    where orders.customer_id is not null
    group by orders.customer_id, lines.product_id
)

select recommendations.*
from recommendations
left join bought
    on recommendations.customer_id = bought.customer_id
    and recommendations.product_id = bought.product_id
where recommendations.is_replenished <> (bought.customer_id is not null)

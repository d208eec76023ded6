-- Grain: one row per recommendation date, customer and product that is not recommended to them.
-- What they have bought, unless it is due again.
with

peers as (
    select as_of_date, customer_id
    from {{ ref('int_customer_peers_matched') }}
    where is_recommended_to
),

customer_products as (
    select customer_id, product_id, order_date
    from {{ ref('int_customer_products_gathered') }}
    where order_date = first_bought_date
),

replenishments as (
    select as_of_date, customer_id, product_id from {{ ref('int_customer_replenishments_dated') }}
),

exclusions_listed as (
    select
        peers.as_of_date,
        customer_products.customer_id,
        customer_products.product_id
    from customer_products
    inner join peers
        on customer_products.customer_id = peers.customer_id
        and customer_products.order_date <= peers.as_of_date
    left join replenishments
        on peers.as_of_date = replenishments.as_of_date
        and customer_products.customer_id = replenishments.customer_id
        and customer_products.product_id = replenishments.product_id
    where replenishments.customer_id is null
)

select * from exclusions_listed

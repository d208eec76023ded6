-- Grain: one row per recommendation date, kind of peers, group of them and product they ordered.
-- Peers are all (guests too), those of a country, or of an RFM segment. order_share: of the orders
-- of the group in the last recommendation_popularity_days those with the product, as it was ordered
-- (cancelled ones left out).
with

dates as (
    select as_of_date from {{ ref('int_recommendation_dates_listed') }}
),

orders as (
    select order_id, customer_id, order_date
    from {{ ref('fct_orders') }}
    where status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

peers as (
    select as_of_date, customer_id, country, segment from {{ ref('int_customer_peers_matched') }}
),

orders_of_dates as (
    select
        dates.as_of_date,
        orders.order_id,
        peers.country,
        peers.segment
    from orders
    inner join dates
        on orders.order_date <= dates.as_of_date
        and orders.order_date > dates.as_of_date - {{ var('recommendation_popularity_days') }}
    left join peers
        on dates.as_of_date = peers.as_of_date
        and orders.customer_id = peers.customer_id
),

orders_of_groups as (
    select as_of_date, 'all' as peer_kind, 'all' as peer_group, order_id from orders_of_dates
    union all
    select as_of_date, 'country' as peer_kind, country as peer_group, order_id
    from orders_of_dates
    where country <> ''
    union all
    select as_of_date, 'segment' as peer_kind, segment as peer_group, order_id
    from orders_of_dates
    where segment <> ''
),

group_sizes as (
    select as_of_date, peer_kind, peer_group, count(*) as group_order_count
    from orders_of_groups
    group by as_of_date, peer_kind, peer_group
),

orders_asked_for as (
    select order_id from orders_of_dates group by order_id
),

order_products as (
    select lines.order_id, lines.product_id
    from lines
    inner join orders_asked_for on lines.order_id = orders_asked_for.order_id
    group by lines.order_id, lines.product_id
),

group_products as (
    select
        orders_of_groups.as_of_date,
        orders_of_groups.peer_kind,
        orders_of_groups.peer_group,
        order_products.product_id,
        count(*) as order_count
    from orders_of_groups
    inner join order_products on orders_of_groups.order_id = order_products.order_id
    group by
        orders_of_groups.as_of_date,
        orders_of_groups.peer_kind,
        orders_of_groups.peer_group,
        order_products.product_id
),

popularity_measured as (
    select
        group_products.*,
        group_products.order_count / cast(group_sizes.group_order_count as double) as order_share
    from group_products
    inner join group_sizes
        on group_products.as_of_date = group_sizes.as_of_date
        and group_products.peer_kind = group_sizes.peer_kind
        and group_products.peer_group = group_sizes.peer_group
)

select * from popularity_measured

-- Grain: one row per recommendation date that has a horizon of outcomes before it, and reason.
-- How much of what a reason promised beyond popularity came true in the horizon before: the slope
-- of a least squares line through the origin, of orders with the product less those that its
-- popularity explains, on excess_share x orders. 0: nothing came of it; 1: all. It is drawn towards
-- recommendation_prior_weight as if recommendation_prior_strength of evidence had been seen.
-- Sums are decimals: a weight must not hang on the order of the rows.
with

dates as (
    select as_of_date, horizon_number from {{ ref('int_recommendation_dates_listed') }}
),

candidates as (
    select as_of_date, customer_id, product_id, reason, excess_share
    from {{ ref('int_recommendation_candidates_gathered') }}
),

peers as (
    select as_of_date, customer_id, country, segment from {{ ref('int_customer_peers_matched') }}
),

popularity as (
    select as_of_date, peer_kind, peer_group, product_id, order_share
    from {{ ref('int_product_popularity_measured') }}
),

customer_products as (
    select customer_id, product_id, order_date from {{ ref('int_customer_products_gathered') }}
),

horizons as (
    select
        dates.as_of_date as weighed_date,
        basis_dates.as_of_date
    from dates
    inner join dates as basis_dates on dates.horizon_number + 1 = basis_dates.horizon_number
),

outcomes as (
    select
        horizons.as_of_date,
        customer_products.customer_id,
        customer_products.product_id,
        customer_products.order_date
    from customer_products
    inner join horizons
        on customer_products.order_date > horizons.as_of_date
        and customer_products.order_date <= horizons.weighed_date
),

customers_bought as (
    select as_of_date, customer_id, count(distinct order_date) as day_count
    from outcomes
    group by as_of_date, customer_id
),

products_bought as (
    select as_of_date, customer_id, product_id, count(*) as day_count
    from outcomes
    group by as_of_date, customer_id, product_id
),

groups_bought as (
    select
        peers.as_of_date,
        peers.country,
        peers.segment,
        sum(customers_bought.day_count) as day_count
    from customers_bought
    inner join peers
        on customers_bought.as_of_date = peers.as_of_date
        and customers_bought.customer_id = peers.customer_id
    group by peers.as_of_date, peers.country, peers.segment
),

group_products_bought as (
    select
        peers.as_of_date,
        peers.country,
        peers.segment,
        products_bought.product_id,
        sum(products_bought.day_count) as day_count
    from products_bought
    inner join peers
        on products_bought.as_of_date = peers.as_of_date
        and products_bought.customer_id = peers.customer_id
    group by peers.as_of_date, peers.country, peers.segment, products_bought.product_id
),

kinds as (
    select 'country' as peer_kind
    union all
    select 'segment' as peer_kind
),

groups_unpivoted as (
    select
        groups_bought.as_of_date,
        kinds.peer_kind,
        case kinds.peer_kind
            when 'country' then groups_bought.country else groups_bought.segment
        end as peer_group,
        groups_bought.day_count
    from groups_bought
    cross join kinds
),

group_sizes as (
    select as_of_date, peer_kind, peer_group, sum(day_count) as day_count
    from groups_unpivoted
    group by as_of_date, peer_kind, peer_group
),

group_products_unpivoted as (
    select
        group_products_bought.as_of_date,
        kinds.peer_kind,
        case kinds.peer_kind
            when 'country' then group_products_bought.country else group_products_bought.segment
        end as peer_group,
        group_products_bought.product_id,
        group_products_bought.day_count
    from group_products_bought
    cross join kinds
),

group_products as (
    select as_of_date, peer_kind, peer_group, product_id, sum(day_count) as day_count
    from group_products_unpivoted
    group by as_of_date, peer_kind, peer_group, product_id
),

shares as (
    select as_of_date, product_id, order_share from popularity where peer_kind = 'all'
),

promises as (
    select
        candidates.as_of_date,
        candidates.reason,
        candidates.excess_share,
        coalesce(shares.order_share, 0) as order_share,
        customers_bought.day_count,
        coalesce(products_bought.day_count, 0) as bought_day_count
    from candidates
    inner join customers_bought
        on candidates.as_of_date = customers_bought.as_of_date
        and candidates.customer_id = customers_bought.customer_id
    left join products_bought
        on candidates.as_of_date = products_bought.as_of_date
        and candidates.customer_id = products_bought.customer_id
        and candidates.product_id = products_bought.product_id
    left join shares
        on candidates.as_of_date = shares.as_of_date
        and candidates.product_id = shares.product_id
    union all
    select
        popularity.as_of_date,
        popularity.peer_kind as reason,
        popularity.order_share - shares.order_share as excess_share,
        shares.order_share,
        group_sizes.day_count,
        coalesce(group_products.day_count, 0) as bought_day_count
    from popularity
    inner join shares
        on popularity.as_of_date = shares.as_of_date
        and popularity.product_id = shares.product_id
    inner join group_sizes
        on popularity.as_of_date = group_sizes.as_of_date
        and popularity.peer_kind = group_sizes.peer_kind
        and popularity.peer_group = group_sizes.peer_group
    left join group_products
        on popularity.as_of_date = group_products.as_of_date
        and popularity.peer_kind = group_products.peer_kind
        and popularity.peer_group = group_products.peer_group
        and popularity.product_id = group_products.product_id
),

promises_summed as (
    select
        as_of_date,
        reason,
        count(*) as promise_count,
        cast(sum(bought_day_count) as bigint) as bought_day_count,
        sum(cast(
            excess_share * (bought_day_count - day_count * order_share) as decimal(28, 10)
        )) as agreement,
        sum(cast(excess_share * excess_share * day_count as decimal(28, 10))) as evidence
    from promises
    group by as_of_date, reason
),

reasons as (
    select 'bought_with' as reason
    union all
    select 'viewed_with' as reason
    union all
    select 'bought_again' as reason
    union all
    select peer_kind as reason from kinds
),

sources as (
    select
        horizons.as_of_date,
        horizons.weighed_date,
        reasons.reason
    from horizons
    cross join reasons
),

reasons_weighed as (
    select
        sources.weighed_date as as_of_date,
        sources.reason,
        coalesce(promises_summed.promise_count, 0) as promise_count,
        coalesce(promises_summed.bought_day_count, 0) as bought_day_count,
        greatest(least(
            (
                cast(coalesce(promises_summed.agreement, 0) as double)
                + {{ var('recommendation_prior_weight') * var('recommendation_prior_strength') }}
            )
            / (
                cast(coalesce(promises_summed.evidence, 0) as double)
                + {{ var('recommendation_prior_strength') }}
            ),
            1e0
        ), 0e0) as weight
    from sources
    left join promises_summed
        on sources.as_of_date = promises_summed.as_of_date
        and sources.reason = promises_summed.reason
)

select * from reasons_weighed

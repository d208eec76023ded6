-- Grain: one row per recommendation date, customer and rank, from 1 to recommendation_count.
-- Of as_of_date for all customers, of the holdout before it for those that it is judged by: one
-- SQL, so that what is judged is what is served. A view: each reader asks for one of the two.
-- The score estimates the share of the customer's next orders that have the product: its share of
-- all orders, and what each source promises beyond it, weighed by what came of such promises.
{{ config(materialized='view') }}
{% set own_reasons = ['bought_with', 'viewed_with', 'bought_again'] %}
{% set peer_kinds = ['country', 'segment'] %}
with

dates as (
    select as_of_date, is_latest
    from {{ ref('int_recommendation_dates_listed') }}
    where horizon_number < 2
),

peers as (
    select
        peers.as_of_date,
        dates.is_latest,
        peers.customer_id,
        peers.country,
        peers.segment
    from {{ ref('int_customer_peers_matched') }} as peers
    inner join dates on peers.as_of_date = dates.as_of_date
    where peers.is_recommended_to
),

popularity as (
    select as_of_date, peer_kind, peer_group, product_id, order_share
    from {{ ref('int_product_popularity_measured') }}
),

catalogue as (
    select as_of_date, product_id from {{ ref('int_catalogue_products_listed') }}
),

weights as (
    select
        {% for reason in own_reasons + peer_kinds -%}
        max(case when reason = '{{ reason }}' then weight end) as {{ reason }}_weight,
        {% endfor -%}
        as_of_date
    from {{ ref('int_recommendation_reasons_weighed') }}
    group by as_of_date
),

candidates as (
    select as_of_date, customer_id, product_id, reason, source_product_id, excess_share
    from {{ ref('int_recommendation_candidates_gathered') }}
),

exclusions as (
    select as_of_date, customer_id, product_id
    from {{ ref('int_recommendation_exclusions_listed') }}
),

shares as (
    select as_of_date, product_id, order_share from popularity where peer_kind = 'all'
),

popular as (
    select
        popularity.*,
        row_number() over (
            partition by popularity.as_of_date, popularity.peer_kind, popularity.peer_group
            order by popularity.order_share desc, popularity.product_id
        ) as popular_rank
    from popularity
    inner join catalogue
        on popularity.as_of_date = catalogue.as_of_date
        and popularity.product_id = catalogue.product_id
),

peer_groups as (
    select
        as_of_date,
        country,
        segment
    from peers
    group by as_of_date, country, segment
),

group_products as (
    select
        peer_groups.as_of_date,
        peer_groups.country,
        peer_groups.segment,
        popular.product_id
    from peer_groups
    inner join popular
        on peer_groups.as_of_date = popular.as_of_date
        and (
            popular.peer_kind = 'all'
            or (popular.peer_kind = 'country' and peer_groups.country = popular.peer_group)
            or (popular.peer_kind = 'segment' and peer_groups.segment = popular.peer_group)
        )
    where popular.popular_rank <= {{ var('recommendation_popular_count') }}
    group by peer_groups.as_of_date, peer_groups.country, peer_groups.segment, popular.product_id
),

group_gains as (
    select
        group_products.*,
        {% for kind in peer_kinds -%}
        case
            when group_products.{{ kind }} = '' then 0e0
            else weights.{{ kind }}_weight
                * (coalesce({{ kind }}_shares.order_share, 0) - shares.order_share)
        end as {{ kind }}_gain,
        {% endfor -%}
        shares.order_share
    from group_products
    inner join shares
        on group_products.as_of_date = shares.as_of_date
        and group_products.product_id = shares.product_id
    inner join weights on group_products.as_of_date = weights.as_of_date
    {% for kind in peer_kinds -%}
    left join popularity as {{ kind }}_shares
        on group_products.as_of_date = {{ kind }}_shares.as_of_date
        and group_products.product_id = {{ kind }}_shares.product_id
        and group_products.{{ kind }} = {{ kind }}_shares.peer_group
        and {{ kind }}_shares.peer_kind = '{{ kind }}'
    {% endfor %}
),

group_scores as (
    select
        *,
        order_share + country_gain + segment_gain as group_score,
        case
            when greatest(country_gain, segment_gain) <= 0 then 'popular'
            when segment_gain >= country_gain then 'popular_in_segment'
            else 'popular_in_country'
        end as group_reason,
        row_number() over (
            partition by as_of_date, country, segment
            order by order_share + country_gain + segment_gain desc, product_id
        ) as group_rank
    from group_gains
),

candidates_weighed as (
    select
        {% for reason in own_reasons -%}
        max(
            case
                when candidates.reason = '{{ reason }}'
                    then weights.{{ reason }}_weight * candidates.excess_share
            end
        ) as {{ reason }}_gain,
        max(case when candidates.reason = '{{ reason }}' then candidates.source_product_id end)
            as {{ reason }}_product_id,
        {% endfor -%}
        candidates.as_of_date,
        candidates.customer_id,
        candidates.product_id
    from candidates
    inner join weights on candidates.as_of_date = weights.as_of_date
    group by candidates.as_of_date, candidates.customer_id, candidates.product_id
),

own_candidates as (
    select
        candidates_weighed.*,
        peers.is_latest,
        coalesce(group_scores.group_reason, 'popular') as group_reason,
        coalesce(group_scores.group_score, shares.order_share, 0) as group_score,
        coalesce(group_scores.country_gain, 0) as country_gain,
        coalesce(group_scores.segment_gain, 0) as segment_gain
    from candidates_weighed
    inner join peers
        on candidates_weighed.as_of_date = peers.as_of_date
        and candidates_weighed.customer_id = peers.customer_id
    left join group_scores
        on peers.as_of_date = group_scores.as_of_date
        and peers.country = group_scores.country
        and peers.segment = group_scores.segment
        and candidates_weighed.product_id = group_scores.product_id
    left join shares
        on candidates_weighed.as_of_date = shares.as_of_date
        and candidates_weighed.product_id = shares.product_id
),

-- What is no candidate of a customer as one of their group's products.
left_out as (
    select as_of_date, customer_id, product_id from exclusions
    union all
    select as_of_date, customer_id, product_id from candidates_weighed
),

customers_with_candidates as (
    select as_of_date, customer_id from candidates_weighed group by as_of_date, customer_id
),

-- A left join, as an inner one may be joined by group first: every customer with every product.
left_out_ranks as (
    select
        peers.is_latest,
        peers.as_of_date,
        peers.customer_id,
        {{ collected('group_scores.group_rank') }} as ranks
    from left_out
    inner join peers
        on left_out.as_of_date = peers.as_of_date
        and left_out.customer_id = peers.customer_id
    left join group_scores
        on peers.as_of_date = group_scores.as_of_date
        and peers.country = group_scores.country
        and peers.segment = group_scores.segment
        and left_out.product_id = group_scores.product_id
    group by peers.is_latest, peers.as_of_date, peers.customer_id
),

-- As many of the group's products as can be recommended, by their rank in it.
peers_served as (
    select
        peers.*,
        customers_with_candidates.customer_id is not null as has_candidates,
        {{ numbers_missing('left_out_ranks.ranks', var('recommendation_count')) }} as group_ranks
    from peers
    left join left_out_ranks
        on peers.is_latest = left_out_ranks.is_latest
        and peers.as_of_date = left_out_ranks.as_of_date
        and peers.customer_id = left_out_ranks.customer_id
    left join customers_with_candidates
        on peers.as_of_date = customers_with_candidates.as_of_date
        and peers.customer_id = customers_with_candidates.customer_id
),

places as (
    {% for place in range(1, var('recommendation_count') + 1) -%}
    select {{ place }} as place
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

peers_placed as (
    select
        peers_served.as_of_date,
        peers_served.is_latest,
        peers_served.customer_id,
        peers_served.country,
        peers_served.segment,
        peers_served.has_candidates,
        places.place,
        {{ list_item('peers_served.group_ranks', 'places.place') }} as group_rank
    from peers_served
    cross join places
),

popular_candidates as (
    select
        peers_placed.as_of_date,
        peers_placed.is_latest,
        peers_placed.customer_id,
        peers_placed.has_candidates,
        peers_placed.place,
        group_scores.product_id,
        group_scores.group_reason,
        group_scores.group_score
    from peers_placed
    inner join group_scores
        on peers_placed.as_of_date = group_scores.as_of_date
        and peers_placed.country = group_scores.country
        and peers_placed.segment = group_scores.segment
        and peers_placed.group_rank = group_scores.group_rank
),

own_candidates_scored as (
    select
        *,
        group_score + coalesce(bought_with_gain, 0) + coalesce(viewed_with_gain, 0)
        + coalesce(bought_again_gain, 0) as score,
        greatest(
            coalesce(bought_with_gain, 0), coalesce(viewed_with_gain, 0), country_gain, segment_gain
        ) as largest_gain
    from own_candidates
),

own_candidates_explained as (
    select
        *,
        case
            when bought_again_product_id is not null then 'bought_again'
            when largest_gain <= 0 then group_reason
            when bought_with_gain = largest_gain then 'bought_with'
            when viewed_with_gain = largest_gain then 'viewed_with'
            else group_reason
        end as reason
    from own_candidates_scored
),

-- Of who has candidates of their own those and the group's are ranked together.
candidates_together as (
    select
        as_of_date,
        is_latest,
        customer_id,
        product_id,
        reason,
        case reason
            {% for reason in own_reasons -%}
            when '{{ reason }}' then {{ reason }}_product_id
            {% endfor -%}
        end as source_product_id,
        bought_again_product_id is not null as is_replenished,
        score
    from own_candidates_explained
    union all
    select
        as_of_date,
        is_latest,
        customer_id,
        product_id,
        group_reason as reason,
        null as source_product_id,
        false as is_replenished,
        group_score as score
    from popular_candidates
    where has_candidates
),

-- is_latest goes with the date: so that a reader who asks for one date has that one ranked alone.
candidates_ranked as (
    select
        *,
        row_number() over (
            partition by is_latest, as_of_date, customer_id order by score desc, product_id
        ) as recommendation_rank
    from candidates_together
),

-- All others have the group's products in its order: to sort them by customer takes three times as
-- long as all of this.
recommendations_ranked as (
    select
        as_of_date,
        is_latest,
        customer_id,
        recommendation_rank,
        product_id,
        reason,
        source_product_id,
        is_replenished,
        score
    from candidates_ranked
    where recommendation_rank <= {{ var('recommendation_count') }}
    union all
    select
        as_of_date,
        is_latest,
        customer_id,
        place as recommendation_rank,
        product_id,
        group_reason as reason,
        null as source_product_id,
        false as is_replenished,
        group_score as score
    from popular_candidates
    where not has_candidates
)

select * from recommendations_ranked

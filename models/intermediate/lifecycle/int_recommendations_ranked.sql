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
        row_number() over (
            partition by as_of_date, country, segment
            order by order_share + country_gain + segment_gain desc, product_id
        ) as group_rank
    from group_gains
),

exclusion_counts as (
    select as_of_date, customer_id, count(*) as exclusion_count
    from exclusions
    group by as_of_date, customer_id
),

-- As many of the group's products as are left when all that is excluded was among them.
popular_candidates as (
    select
        peers.as_of_date,
        peers.is_latest,
        peers.customer_id,
        group_scores.product_id,
        group_scores.group_score,
        group_scores.country_gain,
        group_scores.segment_gain
    from peers
    left join exclusion_counts
        on peers.as_of_date = exclusion_counts.as_of_date
        and peers.customer_id = exclusion_counts.customer_id
    inner join group_scores
        on peers.as_of_date = group_scores.as_of_date
        and peers.country = group_scores.country
        and peers.segment = group_scores.segment
        and {{ var('recommendation_count') }} + coalesce(exclusion_counts.exclusion_count, 0)
        >= group_scores.group_rank
),

popular_candidates_kept as (
    select popular_candidates.*
    from popular_candidates
    left join exclusions
        on popular_candidates.as_of_date = exclusions.as_of_date
        and popular_candidates.customer_id = exclusions.customer_id
        and popular_candidates.product_id = exclusions.product_id
    where exclusions.customer_id is null
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

all_candidates as (
    select
        as_of_date,
        is_latest,
        customer_id,
        product_id,
        group_score,
        country_gain,
        segment_gain,
        {% for reason in own_reasons -%}
        coalesce({{ reason }}_gain, 0) as {{ reason }}_gain,
        {{ reason }}_product_id,
        {% endfor -%}
        bought_again_product_id is not null as is_replenished
    from own_candidates
    union all
    select
        popular_candidates_kept.*,
        {% for reason in own_reasons -%}
        0e0 as {{ reason }}_gain,
        null as {{ reason }}_product_id,
        {% endfor -%}
        false as is_replenished
    from popular_candidates_kept
    left join own_candidates
        on popular_candidates_kept.as_of_date = own_candidates.as_of_date
        and popular_candidates_kept.customer_id = own_candidates.customer_id
        and popular_candidates_kept.product_id = own_candidates.product_id
    where own_candidates.customer_id is null
),

candidates_scored as (
    select
        *,
        group_score + bought_with_gain + viewed_with_gain + bought_again_gain as score,
        greatest(bought_with_gain, viewed_with_gain, country_gain, segment_gain) as largest_gain
    from all_candidates
),

candidates_explained as (
    select
        as_of_date,
        is_latest,
        customer_id,
        product_id,
        score,
        is_replenished,
        {% for reason in own_reasons -%}
        {{ reason }}_product_id,
        {% endfor -%}
        case
            when is_replenished then 'bought_again'
            when largest_gain <= 0 then 'popular'
            when bought_with_gain = largest_gain then 'bought_with'
            when viewed_with_gain = largest_gain then 'viewed_with'
            when segment_gain = largest_gain then 'popular_in_segment'
            else 'popular_in_country'
        end as reason
    from candidates_scored
),

candidates_sourced as (
    select
        as_of_date,
        is_latest,
        customer_id,
        product_id,
        score,
        is_replenished,
        reason,
        case reason
            {% for reason in own_reasons -%}
            when '{{ reason }}' then {{ reason }}_product_id
            {% endfor -%}
        end as source_product_id
    from candidates_explained
),

-- is_latest goes with the date: so that a reader who asks for one date has that one ranked alone.
candidates_ranked as (
    select
        *,
        row_number() over (
            partition by is_latest, as_of_date, customer_id order by score desc, product_id
        ) as recommendation_rank
    from candidates_sourced
),

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
)

select * from recommendations_ranked

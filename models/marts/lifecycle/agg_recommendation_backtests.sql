-- Grain: one row per kind of list and length of list.
-- Recommendations made on holdout_date by what was known then, and two lists that need no
-- recommending: the most popular products, alike for all, and the most popular ones that a customer
-- does not have yet. A customer is judged by what they bought in the horizon after that was new to
-- them, or due again; a hit is one product of it in the list.
with

dates as (
    select as_of_date
    from {{ ref('int_recommendation_dates_listed') }}
    where horizon_number = 1
),

recommendations as (
    select customer_id, product_id, recommendation_rank
    from {{ ref('int_recommendations_ranked') }}
    where not is_latest
),

peers as (
    select peers.customer_id
    from {{ ref('int_customer_peers_matched') }} as peers
    inner join dates on peers.as_of_date = dates.as_of_date
    where peers.is_recommended_to
),

exclusions as (
    select exclusions.customer_id, exclusions.product_id
    from {{ ref('int_recommendation_exclusions_listed') }} as exclusions
    inner join dates on exclusions.as_of_date = dates.as_of_date
),

customer_products as (
    select customer_id, product_id, order_date from {{ ref('int_customer_products_gathered') }}
),

popularity as (
    select popularity.product_id, popularity.order_share
    from {{ ref('int_product_popularity_measured') }} as popularity
    inner join {{ ref('int_catalogue_products_listed') }} as catalogue
        on popularity.as_of_date = catalogue.as_of_date
        and popularity.product_id = catalogue.product_id
    inner join dates on popularity.as_of_date = dates.as_of_date
    where popularity.peer_kind = 'all'
),

popular as (
    select
        product_id,
        row_number() over (order by order_share desc, product_id) as popular_rank
    from popularity
),

outcomes as (
    select
        customer_products.customer_id,
        customer_products.product_id
    from customer_products
    inner join dates
        on customer_products.order_date > dates.as_of_date
        and customer_products.order_date
        <= dates.as_of_date + {{ var('recommendation_horizon_days') }}
    inner join peers on customer_products.customer_id = peers.customer_id
    left join exclusions
        on customer_products.customer_id = exclusions.customer_id
        and customer_products.product_id = exclusions.product_id
    where exclusions.customer_id is null
    group by customer_products.customer_id, customer_products.product_id
),

customers as (
    select customer_id from outcomes group by customer_id
),

popular_outcomes as (
    select
        outcomes.customer_id,
        outcomes.product_id,
        popular.popular_rank
    from outcomes
    inner join popular on outcomes.product_id = popular.product_id
    where popular.popular_rank <= {{ var('recommendation_popular_count') }}
),

popular_exclusions as (
    select
        exclusions.customer_id,
        popular.popular_rank
    from exclusions
    inner join popular on exclusions.product_id = popular.product_id
),

-- In the list of what a customer does not have, a product moves up by those left out above it.
popular_new_outcomes as (
    select
        popular_outcomes.customer_id,
        popular_outcomes.popular_rank - count(popular_exclusions.customer_id) as list_rank
    from popular_outcomes
    left join popular_exclusions
        on popular_outcomes.customer_id = popular_exclusions.customer_id
        and popular_outcomes.popular_rank > popular_exclusions.popular_rank
    group by
        popular_outcomes.customer_id, popular_outcomes.product_id, popular_outcomes.popular_rank
),

hits as (
    select
        'recommendations' as list_kind,
        outcomes.customer_id,
        recommendations.recommendation_rank as list_rank
    from outcomes
    inner join recommendations
        on outcomes.customer_id = recommendations.customer_id
        and outcomes.product_id = recommendations.product_id
    union all
    select 'most_popular' as list_kind, customer_id, popular_rank as list_rank
    from popular_outcomes
    union all
    select 'most_popular_new' as list_kind, customer_id, list_rank from popular_new_outcomes
),

first_hits as (
    select list_kind, customer_id, min(list_rank) as first_hit_rank
    from hits
    group by list_kind, customer_id
),

list_kinds as (
    select 'recommendations' as list_kind
    union all
    select 'most_popular' as list_kind
    union all
    select 'most_popular_new' as list_kind
),

list_lengths as (
    {% for length in var('recommendation_hit_lengths') -%}
    select {{ length }} as list_length
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

customers_judged as (
    select
        list_kinds.list_kind,
        list_lengths.list_length,
        coalesce(first_hits.first_hit_rank <= list_lengths.list_length, false) as is_hit,
        coalesce(recommended_hits.first_hit_rank <= list_lengths.list_length, false)
            as is_recommended_hit
    from customers
    cross join list_kinds
    cross join list_lengths
    left join first_hits
        on customers.customer_id = first_hits.customer_id
        and list_kinds.list_kind = first_hits.list_kind
    left join first_hits as recommended_hits
        on customers.customer_id = recommended_hits.customer_id
        and recommended_hits.list_kind = 'recommendations'
),

lists_counted as (
    select
        list_kind,
        list_length,
        count(*) as customer_count,
        count(case when is_hit then 1 end) as hit_count,
        count(case when is_recommended_hit and not is_hit then 1 end) as recommended_only_count,
        count(case when is_hit and not is_recommended_hit then 1 end) as other_only_count
    from customers_judged
    group by list_kind, list_length
),

-- McNemar (1947): customers that both lists hit, or none, say nothing of which one is better.
lists_compared as (
    select
        *,
        (recommended_only_count - other_only_count)
        / sqrt(nullif(recommended_only_count + other_only_count, 0)) as z
    from lists_counted
),

recommendation_backtests as (
    select
        lists_compared.list_kind,
        cast(lists_compared.list_length as bigint) as list_length,
        dates.as_of_date as holdout_date,
        lists_compared.customer_count,
        lists_compared.hit_count,
        lists_compared.hit_count / cast(lists_compared.customer_count as double) as hit_rate,
        lists_compared.recommended_only_count,
        lists_compared.other_only_count,
        (lists_compared.recommended_only_count - lists_compared.other_only_count)
        / cast(lists_compared.customer_count as double) as recommended_lead,
        2 * {{ normal_tail('lists_compared.z') }} as p_value
    from lists_compared
    cross join dates
)

select * from recommendation_backtests

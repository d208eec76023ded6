-- Grain: one row per recommendation date, basis and pair of products that enough baskets have.
-- Chance is that of baskets of these sizes: baskets of many products have every pair more often,
-- so that the number of baskets of *equal* size (comparable_basket_count) that would make as many
-- pairs stands in the test, not the number of baskets.
with

dates as (
    select as_of_date, is_latest from {{ ref('int_recommendation_dates_listed') }}
),

order_pairs as (
    select basket_date, product_a, product_b, basket_count from {{ ref('int_order_pairs_counted') }}
),

session_pairs as (
    select basket_date, product_a, product_b, basket_count
    from {{ ref('int_session_pairs_counted') }}
),

pairs as (
    select
        dates.as_of_date,
        dates.is_latest,
        'orders' as basis,
        order_pairs.*
    from order_pairs
    inner join dates
        on order_pairs.basket_date <= dates.as_of_date
        and order_pairs.basket_date > dates.as_of_date - {{ var('affinity_order_days') }}
    union all
    select
        dates.as_of_date,
        dates.is_latest,
        'sessions' as basis,
        session_pairs.*
    from session_pairs
    inner join dates
        on session_pairs.basket_date <= dates.as_of_date
        and session_pairs.basket_date > dates.as_of_date - {{ var('affinity_session_days') }}
),

pairs_summed as (
    select
        as_of_date,
        is_latest,
        basis,
        product_a,
        product_b,
        cast(sum(basket_count) as bigint) as pair_count
    from pairs
    group by as_of_date, is_latest, basis, product_a, product_b
),

products as (
    select as_of_date, basis, product_a as product_id, pair_count as product_basket_count
    from pairs_summed
    where product_a = product_b
),

bases as (
    select
        as_of_date,
        basis,
        sum(case when product_a is null then pair_count end) as basket_count,
        sum(case when product_a = product_b then pair_count end) as product_basket_count,
        sum(case when product_a <> product_b then pair_count end) as pair_count,
        count(case when product_a = product_b then 1 end) as product_count
    from pairs_summed
    group by as_of_date, basis
),

bases_compared as (
    select
        as_of_date,
        basis,
        cast(basket_count as bigint) as basket_count,
        product_count * (product_count - 1) / 2e0 as possible_pairs,
        cast(
            round(power(cast(product_basket_count as double), 2) / (2e0 * pair_count)) as bigint
        ) as equal_basket_count
    from bases
    where pair_count > 0
),

pairs_compared as (
    select
        pairs_summed.as_of_date,
        pairs_summed.is_latest,
        pairs_summed.basis,
        pairs_summed.product_a,
        pairs_summed.product_b,
        pairs_summed.pair_count,
        products.product_basket_count as product_a_count,
        companions.product_basket_count as product_b_count,
        bases.basket_count,
        bases.possible_pairs,
        greatest(
            bases.equal_basket_count,
            products.product_basket_count + companions.product_basket_count
            - pairs_summed.pair_count
        ) as comparable_basket_count
    from pairs_summed
    inner join products
        on pairs_summed.as_of_date = products.as_of_date
        and pairs_summed.basis = products.basis
        and pairs_summed.product_a = products.product_id
    inner join products as companions
        on pairs_summed.as_of_date = companions.as_of_date
        and pairs_summed.basis = companions.basis
        and pairs_summed.product_b = companions.product_id
    inner join bases_compared as bases
        on pairs_summed.as_of_date = bases.as_of_date
        and pairs_summed.basis = bases.basis
    where
        pairs_summed.product_a < pairs_summed.product_b
        and pairs_summed.pair_count >= {{ var('affinity_minimum_count') }}
),

pairs_measured as (
    select
        *,
        pair_count / cast(basket_count as double) as support_share,
        pair_count / cast(product_a_count as double) as confidence_a_to_b_share,
        pair_count / cast(product_b_count as double) as confidence_b_to_a_share,
        cast(pair_count as double) * basket_count
        / (cast(product_a_count as double) * product_b_count) as lift,
        cast(pair_count as double) * comparable_basket_count
        / (cast(product_a_count as double) * product_b_count) as adjusted_lift
    from pairs_compared
),

pairs_tailed as (
    select
        *,
        {{ fisher_tail(
            'pair_count', 'product_a_count', 'product_b_count', 'comparable_basket_count'
        ) }} as fisher_tail
    from pairs_measured
),

pairs_tested as (
    select
        *,
        case when adjusted_lift > 1 then least(fisher_tail, 1e0) end as p_value
    from pairs_tailed
),

-- Benjamini and Hochberg (1995): p times the number of tests over its rank, and never more than
-- that of a larger p. All pairs that there could be are tests, also those too rare to be listed.
pairs_ranked as (
    select
        *,
        p_value * possible_pairs / count(p_value) over (
            partition by as_of_date, basis order by p_value
        ) as raw_adjusted_p_value
    from pairs_tested
),

pairs_adjusted as (
    select
        *,
        min(raw_adjusted_p_value) over (
            partition by as_of_date, basis order by p_value desc
        ) as least_later_p_value
    from pairs_ranked
),

affinities_tested as (
    select
        as_of_date,
        is_latest,
        basis,
        product_a,
        product_b,
        pair_count,
        product_a_count,
        product_b_count,
        basket_count,
        comparable_basket_count,
        support_share,
        confidence_a_to_b_share,
        confidence_b_to_a_share,
        lift,
        adjusted_lift,
        p_value,
        case
            when p_value is not null then least(least_later_p_value, 1e0)
        end as adjusted_p_value
    from pairs_adjusted
)

select * from affinities_tested

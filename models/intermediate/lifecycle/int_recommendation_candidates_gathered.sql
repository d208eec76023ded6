-- Grain: one row per recommendation date, customer, product and reason that speaks for it.
-- excess_share is what the reason promises beyond chance: of a companion, the share of baskets with
-- the source product that have it, less its share of comparable baskets; of a product that is due,
-- the share of next orders that have it again, less its share of repeat orders. Of several source
-- products the one that promises most counts. Of sessions those that were over by the date, and
-- whose customer was known.
{{ config(meta={'slices': 'customer_id'}) }}
with

dates as (
    select as_of_date, known_until_at from {{ ref('int_recommendation_dates_listed') }}
),

peers as (
    select as_of_date, customer_id
    from {{ ref('int_customer_peers_matched') }}
    where is_recommended_to and {{ in_slice_of_keys('customer_id') }}
),

affinities as (
    select * from {{ ref('int_product_affinities_tested') }}
    where adjusted_p_value <= {{ var('affinity_false_discovery_rate') }}
),

catalogue as (
    select as_of_date, product_id from {{ ref('int_catalogue_products_listed') }}
),

customer_products as (
    select customer_id, product_id, order_date
    from {{ ref('int_customer_products_gathered') }}
    where order_date = first_bought_date
),

events as (
    select anonymous_id, product_id, event_at
    from {{ ref('stg_web__interactions') }}
    where event_name in ('product_view', 'add_to_cart') and product_id is not null
),

sessions as (
    select customer_id, anonymous_id, started_at, ended_at, customer_known_at
    from {{ ref('fct_sessions') }}
    where customer_id is not null
),

replenishments as (
    select as_of_date, customer_id, product_id, again_share, repeat_share
    from {{ ref('int_customer_replenishments_dated') }}
),

exclusions as (
    select as_of_date, customer_id, product_id
    from {{ ref('int_recommendation_exclusions_listed') }}
),

directions as (
    select
        as_of_date,
        basis,
        product_a as source_product_id,
        product_b as product_id,
        confidence_a_to_b_share * (1 - 1 / adjusted_lift) as excess_share
    from affinities
    union all
    select
        as_of_date,
        basis,
        product_b as source_product_id,
        product_a as product_id,
        confidence_b_to_a_share * (1 - 1 / adjusted_lift) as excess_share
    from affinities
),

companions_ranked as (
    select
        directions.*,
        row_number() over (
            partition by directions.as_of_date, directions.basis, directions.source_product_id
            order by directions.excess_share desc, directions.product_id
        ) as companion_rank
    from directions
    inner join catalogue
        on directions.as_of_date = catalogue.as_of_date
        and directions.product_id = catalogue.product_id
),

companions as (
    select * from companions_ranked
    where companion_rank <= {{ var('recommendation_companion_count') }}
),

bought as (
    select
        peers.as_of_date,
        customer_products.customer_id,
        customer_products.product_id
    from customer_products
    inner join peers
        on customer_products.customer_id = peers.customer_id
        and customer_products.order_date <= peers.as_of_date
),

viewed as (
    select
        dates.as_of_date,
        sessions.customer_id,
        events.product_id
    from sessions
    inner join dates
        on sessions.ended_at + interval '{{ var("session_gap_minutes") }}' minute
        <= dates.known_until_at
        and sessions.customer_known_at < dates.known_until_at
        and sessions.started_at
        >= dates.known_until_at - interval '{{ var("recommendation_viewed_days") }}' day
    inner join peers
        on dates.as_of_date = peers.as_of_date and sessions.customer_id = peers.customer_id
    inner join events
        on sessions.anonymous_id = events.anonymous_id
        and sessions.started_at <= events.event_at
        and sessions.ended_at >= events.event_at
    group by dates.as_of_date, sessions.customer_id, events.product_id
),

evidence as (
    select
        bought.as_of_date,
        bought.customer_id,
        companions.product_id,
        'bought_with' as reason,
        companions.source_product_id,
        companions.excess_share
    from bought
    inner join companions
        on bought.as_of_date = companions.as_of_date
        and bought.product_id = companions.source_product_id
        and companions.basis = 'orders'
    union all
    select
        viewed.as_of_date,
        viewed.customer_id,
        companions.product_id,
        'viewed_with' as reason,
        companions.source_product_id,
        companions.excess_share
    from viewed
    inner join companions
        on viewed.as_of_date = companions.as_of_date
        and viewed.product_id = companions.source_product_id
        and companions.basis = 'sessions'
    union all
    select
        replenishments.as_of_date,
        replenishments.customer_id,
        replenishments.product_id,
        'bought_again' as reason,
        replenishments.product_id as source_product_id,
        replenishments.again_share - replenishments.repeat_share as excess_share
    from replenishments
    inner join peers
        on replenishments.as_of_date = peers.as_of_date
        and replenishments.customer_id = peers.customer_id
    inner join catalogue
        on replenishments.as_of_date = catalogue.as_of_date
        and replenishments.product_id = catalogue.product_id
),

candidates as (
    select
        as_of_date,
        customer_id,
        product_id,
        reason,
        {{ last_by('source_product_id', ['excess_share', 'source_product_id']) }}
            as source_product_id,
        max(excess_share) as excess_share
    from evidence
    group by as_of_date, customer_id, product_id, reason
),

candidates_gathered as (
    select candidates.*
    from candidates
    left join exclusions
        on candidates.as_of_date = exclusions.as_of_date
        and candidates.customer_id = exclusions.customer_id
        and candidates.product_id = exclusions.product_id
    where exclusions.customer_id is null
)

select * from candidates_gathered

-- Grain: one row per customer and kind of opportunity that is open on as_of_date.
-- The one that showed last, if it has neither converted nor expired. expected_amount is the
-- conversion rate of such opportunities times what one is worth; amounts of several kinds of a
-- customer do not add up, as one order may convert them all.
with

opportunities as (
    select * from {{ ref('int_opportunity_outcomes_matched') }}
),

kinds as (
    select * from {{ ref('ref_opportunity_kinds') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customers as (
    select customer_id, {{ amount_per('net_amount', 'order_count') }} as order_amount
    from {{ ref('dim_customers') }}
),

orders as (
    select net_amount from {{ ref('fct_orders') }} where is_revenue
),

products as (
    select product_id, list_price_amount from {{ ref('dim_products') }}
),

churn as (
    select customer_id, value_at_risk_amount from {{ ref('fct_customer_churn') }} where is_latest
),

channels as (
    select customer_id, channel, has_consent, message_count, engagement_rate
    from {{ ref('int_customer_channels_ranked') }}
),

kind_channels as (
    select
        kind,
        is_service,
        channels,
        {{ each_word('channels') }} as channel
    from kinds
),

shop as (
    select {{ amount_per('sum(net_amount)', 'count(*)') }} as order_amount from orders
),

rates as (
    select
        opportunities.kind,
        (
            count(opportunities.converted_at)
            + {{ var('opportunity_prior_count') }} * max(kinds.prior_rate)
        ) / (count(*) + {{ var('opportunity_prior_count') }}) as conversion_rate
    from opportunities
    inner join kinds on opportunities.kind = kinds.kind
    where opportunities.is_mature
    group by opportunities.kind
),

opportunities_numbered as (
    select
        *,
        row_number() over (
            partition by customer_id, kind order by detected_at desc
        ) as recency_number
    from opportunities
    where converted_at is null and not is_mature
),

open_opportunities as (
    select * from opportunities_numbered where recency_number = 1
),

open_channels as (
    select
        open_opportunities.customer_id,
        open_opportunities.kind,
        {{ first_by('channels.channel', [
            'case when channels.message_count > 0 then 0 else 1 end',
            'coalesce(-channels.engagement_rate, 0)',
            'position(channels.channel in kind_channels.channels)'
        ]) }} as engaged_channel,
        max(
            case when kind_channels.is_service and channels.channel = 'call' then 'call' end
        ) as service_channel
    from open_opportunities
    inner join kind_channels on open_opportunities.kind = kind_channels.kind
    inner join channels
        on open_opportunities.customer_id = channels.customer_id
        and kind_channels.channel = channels.channel
    where channels.has_consent or kind_channels.is_service
    group by open_opportunities.customer_id, open_opportunities.kind
),

opportunities_valued as (
    select
        open_opportunities.*,
        kinds.action,
        kinds.action_fr,
        kinds.priority_weight,
        kinds.sort_order,
        coalesce(rates.conversion_rate, kinds.prior_rate) as conversion_rate,
        cast(case kinds.value_basis
            when 'cart' then open_opportunities.evidence_amount
            when 'product_price' then products.list_price_amount
            when 'customer_order' then customers.order_amount
            when 'shop_order' then shop.order_amount
            when 'order_gap' then greatest(shop.order_amount - customers.order_amount, 0)
            when 'value_at_risk' then churn.value_at_risk_amount
        end as decimal(18, 2)) as value_amount
    from open_opportunities
    inner join kinds on open_opportunities.kind = kinds.kind
    cross join shop
    left join rates on open_opportunities.kind = rates.kind
    left join customers on open_opportunities.customer_id = customers.customer_id
    left join products on open_opportunities.product_id = products.product_id
    left join churn on open_opportunities.customer_id = churn.customer_id
),

opportunities_expected as (
    select
        *,
        cast(round(value_amount * conversion_rate, 2) as decimal(18, 2)) as expected_amount
    from opportunities_valued
),

opportunities_scored as (
    select
        *,
        cast(coalesce(expected_amount, 0) as double) * priority_weight as priority_score
    from opportunities_expected
),

customer_opportunities as (
    select
        opportunities_scored.customer_id,
        opportunities_scored.kind,
        row_number() over (
            partition by opportunities_scored.customer_id
            order by opportunities_scored.priority_score desc, opportunities_scored.sort_order
        ) as priority_rank,
        opportunities_scored.priority_score,
        opportunities_scored.evidence,
        opportunities_scored.evidence_fr,
        opportunities_scored.product_id,
        opportunities_scored.action,
        opportunities_scored.action_fr,
        coalesce(open_channels.service_channel, open_channels.engaged_channel) as channel,
        opportunities_scored.conversion_rate,
        opportunities_scored.value_amount,
        opportunities_scored.expected_amount,
        as_of.as_of_date,
        opportunities_scored.detected_date,
        {{ reporting_date('opportunities_scored.expires_at') }} as expires_date,
        opportunities_scored.evidence_at
    from opportunities_scored
    cross join as_of
    left join open_channels
        on opportunities_scored.customer_id = open_channels.customer_id
        and opportunities_scored.kind = open_channels.kind
)

select * from customer_opportunities

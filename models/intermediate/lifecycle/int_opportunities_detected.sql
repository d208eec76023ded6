-- Grain: one row per customer, kind of ref_opportunity_kinds and instant at which it showed.
-- Of the last lifecycle_history_months months and the present one: the rule that finds today's
-- opportunities is the one that past ones are judged by. detected_at is when a shop could first
-- have known: nothing in a row hangs on what came later (docs/decisions/0018-opportunities.md).
with

kinds as (
    select kind, after_days, window_days, from_value, to_value
    from {{ ref('ref_opportunity_kinds') }}
),

as_of as (
    select
        known_until_at,
        {{ start_of_reporting_date(
            "cast(date_trunc('month', as_of_date) - interval '"
            ~ var('lifecycle_history_months') ~ "' month as date)"
        ) }} as known_from_at
    from {{ ref('stg_shop__as_of') }}
),

carts as (
    select
        cart_id,
        session_id,
        customer_id,
        furthest_stage,
        unit_count,
        cart_amount,
        last_event_at,
        closed_at
    from {{ ref('fct_carts') }}
    where is_abandoned and unit_count > 0 and customer_id is not null
),

cart_sessions as (
    select session_id, customer_known_at from {{ ref('fct_sessions') }}
),

sessions as (
    select
        session_id,
        customer_id,
        anonymous_id,
        started_at,
        ended_at,
        known_at,
        previous_started_at,
        last_ordered_at
    from {{ ref('int_customer_sessions_known') }}
),

product_views as (
    select anonymous_id, product_id, event_at
    from {{ ref('stg_web__interactions') }}
    where event_name = 'product_view' and product_id is not null
),

orders as (
    select order_id, customer_id, customer_order_number, order_date, ordered_at
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
),

lines as (
    select order_id, product_id from {{ ref('fct_order_lines') }}
),

customer_products as (
    select customer_id, product_id, order_date, valid_to_date
    from {{ ref('int_customer_products_gathered') }}
),

cycles as (
    select cycle_date, product_id, cycle_days from {{ ref('int_replenishment_cycles_measured') }}
),

subscriptions as (
    select
        customer_id,
        product_id,
        started_at,
        coalesce(ended_at, timestamp '9999-12-31 00:00:00') as ended_at
    from {{ ref('stg_shop__subscriptions') }}
),

products as (
    select product_id, product_name from {{ ref('dim_products') }}
),

rfm as (
    select customer_id, as_of_date, recency_score, frequency_score, monetary_score
    from {{ ref('fct_customer_rfm') }}
),

churn as (
    select customer_id, as_of_date, churn_probability
    from {{ ref('fct_customer_churn') }}
    where churn_risk = 'high' and churn_state = 'active'
),

nps_responses as (
    select response_id, customer_id, score, responded_at from {{ ref('stg_crm__nps_responses') }}
),

referrals as (
    select referrer_customer_id as customer_id, min(invited_at) as first_invited_at
    from {{ ref('stg_crm__referrals') }}
    group by referrer_customer_id
),

abandoned_carts as (
    select
        carts.customer_id,
        case carts.furthest_stage when 'cart' then 'abandoned_cart' else 'abandoned_checkout' end
            as kind,
        cast(null as string) as product_id,
        carts.cart_amount as evidence_amount,
        carts.last_event_at as evidence_at,
        carts.closed_at as detected_at,
        'Left ' || cast(carts.unit_count as string) || ' unit(s)'
        || coalesce(' worth ' || cast(carts.cart_amount as string), '')
        || ' behind at stage ' || carts.furthest_stage as evidence,
        'A laissé ' || cast(carts.unit_count as string) || ' article(s)'
        || coalesce(' pour ' || replace(cast(carts.cart_amount as string), '.', ','), '')
        || case carts.furthest_stage
            when 'cart' then ' dans le panier'
            when 'checkout' then ' à la caisse'
            when 'shipping' then ' au choix de la livraison'
            when 'payment' then ' au paiement'
        end as evidence_fr
    from carts
    inner join cart_sessions
        on carts.session_id = cart_sessions.session_id
        and carts.closed_at >= cart_sessions.customer_known_at
),

session_views as (
    select
        sessions.customer_id,
        sessions.session_id,
        sessions.started_at,
        sessions.known_at,
        product_views.product_id
    from sessions
    inner join as_of on sessions.known_at >= as_of.known_from_at
    inner join product_views
        on sessions.anonymous_id = product_views.anonymous_id
        and sessions.started_at <= product_views.event_at
        and sessions.ended_at >= product_views.event_at
    group by
        sessions.customer_id,
        sessions.session_id,
        sessions.started_at,
        sessions.known_at,
        product_views.product_id
),

views_compared as (
    select
        *,
        lag(started_at) over product_sessions as previous_started_at
    from session_views
    window product_sessions as (
        partition by customer_id, product_id order by started_at, session_id
    )
),

views_again as (
    select
        views_compared.customer_id,
        views_compared.product_id,
        views_compared.started_at,
        views_compared.previous_started_at,
        views_compared.known_at as detected_at
    from views_compared
    inner join kinds
        on kinds.kind = 'viewed_not_bought'
        and views_compared.previous_started_at
        >= views_compared.started_at - kinds.window_days * interval '1' day
),

-- Grouped, so that no engine joins views to all lines of their product.
purchases as (
    select orders.customer_id, lines.product_id, orders.ordered_at
    from orders
    inner join lines on orders.order_id = lines.order_id
    group by orders.customer_id, lines.product_id, orders.ordered_at
),

views_bought as (
    select
        views_again.customer_id,
        views_again.product_id,
        views_again.started_at
    from views_again
    inner join purchases
        on views_again.customer_id = purchases.customer_id
        and views_again.product_id = purchases.product_id
        and views_again.previous_started_at <= purchases.ordered_at
        and views_again.detected_at > purchases.ordered_at
    group by views_again.customer_id, views_again.product_id, views_again.started_at
),

viewed_not_bought as (
    select
        views_again.customer_id,
        'viewed_not_bought' as kind,
        views_again.product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        views_again.started_at as evidence_at,
        views_again.detected_at,
        'Viewed ' || coalesce(products.product_name, views_again.product_id) || ' again'
            as evidence,
        'A revu ' || coalesce(products.product_name, views_again.product_id) as evidence_fr
    from views_again
    left join views_bought
        on views_again.customer_id = views_bought.customer_id
        and views_again.product_id = views_bought.product_id
        and views_again.started_at = views_bought.started_at
    left join products on views_again.product_id = products.product_id
    where views_bought.customer_id is null
),

back_in_browsing as (
    select
        sessions.customer_id,
        kinds.kind,
        cast(null as string) as product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        sessions.started_at as evidence_at,
        sessions.known_at as detected_at,
        'Came back; the last order was on '
        || cast({{ reporting_date('sessions.last_ordered_at') }} as string) as evidence,
        'De retour ; sa dernière commande date du '
        || cast({{ reporting_date('sessions.last_ordered_at') }} as string) as evidence_fr
    from sessions
    inner join kinds on kinds.kind = 'back_in_browsing'
    left join orders
        on sessions.customer_id = orders.customer_id
        and sessions.started_at <= orders.ordered_at
        and sessions.known_at > orders.ordered_at
    where
        sessions.last_ordered_at <= sessions.started_at - kinds.after_days * interval '1' day
        and coalesce(
            sessions.previous_started_at
            < sessions.started_at - kinds.window_days * interval '1' day,
            true
        )
        and orders.order_id is null
),

-- From the day after an end of a month to the next one the cycle of that end holds.
cycle_months as (
    select
        cycle_date + 1 as from_date,
        cast(date_trunc('month', cycle_date + 1) + interval '1' month as date) as to_date,
        product_id,
        cycle_days
    from cycles
),

replenishments as (
    select
        customer_products.customer_id,
        customer_products.product_id,
        customer_products.order_date,
        customer_products.valid_to_date,
        cycle_months.to_date,
        cycle_months.cycle_days,
        greatest(
            cycle_months.from_date,
            customer_products.order_date + cast(
                ceil({{ var('replenishment_due_from_ratio') }} * cycle_months.cycle_days) as integer
            )
        ) as due_date
    from customer_products
    inner join cycle_months on customer_products.product_id = cycle_months.product_id
),

replenishments_due as (
    select
        customer_id,
        product_id,
        order_date,
        min(due_date) as due_date,
        {{ first_by('cycle_days', ['due_date']) }} as cycle_days
    from replenishments
    where
        due_date < to_date
        and due_date < valid_to_date
        and {{ days_from('order_date', 'due_date') }}
        <= {{ var('replenishment_due_to_ratio') }} * cycle_days
    group by customer_id, product_id, order_date
),

replenishments_dated as (
    select *, {{ start_of_reporting_date('due_date') }} as detected_at from replenishments_due
),

replenishment_due as (
    select
        replenishments_dated.customer_id,
        'replenishment_due' as kind,
        replenishments_dated.product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        {{ start_of_reporting_date('replenishments_dated.order_date') }} as evidence_at,
        replenishments_dated.detected_at,
        'Bought ' || coalesce(products.product_name, replenishments_dated.product_id) || ' on '
        || cast(replenishments_dated.order_date as string) || '; customers buy it again after '
        || cast(cast(round(replenishments_dated.cycle_days) as bigint) as string) || ' days'
            as evidence,
        'A acheté ' || coalesce(products.product_name, replenishments_dated.product_id) || ' le '
        || cast(replenishments_dated.order_date as string) || ' ; les clients en rachètent après '
        || cast(cast(round(replenishments_dated.cycle_days) as bigint) as string) || ' jours'
            as evidence_fr
    from replenishments_dated
    left join products on replenishments_dated.product_id = products.product_id
    left join subscriptions
        on replenishments_dated.customer_id = subscriptions.customer_id
        and replenishments_dated.product_id = subscriptions.product_id
        and replenishments_dated.detected_at >= subscriptions.started_at
        and replenishments_dated.detected_at <= subscriptions.ended_at
    where subscriptions.customer_id is null
),

state_dates as (
    select
        as_of_date,
        lag(as_of_date) over (order by as_of_date) as previous_date
    from rfm
    group by as_of_date
),

states as (
    select
        rfm.customer_id,
        rfm.as_of_date,
        'at_risk_high_value' as kind,
        'Spends more than most, and will not order in 90 days with a probability of '
        || cast(cast(round(100 * churn.churn_probability) as bigint) as string) || '%' as evidence,
        'Dépense plus que la plupart, et ne commandera pas sous 90 jours avec une probabilité de '
        || cast(cast(round(100 * churn.churn_probability) as bigint) as string) || ' %'
            as evidence_fr
    from rfm
    inner join kinds
        on kinds.kind = 'at_risk_high_value' and rfm.monetary_score >= kinds.from_value
    inner join churn
        on rfm.customer_id = churn.customer_id and rfm.as_of_date = churn.as_of_date
    union all
    select
        rfm.customer_id,
        rfm.as_of_date,
        kinds.kind,
        'Orders often and of late (scores ' || cast(rfm.frequency_score as string) || ' and '
        || cast(rfm.recency_score as string) || '), for little (' || cast(
            rfm.monetary_score as string
        ) || ')' as evidence,
        'Commande souvent et récemment (scores ' || cast(rfm.frequency_score as string) || ' et '
        || cast(rfm.recency_score as string) || '), pour de petits montants (' || cast(
            rfm.monetary_score as string
        ) || ')' as evidence_fr
    from rfm
    inner join kinds
        on kinds.kind = 'upsell'
        and rfm.frequency_score >= kinds.from_value
        and rfm.recency_score >= kinds.from_value
        and rfm.monetary_score <= kinds.to_value
),

-- A state shows on the first day, of those that are kept, on which it holds again.
states_entered as (
    select
        states.customer_id,
        states.kind,
        cast(null as string) as product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        {{ start_of_reporting_date('(states.as_of_date + 1)') }} as evidence_at,
        {{ start_of_reporting_date('(states.as_of_date + 1)') }} as detected_at,
        states.evidence,
        states.evidence_fr
    from states
    inner join state_dates on states.as_of_date = state_dates.as_of_date
    left join states as previous_states
        on states.customer_id = previous_states.customer_id
        and states.kind = previous_states.kind
        and state_dates.previous_date = previous_states.as_of_date
    where previous_states.customer_id is null and state_dates.previous_date is not null
),

second_order as (
    select
        orders.customer_id,
        kinds.kind,
        cast(null as string) as product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        orders.ordered_at as evidence_at,
        orders.ordered_at + kinds.after_days * interval '1' day as detected_at,
        'Ordered once, on ' || cast(orders.order_date as string) as evidence,
        'A commandé une seule fois, le ' || cast(orders.order_date as string) as evidence_fr
    from orders
    inner join kinds on kinds.kind = 'second_order'
    left join orders as second_orders
        on orders.customer_id = second_orders.customer_id
        and second_orders.customer_order_number = 2
        and second_orders.ordered_at < orders.ordered_at + kinds.after_days * interval '1' day
    where orders.customer_order_number = 1 and second_orders.order_id is null
),

answers as (
    select
        nps_responses.customer_id,
        kinds.kind,
        cast(null as string) as product_id,
        cast(null as decimal(18, 2)) as evidence_amount,
        nps_responses.responded_at as evidence_at,
        nps_responses.responded_at as detected_at,
        'Answered ' || cast(nps_responses.score as string) || ' to the NPS question' as evidence,
        'A répondu ' || cast(nps_responses.score as string) || ' à la question NPS' as evidence_fr
    from nps_responses
    inner join kinds
        on kinds.kind in ('promoter_not_referring', 'detractor_call')
        and nps_responses.score >= kinds.from_value
        and nps_responses.score <= kinds.to_value
    left join referrals
        on nps_responses.customer_id = referrals.customer_id
        and nps_responses.responded_at >= referrals.first_invited_at
    where referrals.customer_id is null or kinds.kind <> 'promoter_not_referring'
),

opportunities as (
    select * from abandoned_carts
    union all
    select * from viewed_not_bought
    union all
    select * from back_in_browsing
    union all
    select * from replenishment_due
    union all
    select * from states_entered
    union all
    select * from second_order
    union all
    select * from answers
),

opportunities_known as (
    select
        opportunities.customer_id,
        opportunities.kind,
        opportunities.detected_at,
        {{ first_by(
            packed(['product_id', 'evidence_amount', 'evidence_at', 'evidence', 'evidence_fr']),
            [
                'coalesce(-opportunities.evidence_amount, 0)',
                "coalesce(opportunities.product_id, '')",
                'opportunities.evidence_at',
                'opportunities.evidence'
            ]
        ) }} as first_evidence
    from opportunities
    cross join as_of
    where
        opportunities.detected_at <= as_of.known_until_at
        and opportunities.detected_at >= as_of.known_from_at
    group by opportunities.customer_id, opportunities.kind, opportunities.detected_at
),

opportunities_detected as (
    select
        opportunities_known.customer_id,
        opportunities_known.kind,
        opportunities_known.detected_at,
        {{ reporting_date("(opportunities_known.detected_at - interval '1' microsecond)") }}
            as detected_date,
        opportunities_known.first_evidence.product_id as product_id,
        opportunities_known.first_evidence.evidence_amount as evidence_amount,
        opportunities_known.first_evidence.evidence_at as evidence_at,
        opportunities_known.first_evidence.evidence as evidence,
        opportunities_known.first_evidence.evidence_fr as evidence_fr
    from opportunities_known
)

select * from opportunities_detected

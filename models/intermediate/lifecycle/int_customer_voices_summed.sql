-- Grain: one row per customer who answered, reviewed, asked for help, invited, subscribed or has
-- points.
with

nps_responses as (
    select customer_id, response_id, score, responded_at from {{ ref('stg_crm__nps_responses') }}
),

reviews as (
    select customer_id, rating from {{ ref('stg_crm__reviews') }} where customer_id is not null
),

tickets as (
    select customer_id, resolved_at
    from {{ ref('stg_crm__support_tickets') }}
    where customer_id is not null
),

referrals as (
    select referrer_customer_id, first_order_at from {{ ref('stg_crm__referrals') }}
),

loyalty_entries as (
    select customer_id, points from {{ ref('stg_crm__loyalty_entries') }}
),

subscriptions as (
    select customer_id, mrr_amount from {{ ref('int_subscriptions_priced') }} where is_active
),

answers as (
    select
        customer_id,
        {{ last_by('score', ['responded_at', 'response_id']) }} as last_nps_score,
        max(responded_at) as last_responded_at
    from nps_responses
    group by customer_id
),

ratings as (
    select customer_id, count(*) as review_count, sum(rating) as rating_total
    from reviews
    group by customer_id
),

help as (
    select
        customer_id,
        count(*) as ticket_count,
        count(*) filter (where resolved_at is null) as open_ticket_count
    from tickets
    group by customer_id
),

invites as (
    select
        referrer_customer_id as customer_id,
        count(*) as invite_count,
        count(first_order_at) as bought_invite_count
    from referrals
    group by referrer_customer_id
),

balances as (
    select customer_id, sum(points) as loyalty_points
    from loyalty_entries
    group by customer_id
),

-- The price of one unknown, that of all is.
subscribers as (
    select
        customer_id,
        count(*) as subscription_count,
        case when count(mrr_amount) = count(*) then sum(mrr_amount) end as mrr_amount
    from subscriptions
    group by customer_id
),

{% set voices = ['answers', 'ratings', 'help', 'invites', 'balances', 'subscribers'] %}
customer_ids as (
    {% for voice in voices -%}
    select customer_id from {{ voice }}
    {{ 'union -- a customer once, however they made themselves heard' if not loop.last }}
    {% endfor -%}
),

customer_voices as (
    select
        customer_ids.customer_id,
        answers.last_nps_score,
        {{ nps_class('answers.last_nps_score') }} as last_nps_class,
        {{ reporting_date('answers.last_responded_at') }} as last_nps_date,
        coalesce(ratings.review_count, 0) as review_count,
        cast(ratings.rating_total as double) / ratings.review_count as mean_rating,
        coalesce(help.ticket_count, 0) as ticket_count,
        coalesce(help.open_ticket_count, 0) as open_ticket_count,
        coalesce(invites.invite_count, 0) as invite_count,
        coalesce(invites.bought_invite_count, 0) as bought_invite_count,
        cast(balances.loyalty_points as bigint) as loyalty_points,
        coalesce(subscribers.subscription_count, 0) as subscription_count,
        cast(
            case when subscribers.customer_id is null then 0 else subscribers.mrr_amount end
            as decimal(18, 2)
        ) as mrr_amount
    from customer_ids
    {% for voice in voices -%}
    left join {{ voice }} on customer_ids.customer_id = {{ voice }}.customer_id
    {% endfor -%}
)

select * from customer_voices

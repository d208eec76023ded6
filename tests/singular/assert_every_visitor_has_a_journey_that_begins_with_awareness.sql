-- Without this a visitor could be missing, or have bought before they came, and days to purchase
-- would be negative.
with

journeys as (
    select
        visitor_id,
        session_count,
        awareness_at,
        interest_at,
        consideration_at,
        intent_at,
        purchase_at,
        loyalty_at
    from {{ ref('fct_visitor_journeys') }}
),

sessions as (
    select visitor_id from {{ ref('fct_sessions') }}
),

orders as (
    select visitor_id from {{ ref('fct_orders') }}
    where status <> 'cancelled' and visitor_id is not null
),

visits as (
    select
        visitor_id,
        count(*) as session_count
    from sessions
    group by visitor_id
),

visitors as (
    select visitor_id from visits
    union -- a visitor once
    select visitor_id from orders
),

visitors_counted as (
    select
        visitors.visitor_id,
        coalesce(visits.session_count, 0) as session_count
    from visitors
    left join visits on visitors.visitor_id = visits.visitor_id
)

select coalesce(visitors_counted.visitor_id, journeys.visitor_id) as visitor_id
from visitors_counted
full outer join journeys on visitors_counted.visitor_id = journeys.visitor_id
where
    journeys.session_count is distinct from visitors_counted.session_count
    or journeys.awareness_at > journeys.interest_at
    or journeys.awareness_at > journeys.consideration_at
    or journeys.awareness_at > journeys.intent_at
    or journeys.awareness_at > journeys.purchase_at
    or journeys.awareness_at > journeys.loyalty_at
    or journeys.purchase_at > journeys.loyalty_at
    or (journeys.purchase_at is null and journeys.loyalty_at is not null)
    or (journeys.awareness_at is null and journeys.purchase_at is null)

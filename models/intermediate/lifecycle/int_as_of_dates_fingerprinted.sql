-- Grain: one row per day that states of customers are kept for.
-- The fingerprint is of all that a state of that day is made of: where it is another one than at
-- the last refresh (a late order, a refund, a new as_of_date) the day is touched: every table of
-- states builds that day again, and no other.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='as_of_date',
    meta={'touches': {'as_of_date': 'as_of_date'}}
) }}
with

as_of_dates as (
    select as_of_date, is_latest from {{ ref('int_as_of_dates_listed') }}
),

customer_days as (
    select * from {{ ref('int_customer_days_accumulated') }}
),

accounts as (
    select customer_id, {{ reporting_date('created_at') }} as created_date
    from {{ ref('dim_customers') }}
    where has_account
),

first_session as (
    select min(session_date) as session_date from {{ ref('fct_sessions') }}
),

visits as (
    select customer_id, visit_date, known_date, visit_count, cart_count
    from {{ ref('int_customer_visits_known') }}
),

messages as (
    select customer_id, sent_date, opened_date, clicked_date, message_count
    from {{ ref('int_customer_messages_counted') }}
),

tickets as (
    select customer_id, {{ reporting_date('opened_at') }} as opened_date
    from {{ ref('stg_crm__support_tickets') }}
),

nps_responses as (
    select
        response_id,
        customer_id,
        score,
        responded_at,
        {{ reporting_date('responded_at') }} as responded_date
    from {{ ref('stg_crm__nps_responses') }}
),

ad_spend as (
    select ad_spend_key, spend_date, spend_amount from {{ ref('fct_ad_spend') }}
),

-- Each fact on the day from which on it is known.
facts as (
    select
        activity_date as fact_date,
        {{ fingerprint([
            'customer_id', 'activity_date', 'order_count', 'unit_count', 'returned_unit_count',
            'gross_amount', 'discount_amount', 'net_amount', 'refund_amount', 'margin_amount'
        ]) }} as fingerprint
    from customer_days
    group by activity_date
    union all
    select
        coalesce(created_date, date '0001-01-01') as fact_date,
        {{ fingerprint(['customer_id', 'created_date']) }} as fingerprint
    from accounts
    group by coalesce(created_date, date '0001-01-01')
    union all
    select
        spend_date as fact_date,
        {{ fingerprint(['ad_spend_key', 'spend_amount']) }} as fingerprint
    from ad_spend
    group by spend_date
    union all
    select
        known_date as fact_date,
        {{ fingerprint(['customer_id', 'visit_date', 'known_date', 'visit_count', 'cart_count']) }}
            as fingerprint
    from visits
    group by known_date
    union all
    -- Since when there has been any tracking.
    select
        session_date as fact_date,
        {{ fingerprint(["'first session'", 'session_date']) }} as fingerprint
    from first_session
    where session_date is not null
    group by session_date
    {% for step in ['sent', 'opened', 'clicked'] -%}
    union all
    select
        {{ step }}_date as fact_date,
        {{ fingerprint([
            "'" ~ step ~ "'", 'customer_id', 'sent_date', step ~ '_date', 'message_count'
        ]) }} as fingerprint
    from messages
    where {{ step }}_date is not null
    group by {{ step }}_date
    {% endfor -%}
    union all
    select
        opened_date as fact_date,
        {{ fingerprint(["'ticket'", 'customer_id', 'opened_date']) }} as fingerprint
    from tickets
    group by opened_date
    union all
    select
        responded_date as fact_date,
        {{ fingerprint(['response_id', 'customer_id', 'score', 'responded_at']) }} as fingerprint
    from nps_responses
    group by responded_date
),

as_of_dates_fingerprinted as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_latest,
        cast(sum(facts.fingerprint) as string) as fingerprint
    from as_of_dates
    left join facts on as_of_dates.as_of_date >= facts.fact_date
    group by as_of_dates.as_of_date, as_of_dates.is_latest
)

select * from as_of_dates_fingerprinted

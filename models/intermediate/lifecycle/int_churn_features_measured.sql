-- Grain: one row per as_of_date, stage (int_churn_dates_listed) and customer with an order by its
-- state_date; of training and holdout at most churn_sample_size customers, drawn by a hash.
-- What state_date knew of a customer, and what became of it by outcome_date. Windows end with
-- state_date. What was not watched through a whole window is NULL: no visit before there was any
-- tracking says nothing.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set recent, behaviour = var('churn_recent_days'), var('churn_behaviour_days') %}
{% set support, value = var('churn_support_days'), var('churn_value_days') %}
with

stages as (
    select as_of_date, is_latest, stage, state_date, outcome_date
    from {{ ref('int_churn_dates_listed') }}
    {% if is_incremental() -%}
    where as_of_date in {{ touched('as_of_date', 'date') }}
    {%- endif %}
),

customer_days as {{ inlined() }} (
    select * from {{ ref('int_customer_days_accumulated') }}
    where last_order_date is not null
),

visits as (
    select customer_id, visit_date, known_date, visit_count, cart_count
    from {{ ref('int_customer_visits_known') }}
),

sessions as (
    select session_date from {{ ref('fct_sessions') }}
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

-- The day from which on each source tells of behaviour; NULL for one that the shop does not have.
sources as (
    select
        (select min(session_date) from sessions) as first_visit_date,
        (select min(sent_date) from messages) as first_message_date,
        (select min(opened_date) from tickets) as first_ticket_date
),

-- An order of customers that is theirs alone: who is drawn does not hang on who comes later.
customers_numbered as (
    select
        customer_id,
        first_order_date,
        row_number() over (order by md5(customer_id), customer_id) as customer_number
    from customer_days
    where activity_date = first_order_date
),

-- The last number that is drawn; none in serving, where everybody is.
draws as (
    select
        stages.as_of_date,
        stages.stage,
        {{ nth_lowest('customers_numbered.customer_number', var('churn_sample_size')) }}
            as last_number
    from stages
    inner join customers_numbered on stages.state_date >= customers_numbered.first_order_date
    where stages.stage <> 'serving'
    group by stages.as_of_date, stages.stage
),

customers as (
    select
        stages.as_of_date,
        stages.is_latest,
        stages.stage,
        stages.state_date,
        stages.outcome_date,
        customers_numbered.customer_id
    from stages
    left join draws on stages.as_of_date = draws.as_of_date and stages.stage = draws.stage
    inner join customers_numbered
        on stages.state_date >= customers_numbered.first_order_date
        and coalesce(draws.last_number >= customers_numbered.customer_number, true)
),

customer_visits as (
    select
        customers.as_of_date,
        customers.stage,
        customers.customer_id,
        sum(visits.visit_count) as visit_count,
        sum(visits.cart_count) as cart_count,
        {% for kind in ['visit', 'cart'] -%}
        sum(visits.{{ kind }}_count) filter (
            where visits.visit_date > customers.state_date - {{ recent }}
        ) as recent_{{ kind }}_count,
        {% endfor -%}
        max(visits.visit_date) as last_visit_date
    from customers
    inner join visits
        on customers.customer_id = visits.customer_id
        and customers.state_date >= visits.known_date
        and customers.state_date < visits.visit_date + {{ behaviour }}
    group by customers.as_of_date, customers.stage, customers.customer_id
),

customer_messages as (
    select
        customers.as_of_date,
        customers.stage,
        customers.customer_id,
        {% for step in ['sent', 'opened', 'clicked'] -%}
        sum(messages.message_count) filter (where messages.{{ step }}_date <= customers.state_date)
            as {{ step }}_count,
        {% endfor -%}
        min(messages.sent_date) as first_sent_date
    from customers
    inner join messages
        on customers.customer_id = messages.customer_id
        and customers.state_date >= messages.sent_date
        and customers.state_date < messages.sent_date + {{ behaviour }}
    group by customers.as_of_date, customers.stage, customers.customer_id
),

customer_tickets as (
    select
        customers.as_of_date,
        customers.stage,
        customers.customer_id,
        count(*) as ticket_count
    from customers
    inner join tickets
        on customers.customer_id = tickets.customer_id
        and customers.state_date >= tickets.opened_date
        and customers.state_date < tickets.opened_date + {{ support }}
    group by customers.as_of_date, customers.stage, customers.customer_id
),

customer_answers as (
    select
        customers.as_of_date,
        customers.stage,
        customers.customer_id,
        {{ last_by(
            'nps_responses.score', ['nps_responses.responded_at', 'nps_responses.response_id']
        ) }} as nps_score
    from customers
    inner join nps_responses
        on customers.customer_id = nps_responses.customer_id
        and customers.state_date >= nps_responses.responded_date
    group by customers.as_of_date, customers.stage, customers.customer_id
),

features as (
    select
        customers.as_of_date,
        customers.is_latest,
        customers.stage,
        customers.state_date,
        customers.customer_id,
        states.first_order_date,
        states.last_order_date,
        {{ days_from('states.last_order_date', 'customers.state_date') }} as recency_days,
        {{ days_from('states.first_order_date', 'customers.state_date') }} as tenure_days,
        states.purchase_day_count,
        states.purchase_day_count - coalesce(before_behaviour.purchase_day_count, 0)
            as recent_purchase_day_count,
        cast({{ days_from('states.first_order_date', 'states.last_order_date') }} as double)
        / nullif(states.purchase_day_count - 1, 0) as mean_gap_days,
        cast(states.net_amount_after_refunds as double) / states.order_count as net_per_order,
        cast(states.unit_count as double) / states.order_count as units_per_order,
        cast(states.discount_amount as double) / nullif(states.gross_amount, 0) as discount_share,
        cast(states.returned_unit_count as double) / nullif(states.unit_count, 0) as return_share,
        cast(
            states.net_amount_after_refunds - coalesce(before_value.net_amount_after_refunds, 0)
            as decimal(18, 2)
        ) as recent_net_amount,
        {% for table, column, date, days in [
            ('visits', 'visit_count', 'visit', behaviour),
            ('visits', 'cart_count', 'visit', behaviour),
            ('visits', 'recent_visit_count', 'visit', recent),
            ('visits', 'recent_cart_count', 'visit', recent),
            ('messages', 'sent_count', 'message', behaviour),
            ('messages', 'opened_count', 'message', behaviour),
            ('messages', 'clicked_count', 'message', behaviour),
            ('tickets', 'ticket_count', 'ticket', support)
        ] -%}
        case
            when customers.state_date >= sources.first_{{ date }}_date + {{ days - 1 }}
                then cast(coalesce(customer_{{ table }}.{{ column }}, 0) as bigint)
        end as {{ column }},
        {% endfor -%}
        case
            when customers.state_date >= sources.first_visit_date + {{ behaviour - 1 }}
                then {{ days_from('customer_visits.last_visit_date', 'customers.state_date') }}
        end as days_since_visit,
        customer_answers.nps_score,
        case
            when customers.stage <> 'serving'
                then outcomes.purchase_day_count - states.purchase_day_count
        end as outcome_purchase_day_count
    from customers
    cross join sources
    -- What was known of the customer on a day is one row.
    {% for state, date in {
        'states': 'state_date',
        'before_behaviour': 'state_date - ' ~ behaviour,
        'before_value': 'state_date - ' ~ value,
        'outcomes': 'outcome_date'
    }.items() -%}
    {{ 'inner' if state == 'states' else 'left' }} join customer_days as {{ state }}
        on customers.customer_id = {{ state }}.customer_id
        and customers.{{ date }} >= {{ state }}.activity_date
        and customers.{{ date }} < {{ state }}.valid_to_date
    {% endfor -%}
    {% for table in [
        'customer_visits', 'customer_messages', 'customer_tickets', 'customer_answers'
    ] -%}
    left join {{ table }}
        on customers.as_of_date = {{ table }}.as_of_date
        and customers.stage = {{ table }}.stage
        and customers.customer_id = {{ table }}.customer_id
    {% endfor %}
)

select * from features

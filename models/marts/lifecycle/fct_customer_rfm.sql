-- Grain: one row per customer with an account or an order, and day that states are kept for.
-- Scored are all who had ordered by that day: a score is the place among them. Rows of several days
-- do not add up. The state at the end of the month before stands beside it, so that what moved is a
-- sum over one day's rows.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['as_of_date in ' ~ touched('as_of_date', 'date')],
    on_schema_change='fail'
) }}
{% set measures = {
    'recency': 'last_order_date', 'frequency': 'order_count', 'monetary': 'net_amount_after_refunds'
} %}
{% set window_days = var('rfm_window_days') %}
with

as_of_dates as (
    select
        as_of_date,
        is_latest,
        cast(date_trunc('month', as_of_date) as date) - 1 as previous_date
    from {{ ref('int_as_of_dates_fingerprinted') }}
    {% if is_incremental() -%}
    where as_of_date in {{ touched('as_of_date', 'date') }}
    {%- endif %}
),

customer_days as (
    select
        customer_id,
        activity_date,
        valid_to_date,
        first_order_date,
        last_order_date,
        order_count,
        net_amount_after_refunds,
        margin_amount
    from {{ ref('int_customer_days_accumulated') }}
),

accounts as (
    select customer_id, {{ reporting_date('created_at') }} as created_date
    from {{ ref('dim_customers') }}
    where has_account
),

segments as (
    select recency_score, fm_score, segment from {{ ref('ref_rfm_segments') }}
),

state_dates as (
    select as_of_date as state_date from as_of_dates
    union -- a day once: an end of a month is the previous one of another day
    select previous_date as state_date from as_of_dates
),

histories as (
    select
        state_dates.state_date,
        customer_days.customer_id,
        customer_days.last_order_date,
        customer_days.order_count,
        customer_days.net_amount_after_refunds,
        customer_days.margin_amount
    from customer_days
    inner join state_dates
        on customer_days.activity_date <= state_dates.state_date
        and customer_days.valid_to_date > state_dates.state_date
    where customer_days.last_order_date is not null
),

buyers as (
    {% if window_days %}
    select
        histories.state_date,
        histories.customer_id,
        histories.last_order_date,
        histories.order_count - coalesce(days_before.order_count, 0) as order_count,
        cast(
            histories.net_amount_after_refunds
            - coalesce(days_before.net_amount_after_refunds, 0) as decimal(18, 2)
        ) as net_amount_after_refunds,
        cast(
            histories.margin_amount
            - case when days_before.customer_id is null then 0 else days_before.margin_amount end
            as decimal(18, 2)
        ) as margin_amount
    from histories
    left join customer_days as days_before
        on histories.customer_id = days_before.customer_id
        and histories.state_date - {{ window_days }} >= days_before.activity_date
        and histories.state_date - {{ window_days }} < days_before.valid_to_date
    {%- else %}
    select * from histories
    {% endif %}
),

-- Of each value of a measure how many are strictly worse, then the lowest value of each score:
-- equal customers cannot but score equally, and in whole numbers no fifth is missed.
{% for score, measure in measures.items() -%}
{{ score }}_values as (
    select
        state_date,
        {{ measure }},
        count(*) as customer_count
    from buyers
    group by state_date, {{ measure }}
),

{{ score }}_places as (
    select
        state_date,
        {{ measure }},
        sum(customer_count) over (partition by state_date order by {{ measure }})
        - customer_count as worse_count,
        sum(customer_count) over (partition by state_date) as scored_count
    from {{ score }}_values
),

{{ score }}_bounds as (
    select
        {% for number in [2, 3, 4, 5] -%}
        min(
            case when 5 * worse_count >= {{ number - 1 }} * scored_count then {{ measure }} end
        ) as from_{{ number }},
        {% endfor -%}
        state_date
    from {{ score }}_places
    group by state_date
),

{% endfor -%}
buyers_scored as (
    select
        {% for score, measure in measures.items() -%}
        cast(
            case
                {% for number in [5, 4, 3, 2] -%}
                when buyers.{{ measure }} >= {{ score }}_bounds.from_{{ number }} then {{ number }}
                {% endfor -%}
                else 1
            end as bigint
        ) as {{ score }}_score,
        {% endfor -%}
        buyers.*
    from buyers
    {% for score in measures -%}
    inner join {{ score }}_bounds on buyers.state_date = {{ score }}_bounds.state_date
    {% endfor %}
),

buyers_averaged as (
    select
        *,
        cast(floor((frequency_score + monetary_score + 1) / 2) as bigint) as fm_score
    from buyers_scored
),

first_orders as (
    select
        customer_id,
        min(first_order_date) as first_order_date
    from customer_days
    group by customer_id
),

prospects as (
    select
        state_dates.state_date,
        accounts.customer_id
    from accounts
    left join first_orders on accounts.customer_id = first_orders.customer_id
    inner join state_dates
        on coalesce(accounts.created_date <= state_dates.state_date, true)
        and coalesce(first_orders.first_order_date > state_dates.state_date, true)
),

states as (
    select
        buyers_averaged.state_date,
        buyers_averaged.customer_id,
        buyers_averaged.last_order_date,
        buyers_averaged.order_count,
        buyers_averaged.net_amount_after_refunds,
        buyers_averaged.margin_amount,
        buyers_averaged.recency_score,
        buyers_averaged.frequency_score,
        buyers_averaged.monetary_score,
        buyers_averaged.fm_score,
        segments.segment
    from buyers_averaged
    left join segments
        on buyers_averaged.recency_score = segments.recency_score
        and buyers_averaged.fm_score = segments.fm_score
    union all
    select
        state_date,
        customer_id,
        cast(null as date) as last_order_date,
        0 as order_count,
        cast(0 as decimal(18, 2)) as net_amount_after_refunds,
        cast(0 as decimal(18, 2)) as margin_amount,
        cast(null as bigint) as recency_score,
        cast(null as bigint) as frequency_score,
        cast(null as bigint) as monetary_score,
        cast(null as bigint) as fm_score,
        'prospects' as segment
    from prospects
),

previous_states as (
    select state_date, customer_id, segment, net_amount_after_refunds from states
),

customer_rfm as (
    select
        states.customer_id,
        as_of_dates.as_of_date,
        as_of_dates.is_latest,
        {{ days_from('states.last_order_date', 'as_of_dates.as_of_date') }} as recency_days,
        states.order_count,
        states.net_amount_after_refunds,
        states.margin_amount,
        states.recency_score,
        states.frequency_score,
        states.monetary_score,
        states.fm_score,
        states.segment,
        as_of_dates.previous_date,
        previous_states.segment as previous_segment,
        previous_states.net_amount_after_refunds as previous_net_amount_after_refunds
    from states
    inner join as_of_dates on states.state_date = as_of_dates.as_of_date
    left join previous_states
        on states.customer_id = previous_states.customer_id
        and as_of_dates.previous_date = previous_states.state_date
)

select * from customer_rfm

-- Grain: one row per anonymous_id and period in which one customer is known on it.
-- The first customer also has what came before (back-fill); a later login of another one ends it.
with

events as (
    select anonymous_id, customer_id, event_id, event_at
    from {{ ref('stg_web__events') }}
    where customer_id is not null and not is_bot
),

-- Where two customers are identified at the same instant, the greater event_id counts as the later.
identifications as (
    select
        anonymous_id,
        event_at as identified_at,
        {{ last_by('customer_id', ['event_id']) }} as customer_id
    from events
    group by anonymous_id, event_at
),

identifications_compared as (
    select
        *,
        lag(customer_id) over (partition by anonymous_id order by identified_at)
            as previous_customer_id
    from identifications
),

periods as (
    select
        anonymous_id,
        customer_id,
        case
            when previous_customer_id is null then timestamp '0001-01-01 00:00:00'
            else identified_at
        end as valid_from_at,
        lead(identified_at, 1, timestamp '9999-12-31 00:00:00') over (
            partition by anonymous_id order by identified_at
        ) as valid_to_at
    from identifications_compared
    where previous_customer_id is null or previous_customer_id <> customer_id
)

select * from periods

-- Grain: one row per anonymous_id and period in which one customer is known on it.
-- The first customer also has what came before (back-fill); a later login of another one ends it.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='identity_id',
    incremental_predicates=['anonymous_id in ' ~ touched('anonymous_id')]
) }}
with

identifications as (
    select identification_id, anonymous_id, customer_id, identified_at
    from {{ ref('int_identifications_kept') }}
    {% if is_incremental() -%}
    where anonymous_id in {{ touched('anonymous_id') }}
    {%- endif %}
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
        identification_id as identity_id,
        anonymous_id,
        customer_id,
        case
            when previous_customer_id is null then timestamp '0001-01-01 00:00:00'
            else identified_at
        end as valid_from_at,
        lead(identified_at, 1, timestamp '9999-12-31 00:00:00') over (
            partition by anonymous_id order by identified_at
        ) as valid_to_at,
        identified_at
    from identifications_compared
    where previous_customer_id is null or previous_customer_id <> customer_id
)

select * from periods

-- Grain: one row per movement of a customer's loyalty points.
with

loyalty_entries as (
    select * from {{ ref('base_crm__loyalty_entries') }} where verdict = 'kept'
),

loyalty_entries_known as (
    select
        entry_id,
        customer_id,
        order_id,
        reason,
        points,
        entered_at
    from loyalty_entries
    where {{ is_known('entered_at') }}
)

select * from loyalty_entries_known

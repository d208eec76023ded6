-- Grain: one row per support ticket.
-- The rating follows the resolution: it is not known before that.
with

support_tickets as (
    select * from {{ ref('base_crm__support_tickets') }} where verdict = 'kept'
),

support_tickets_known as (
    select
        ticket_id,
        customer_id,
        order_id,
        channel,
        topic,
        case
            when coalesce({{ is_known('resolved_at') }}, true) then satisfaction
        end as satisfaction,
        opened_at,
        {{ when_known('first_response_at') }} as first_response_at,
        {{ when_known('resolved_at') }} as resolved_at
    from support_tickets
    where {{ is_known('opened_at') }}
)

select * from support_tickets_known

-- Grain: one row per support ticket row that the shop brought, with a verdict.
with

support_tickets as (
    {{ typed_rows('support_tickets') }}
),

{{ judgement('support_tickets', 'support_tickets') }}

select * from rows_judged

-- Grain: one row per customer row that the shop brought, with a verdict.
with

customers as (
    {{ typed_rows('customers') }}
),

{{ judgement('customers', 'customers') }}

select * from rows_judged

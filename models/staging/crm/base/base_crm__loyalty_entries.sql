-- Grain: one row per loyalty entry row that the shop brought, with a verdict.
with

loyalty_entries as (
    {{ typed_rows('loyalty_entries') }}
),

{{ judgement('loyalty_entries', 'loyalty_entries') }}

select * from rows_judged

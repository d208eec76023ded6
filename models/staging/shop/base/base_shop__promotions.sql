-- Grain: one row per promotion row that the shop brought, with a verdict.
with

promotions as (
    {{ typed_rows('promotions') }}
),

{{ judgement('promotions', 'promotions') }}

select * from rows_judged

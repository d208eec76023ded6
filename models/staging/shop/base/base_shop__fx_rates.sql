-- Grain: one row per exchange rate row that the shop brought, with a verdict.
with

fx_rates as (
    {{ typed_rows('fx_rates') }}
),

{{ judgement('fx_rates', 'fx_rates') }}

select * from rows_judged

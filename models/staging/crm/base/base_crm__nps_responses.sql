-- Grain: one row per NPS answer row that the shop brought, with a verdict.
with

nps_responses as (
    {{ typed_rows('nps_responses') }}
),

{{ judgement('nps_responses', 'nps_responses') }}

select * from rows_judged

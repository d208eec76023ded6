-- Grain: one row per review row that the shop brought, with a verdict.
with

reviews as (
    {{ typed_rows('reviews') }}
),

{{ judgement('reviews', 'reviews') }}

select * from rows_judged

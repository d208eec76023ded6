-- Grain: one row per experiment exposure row that the shop brought, with a verdict.
with

experiments as (
    {{ typed_rows('experiments') }}
),

{{ judgement('experiments', 'experiments') }}

select * from rows_judged

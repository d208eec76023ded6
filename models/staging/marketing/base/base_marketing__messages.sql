-- Grain: one row per message row that the shop brought, with a verdict.
with

messages as (
    {{ typed_rows('messages') }}
),

{{ judgement('messages', 'messages') }}

select * from rows_judged

-- Grain: one row per referral row that the shop brought, with a verdict.
with

referrals as (
    {{ typed_rows('referrals') }}
),

{{ judgement('referrals', 'referrals') }}

select * from rows_judged

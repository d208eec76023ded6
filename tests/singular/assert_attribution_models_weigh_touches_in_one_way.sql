-- Without this a new row could ask for weights by position and by time at once, or leave nothing
-- for anybody, and its orders would be shared in a way that nobody wrote down.
with

models as (
    select * from {{ ref('ref_attribution_models') }}
)

select * from models
where
    (first_touch_percent is null) <> (last_touch_percent is null)
    or (first_touch_percent is not null and half_life_days is not null)
    or (credited_touches <> 'all' and coalesce(first_touch_percent, half_life_days) is not null)
    or first_touch_percent < 0
    or last_touch_percent < 0
    or first_touch_percent + last_touch_percent not between 1 and 100
    or half_life_days <= 0

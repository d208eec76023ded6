-- Grain: one row per invitation sent by a customer.
-- The referee is known as a customer from the sign-up on, the reward from the first order on.
with

referrals as (
    select * from {{ ref('base_crm__referrals') }} where verdict = 'kept'
),

referrals_known as (
    select
        referral_id,
        referrer_customer_id,
        case
            when coalesce({{ is_known('coalesce(signed_up_at, first_order_at)') }}, true)
                then referee_customer_id
        end as referee_customer_id,
        case
            when coalesce({{ is_known('coalesce(first_order_at, signed_up_at)') }}, true)
                then reward_amount
        end as reward_amount,
        invited_at,
        {{ when_known('signed_up_at') }} as signed_up_at,
        {{ when_known('first_order_at') }} as first_order_at
    from referrals
    where {{ is_known('invited_at') }}
)

select * from referrals_known

-- Grain: one row per customer and unbroken stay in one state, by the days at whose end they are in
-- it. A state of a day is told by what happened up to its end (docs/decisions/0015-customer-
-- states.md): lost > lapsing > advocate > retained > activated > acquired > visitor.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customers as (
    select
        customer_id,
        has_account,
        referred_by_customer_id,
        {{ reporting_date('created_at') }} as created_date,
        {{ reporting_date('first_session_at') }} as first_session_date,
        {{ reporting_date('first_ordered_at') }} as first_order_date
    from {{ ref('dim_customers') }}
),

purchase_days as (
    select customer_id, order_date, next_order_date, purchase_day_count, lapsing_date, lost_date
    from {{ ref('int_purchase_days_spaced') }}
),

nps_responses as (
    select
        customer_id,
        response_id,
        score,
        responded_at,
        {{ reporting_date('responded_at') }} as response_date
    from {{ ref('stg_crm__nps_responses') }}
),

referrals as (
    select
        referrer_customer_id,
        referee_customer_id,
        {{ reporting_date('first_order_at') }} as bought_date
    from {{ ref('stg_crm__referrals') }}
),

leads as (
    select customer_id, lead_date from {{ ref('int_leads_identified') }}
),

-- An account whose date nobody knows is there as long as the customer is.
customers_dated as (
    select
        *,
        case when has_account then coalesce(created_date, first_session_date) end as account_date
    from customers
),

-- Each change comes before the next order, so that a customer has one a day at most.
base_changes as (
    select
        customer_id,
        first_session_date as change_date,
        'visitor' as base_state
    from customers_dated
    where first_session_date < coalesce(least(account_date, first_order_date), date '9999-12-31')
    union all
    select
        customer_id,
        account_date as change_date,
        'acquired' as base_state
    from customers_dated
    where account_date < coalesce(first_order_date, date '9999-12-31')
    union all
    select
        customer_id,
        order_date as change_date,
        case when purchase_day_count = 1 then 'activated' else 'retained' end as base_state
    from purchase_days
    union all
    select
        purchase_days.customer_id,
        purchase_days.lapsing_date as change_date,
        'lapsing' as base_state
    from purchase_days
    cross join as_of
    where
        purchase_days.lapsing_date < least(purchase_days.next_order_date, purchase_days.lost_date)
        and purchase_days.lapsing_date <= as_of.as_of_date
    union all
    select
        purchase_days.customer_id,
        purchase_days.lost_date as change_date,
        'lost' as base_state
    from purchase_days
    cross join as_of
    where
        purchase_days.lost_date < purchase_days.next_order_date
        and purchase_days.lost_date <= as_of.as_of_date
),

last_answers as (
    select
        customer_id,
        response_date as change_date,
        {{ last_by(nps_class('score'), ['responded_at', 'response_id']) }} = 'promoter'
            as is_promoter
    from nps_responses
    group by customer_id, response_date
),

-- Invitations, and who accounts say sent them: a shop may keep either.
referrals_bought as (
    select
        referrer_customer_id as customer_id,
        bought_date
    from referrals
    where referee_customer_id is null or referee_customer_id <> referrer_customer_id
    union all
    select
        referred_by_customer_id as customer_id,
        first_order_date as bought_date
    from customers
    where referred_by_customer_id <> customer_id
),

changes as (
    select
        customer_id,
        change_date,
        base_state,
        cast(null as boolean) as is_promoter,
        false as has_referred
    from base_changes
    union all
    select
        customer_id,
        change_date,
        cast(null as string) as base_state,
        is_promoter,
        false as has_referred
    from last_answers
    union all
    select
        customer_id,
        min(bought_date) as change_date,
        cast(null as string) as base_state,
        cast(null as boolean) as is_promoter,
        true as has_referred
    from referrals_bought
    where bought_date is not null
    group by customer_id
),

change_days as (
    select
        customer_id,
        change_date,
        max(base_state) as base_state,
        max(is_promoter) as is_promoter,
        max(has_referred) as has_referred
    from changes
    group by customer_id, change_date
),

histories as (
    select
        customer_id,
        change_date,
        last_value(base_state ignore nulls) over history as base_state,
        coalesce(last_value(is_promoter ignore nulls) over history, false)
        or max(has_referred) over history as is_advocate
    from change_days
    window history as (partition by customer_id order by change_date rows unbounded preceding)
),

states as (
    select
        customer_id,
        change_date,
        case
            when is_advocate and base_state in ('activated', 'retained') then 'advocate'
            else base_state
        end as state
    from histories
    where base_state is not null
),

states_in_turn as (
    select
        *,
        lag(state) over (partition by customer_id order by change_date) as previous_state
    from states
),

stays as (
    select
        customer_id,
        state,
        previous_state,
        lead(state) over customer_states as next_state,
        change_date as valid_from_date,
        lead(change_date, 1, date '9999-12-31') over customer_states as valid_to_date
    from states_in_turn
    where previous_state is null or previous_state <> state
    window customer_states as (partition by customer_id order by change_date)
),

customer_states as (
    select
        stays.customer_id,
        stays.state,
        stays.previous_state,
        stays.next_state,
        stays.next_state is null as is_current,
        cast(
            {{ days_apart(
                'stays.valid_from_date', 'least(stays.valid_to_date, as_of.as_of_date + 1)'
            ) }} as bigint
        ) as days_in_state,
        leads.lead_date,
        stays.valid_from_date,
        stays.valid_to_date,
        case when stays.next_state is not null then stays.valid_to_date end as exited_date
    from stays
    cross join as_of
    left join leads
        on stays.customer_id = leads.customer_id
        and stays.state = 'visitor'
        and stays.valid_to_date > leads.lead_date
)

select * from customer_states

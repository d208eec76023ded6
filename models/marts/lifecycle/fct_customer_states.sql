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

-- What orders alone make of a customer. Stays are cut at each order and do not overlap.
base_stays as (
    select
        customer_id,
        'visitor' as state,
        false as is_active,
        first_session_date as from_date,
        cast(null as date) as to_date
    from customers_dated
    where first_session_date < coalesce(least(account_date, first_order_date), date '9999-12-31')
    union all
    select
        customer_id,
        'acquired' as state,
        false as is_active,
        account_date as from_date,
        cast(null as date) as to_date
    from customers_dated
    where account_date < coalesce(first_order_date, date '9999-12-31')
    union all
    select
        customer_id,
        case when purchase_day_count = 1 then 'activated' else 'retained' end as state,
        true as is_active,
        order_date as from_date,
        least(lapsing_date, lost_date, next_order_date) as to_date
    from purchase_days
    union all
    select
        purchase_days.customer_id,
        'lapsing' as state,
        false as is_active,
        purchase_days.lapsing_date as from_date,
        cast(null as date) as to_date
    from purchase_days
    cross join as_of
    where
        purchase_days.lapsing_date < least(purchase_days.next_order_date, purchase_days.lost_date)
        and purchase_days.lapsing_date <= as_of.as_of_date
    union all
    select
        purchase_days.customer_id,
        'lost' as state,
        false as is_active,
        purchase_days.lost_date as from_date,
        cast(null as date) as to_date
    from purchase_days
    cross join as_of
    where
        purchase_days.lost_date < purchase_days.next_order_date
        and purchase_days.lost_date <= as_of.as_of_date
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

advocacy_events as (
    select
        customer_id,
        response_date as event_date,
        {{ last_by(nps_class('score'), ['responded_at', 'response_id']) }} = 'promoter'
            as is_promoter,
        false as has_referred
    from nps_responses
    group by customer_id, response_date
    union all
    select
        customer_id,
        min(bought_date) as event_date,
        cast(null as boolean) as is_promoter,
        true as has_referred
    from referrals_bought
    where bought_date is not null
    group by customer_id
),

-- The last answer counts until the next one, a referral that bought for good.
advocacy_days as (
    select
        customer_id,
        event_date,
        coalesce({{ last_known('max(is_promoter)') }} over history, false)
        or max(max(has_referred)) over history as is_advocate
    from advocacy_events
    group by customer_id, event_date
    window history as (partition by customer_id order by event_date rows unbounded preceding)
),

advocates as (
    select customer_id from advocacy_days where is_advocate group by customer_id
),

advocacy_periods as (
    select
        advocacy_days.customer_id,
        advocacy_days.is_advocate,
        advocacy_days.event_date as from_date,
        lead(advocacy_days.event_date, 1, date '9999-12-31') over (
            partition by advocacy_days.customer_id order by advocacy_days.event_date
        ) as to_date
    from advocacy_days
    inner join advocates on advocacy_days.customer_id = advocates.customer_id
    union all
    select
        advocacy_days.customer_id,
        false as is_advocate,
        date '0001-01-01' as from_date,
        min(advocacy_days.event_date) as to_date
    from advocacy_days
    inner join advocates on advocacy_days.customer_id = advocates.customer_id
    group by advocacy_days.customer_id
),

advocates_stays as (
    select
        base_stays.customer_id,
        base_stays.state,
        base_stays.from_date,
        base_stays.to_date
    from base_stays
    inner join advocates on base_stays.customer_id = advocates.customer_id
    where base_stays.is_active
),

-- The days of a buyer who is not overdue are cut where they become an advocate, or stop being one.
states as (
    select
        advocates_stays.customer_id,
        case when advocacy_periods.is_advocate then 'advocate' else advocates_stays.state end
            as state,
        greatest(advocates_stays.from_date, advocacy_periods.from_date) as from_date
    from advocates_stays
    inner join advocacy_periods
        on advocates_stays.customer_id = advocacy_periods.customer_id
        and advocates_stays.from_date < advocacy_periods.to_date
        and advocates_stays.to_date > advocacy_periods.from_date
    union all
    select
        base_stays.customer_id,
        base_stays.state,
        base_stays.from_date
    from base_stays
    left join advocates on base_stays.customer_id = advocates.customer_id
    where not base_stays.is_active or advocates.customer_id is null
),

states_in_turn as (
    select
        *,
        lag(state) over (partition by customer_id order by from_date) as previous_state
    from states
),

stays as (
    select
        customer_id,
        state,
        previous_state,
        lead(state) over customer_states as next_state,
        from_date as valid_from_date,
        lead(from_date, 1, date '9999-12-31') over customer_states as valid_to_date
    from states_in_turn
    where previous_state is null or previous_state <> state
    window customer_states as (partition by customer_id order by from_date)
),

customer_states as (
    select
        stays.customer_id,
        stays.state,
        stays.previous_state,
        stays.next_state,
        stays.next_state is null as is_current,
        cast(
            {{ days_from(
                'stays.valid_from_date', 'least(stays.valid_to_date, as_of.as_of_date + 1)'
            ) }} as bigint
        ) as days_in_state,
        case
            when stays.state = 'visitor' and leads.lead_date < stays.valid_to_date
                then leads.lead_date
        end as lead_date,
        stays.valid_from_date,
        stays.valid_to_date,
        case when stays.next_state is not null then stays.valid_to_date end as exited_date
    from stays
    cross join as_of
    left join leads on stays.customer_id = leads.customer_id
)

select * from customer_states

-- Grain: one row per month, from the first invitation to as_of_date.
-- Everything is booked in the month of the invitation, with what became of it by as_of_date: young
-- months may still convert. Counts and rewards add up over months, customers do not.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

referrals as (
    select
        referrer_customer_id,
        referee_customer_id is not null or signed_up_at is not null or first_order_at is not null
            as is_accepted,
        first_order_at is not null as is_bought,
        reward_amount,
        {{ reporting_date('invited_at') }} as invited_date
    from {{ ref('stg_crm__referrals') }}
),

customers as (
    select {{ reporting_date('first_ordered_at') }} as first_order_date
    from {{ ref('dim_customers') }}
    where first_ordered_at is not null
),

bounds as (
    select
        min(referrals.invited_date) as from_date,
        max(as_of.as_of_date) as to_date
    from referrals
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

invites as (
    select
        cast(date_trunc('month', invited_date) as date) as month_start_date,
        count(*) as invite_count,
        count(distinct referrer_customer_id) as inviting_customer_count,
        count(*) filter (where is_accepted) as accepted_invite_count,
        count(*) filter (where is_bought) as bought_invite_count,
        sum(reward_amount) as reward_amount
    from referrals
    group by date_trunc('month', invited_date)
),

new_customers as (
    select
        cast(date_trunc('month', first_order_date) as date) as month_start_date,
        count(*) as customer_count
    from customers
    group by date_trunc('month', first_order_date)
),

-- Who has ordered by the end of the month could have invited somebody.
customers_so_far as (
    select
        months.month_start_date,
        sum(new_customers.customer_count) as customer_count
    from months
    inner join new_customers on months.month_start_date >= new_customers.month_start_date
    group by months.month_start_date
),

months_summed as (
    select
        months.month_start_date,
        {{ is_complete_month('months.month_start_date', 'as_of.as_of_date') }} as is_mature,
        cast(coalesce(customers_so_far.customer_count, 0) as bigint) as customer_count,
        {% for column in [
            'invite_count', 'inviting_customer_count', 'accepted_invite_count',
            'bought_invite_count'
        ] -%}
        cast(coalesce(invites.{{ column }}, 0) as bigint) as {{ column }},
        {% endfor -%}
        cast(coalesce(invites.reward_amount, 0) as decimal(18, 2)) as reward_amount
    from months
    cross join as_of
    left join invites on months.month_start_date = invites.month_start_date
    left join customers_so_far on months.month_start_date = customers_so_far.month_start_date
),

referrals_monthly as (
    select
        *,
        cast(accepted_invite_count as double) / nullif(invite_count, 0) as acceptance_rate,
        cast(bought_invite_count as double) / nullif(invite_count, 0) as conversion_rate,
        cast(invite_count as double) / nullif(customer_count, 0) as invites_per_customer,
        -- invites_per_customer x conversion_rate, and 0 where nobody was invited.
        cast(bought_invite_count as double) / nullif(customer_count, 0) as k_factor
    from months_summed
)

select * from referrals_monthly

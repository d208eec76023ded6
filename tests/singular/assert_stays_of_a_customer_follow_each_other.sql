-- Without this a customer could be in two states on one day, or in none: stocks would not add up to
-- the customers, and a join on the day would double or lose them.
with

stays as (
    select
        customer_id,
        state,
        previous_state,
        next_state,
        is_current,
        days_in_state,
        valid_from_date,
        valid_to_date,
        exited_date
    from {{ ref('fct_customer_states') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customers as (
    select customer_id, least(created_at, first_session_at, first_ordered_at) as first_known_at
    from {{ ref('dim_customers') }}
),

stays_in_turn as (
    select
        *,
        lag(valid_to_date) over customer_stays as previous_to_date,
        lag(state) over customer_stays as state_before,
        lead(state) over customer_stays as state_after
    from stays
    window customer_stays as (partition by customer_id order by valid_from_date)
),

stays_apart as (
    select stays_in_turn.customer_id, stays_in_turn.valid_from_date
    from stays_in_turn
    cross join as_of
    where
        stays_in_turn.previous_to_date <> stays_in_turn.valid_from_date
        or stays_in_turn.valid_from_date >= stays_in_turn.valid_to_date
        or stays_in_turn.valid_from_date > as_of.as_of_date
        or stays_in_turn.days_in_state < 1
        or stays_in_turn.previous_state is distinct from stays_in_turn.state_before
        or stays_in_turn.next_state is distinct from stays_in_turn.state_after
        or stays_in_turn.state = stays_in_turn.state_after
        or stays_in_turn.is_current <> (stays_in_turn.valid_to_date = date '9999-12-31')
        or stays_in_turn.is_current <> (stays_in_turn.state_after is null)
        or stays_in_turn.is_current <> (stays_in_turn.exited_date is null)
),

-- Every customer of whom a day is known is in a state from that day on.
customers_without_their_first_stay as (
    select
        customers.customer_id,
        {{ reporting_date('customers.first_known_at') }} as valid_from_date
    from customers
    left join stays
        on customers.customer_id = stays.customer_id
        and {{ reporting_date('customers.first_known_at') }} = stays.valid_from_date
    where customers.first_known_at is not null and stays.customer_id is null
),

faults as (
    select * from stays_apart
    union all
    select * from customers_without_their_first_stay
)

select * from faults

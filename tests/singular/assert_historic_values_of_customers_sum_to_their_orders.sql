-- A customer lost between orders and values, or counted twice, would be missing from every CLV.
with

valued as (
    select sum(historic_net_amount) as net_amount
    from {{ ref('fct_customer_clv') }}
    where is_latest
),

ordered as (
    select sum(net_amount) as net_amount
    from {{ ref('fct_orders') }}
    where customer_id is not null and status <> 'cancelled'
)

select valued.net_amount as valued_net_amount, ordered.net_amount as ordered_net_amount
from valued
cross join ordered
where coalesce(valued.net_amount, 0) <> coalesce(ordered.net_amount, 0)

-- Whoever is offered less than a customer who will spend less would rightly wonder.
with

tiers as (
    select
        as_of_date,
        case spend_tier when 'high' then 3 when 'medium' then 2 else 1 end as tier_number,
        min(predicted_net_amount_365d) as least_amount,
        max(predicted_net_amount_365d) as most_amount
    from {{ ref('fct_customer_clv') }}
    where spend_tier is not null
    group by as_of_date, tier_number
)

select tiers.as_of_date, tiers.tier_number, tiers.least_amount, lower_tiers.most_amount
from tiers
inner join tiers as lower_tiers
    on tiers.as_of_date = lower_tiers.as_of_date
    and tiers.tier_number > lower_tiers.tier_number
where tiers.least_amount <= lower_tiers.most_amount

-- A message without consent is a fine, and a customer lost.
with

opportunities as (
    select customer_id, kind, channel from {{ ref('fct_customer_opportunities') }}
),

kinds as (
    select kind, is_service, channels from {{ ref('ref_opportunity_kinds') }}
),

customers as (
    select customer_id, has_marketing_consent from {{ ref('dim_customers') }}
),

unsubscriptions as (
    select customer_id, channel
    from {{ ref('stg_marketing__messages') }}
    where unsubscribed_at is not null
    group by customer_id, channel
)

select opportunities.*
from opportunities
inner join kinds on opportunities.kind = kinds.kind
inner join customers on opportunities.customer_id = customers.customer_id
left join unsubscriptions
    on opportunities.customer_id = unsubscriptions.customer_id
    and opportunities.channel = unsubscriptions.channel
where
    position(opportunities.channel in kinds.channels) = 0
    or (
        not kinds.is_service
        and opportunities.channel is not null
        and (
            not coalesce(customers.has_marketing_consent, false)
            or unsubscriptions.customer_id is not null
        )
    )

-- Grain: one row per cart_date, channel, device, country and new or returning visitor.
-- Counts and amounts add up over all of these; a rate of a coarser grain is the ratio of its sums.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['cart_date in ' ~ touched('cart_date', 'date')],
    on_schema_change='fail'
) }}
with

carts as (
    select
        cart_date,
        channel,
        device,
        country,
        is_new_visitor,
        furthest_stage,
        cart_amount,
        is_mature,
        is_ordered,
        coalesce(is_abandoned, false) as is_abandoned,
        coalesce(is_abandoned, false) and is_recovery_mature as is_recovery_settled,
        coalesce(is_recovered, false) as is_recovered,
        recovery_message_id is not null as is_recovered_by_message,
        recovered_net_amount
    from {{ ref('fct_carts') }}
    {% if is_incremental() -%}
    where cart_date in {{ touched('cart_date', 'date') }}
    {%- endif %}
),

cart_sums as (
    select
        cart_date,
        channel,
        device,
        country,
        is_new_visitor,
        count(*) as cart_count,
        count(*) filter (where is_mature) as mature_cart_count,
        count(*) filter (where is_ordered) as ordered_cart_count,
        count(*) filter (where is_abandoned) as abandoned_cart_count,
        count(*) filter (where not is_ordered and not is_abandoned) as open_cart_count,
        {% for stage in ['cart', 'checkout', 'shipping', 'payment'] -%}
        count(*) filter (where is_abandoned and furthest_stage = '{{ stage }}')
            as abandoned_at_{{ stage }}_count,
        {% endfor -%}
        count(*) filter (where is_recovered) as recovered_cart_count,
        count(*) filter (where is_recovered_by_message) as recovered_by_message_cart_count,
        count(*) filter (where is_recovery_settled) as settled_cart_count,
        count(*) filter (where is_recovery_settled and is_recovered)
            as settled_recovered_cart_count,
        count(cart_amount) filter (where is_abandoned) as valued_abandoned_cart_count,
        cast(coalesce(sum(cart_amount), 0) as decimal(18, 2)) as cart_amount,
        cast(coalesce(sum(cart_amount) filter (where is_abandoned), 0) as decimal(18, 2))
            as abandoned_amount,
        cast(coalesce(sum(recovered_net_amount), 0) as decimal(18, 2)) as recovered_net_amount,
        cast(
            coalesce(sum(recovered_net_amount) filter (where is_recovered_by_message), 0)
            as decimal(18, 2)
        ) as recovered_by_message_net_amount
    from carts
    group by cart_date, channel, device, country, is_new_visitor
),

cart_rates as (
    select
        *,
        cast(abandoned_cart_count as double) / nullif(mature_cart_count, 0) as abandonment_rate,
        cast(settled_recovered_cart_count as double) / nullif(settled_cart_count, 0)
            as recovery_rate
    from cart_sums
)

select * from cart_rates

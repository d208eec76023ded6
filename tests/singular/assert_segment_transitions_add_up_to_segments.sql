-- Without this a customer could leave one segment and arrive in none, and a segment's movement
-- would not be told by who came and went.
with

segments as (
    select
        as_of_date,
        segment,
        customer_count,
        net_amount_after_refunds,
        previous_customer_count,
        previous_net_amount_after_refunds
    from {{ ref('agg_rfm_segments') }}
),

transitions as (
    select
        as_of_date,
        from_segment,
        to_segment,
        customer_count,
        net_amount_after_refunds,
        previous_net_amount_after_refunds
    from {{ ref('agg_segment_transitions') }}
),

sides as (
    select
        as_of_date,
        to_segment as segment,
        customer_count,
        net_amount_after_refunds,
        0 as previous_customer_count,
        0 as previous_net_amount_after_refunds
    from transitions
    union all
    select
        as_of_date,
        from_segment as segment,
        0 as customer_count,
        0 as net_amount_after_refunds,
        customer_count as previous_customer_count,
        previous_net_amount_after_refunds
    from transitions
    where from_segment is not null
),

-- The ends of the transitions of one month are the beginnings of the next one's.
ends as (
    select
        previous.as_of_date,
        previous.segment,
        previous.customer_count,
        previous.net_amount_after_refunds,
        segments.previous_customer_count,
        segments.previous_net_amount_after_refunds
    from segments
    inner join segments as previous
        on segments.segment = previous.segment
        and cast(date_trunc('month', segments.as_of_date) as date) = previous.as_of_date + 1
),

side_sums as (
    select
        as_of_date,
        segment,
        sum(customer_count) as customer_count,
        sum(net_amount_after_refunds) as net_amount_after_refunds,
        sum(previous_customer_count) as previous_customer_count,
        sum(previous_net_amount_after_refunds) as previous_net_amount_after_refunds
    from sides
    group by as_of_date, segment
)

select
    segments.as_of_date,
    segments.segment
from segments
full outer join side_sums
    on segments.as_of_date = side_sums.as_of_date
    and segments.segment = side_sums.segment
where
    segments.customer_count is distinct from coalesce(side_sums.customer_count, 0)
    or segments.net_amount_after_refunds
    is distinct from coalesce(side_sums.net_amount_after_refunds, 0)
    or segments.previous_customer_count
    is distinct from coalesce(side_sums.previous_customer_count, 0)
    or segments.previous_net_amount_after_refunds
    is distinct from coalesce(side_sums.previous_net_amount_after_refunds, 0)
union all
select
    as_of_date,
    segment
from ends
where
    customer_count <> previous_customer_count
    or net_amount_after_refunds <> previous_net_amount_after_refunds

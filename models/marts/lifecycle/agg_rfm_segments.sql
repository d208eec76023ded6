-- Grain: one row per day that states are kept for, and segment of customers, empty ones included.
-- Rows of one day add up to fct_customer_rfm; means are ratios of the sums beside them.
with

as_of_dates as (
    select
        as_of_date,
        is_latest,
        cast(date_trunc('month', as_of_date) as date) - 1 as previous_date
    from {{ ref('int_as_of_dates_fingerprinted') }}
),

segments as (
    select segment, segment_name, segment_name_fr, sort_order
    from {{ ref('ref_rfm_segment_names') }}
),

customers as (
    select
        as_of_date,
        segment,
        recency_days,
        order_count,
        net_amount_after_refunds,
        margin_amount,
        previous_segment,
        previous_net_amount_after_refunds
    from {{ ref('fct_customer_rfm') }}
),

segment_sums as (
    select
        as_of_date,
        segment,
        count(*) as customer_count,
        sum(recency_days) as recency_days,
        sum(order_count) as order_count,
        sum(net_amount_after_refunds) as net_amount_after_refunds,
        sum(margin_amount) as margin_amount,
        count(margin_amount) as known_margin_customer_count
    from customers
    group by as_of_date, segment
),

previous_sums as (
    select
        as_of_date,
        previous_segment as segment,
        count(*) as customer_count,
        sum(previous_net_amount_after_refunds) as net_amount_after_refunds
    from customers
    where previous_segment is not null
    group by as_of_date, previous_segment
),

segments_filled as (
    select
        as_of_dates.as_of_date,
        as_of_dates.is_latest,
        as_of_dates.previous_date,
        segments.segment,
        segments.segment_name,
        segments.segment_name_fr,
        segments.sort_order,
        {% for column in [
            'customer_count', 'order_count', 'net_amount_after_refunds',
            'known_margin_customer_count'
        ] -%}
        coalesce(segment_sums.{{ column }}, 0) as {{ column }},
        {% endfor -%}
        segment_sums.recency_days,
        case
            when coalesce(segment_sums.customer_count, 0) = 0 then 0
            else segment_sums.margin_amount
        end as margin_amount,
        coalesce(previous_sums.customer_count, 0) as previous_customer_count,
        coalesce(previous_sums.net_amount_after_refunds, 0) as previous_net_amount_after_refunds
    from as_of_dates
    cross join segments
    left join segment_sums
        on as_of_dates.as_of_date = segment_sums.as_of_date
        and segments.segment = segment_sums.segment
    left join previous_sums
        on as_of_dates.as_of_date = previous_sums.as_of_date
        and segments.segment = previous_sums.segment
),

segments_compared as (
    select
        as_of_date,
        is_latest,
        segment,
        segment_name,
        segment_name_fr,
        sort_order,
        customer_count,
        cast(customer_count as double)
        / nullif(sum(customer_count) over (partition by as_of_date), 0) as customer_share,
        cast(recency_days as bigint) as recency_days,
        cast(order_count as bigint) as order_count,
        cast(net_amount_after_refunds as decimal(18, 2)) as net_amount_after_refunds,
        cast(net_amount_after_refunds as double)
        / nullif(sum(net_amount_after_refunds) over (partition by as_of_date), 0) as net_share,
        cast(margin_amount as decimal(18, 2)) as margin_amount,
        known_margin_customer_count,
        cast(recency_days as double) / nullif(customer_count, 0) as mean_recency_days,
        cast(order_count as double) / nullif(customer_count, 0) as orders_per_customer,
        {{ amount_per('net_amount_after_refunds', 'customer_count') }}
            as net_amount_per_customer,
        previous_date,
        previous_customer_count,
        cast(previous_net_amount_after_refunds as decimal(18, 2))
            as previous_net_amount_after_refunds,
        customer_count - previous_customer_count as customer_change,
        cast(net_amount_after_refunds - previous_net_amount_after_refunds as decimal(18, 2))
            as net_amount_change
    from segments_filled
)

select * from segments_compared

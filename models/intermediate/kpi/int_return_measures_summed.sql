-- Grain: one row per measure, day of the refund or of the delivery, dimension and value.
-- What the books show: a refund counts when it is made, a delivery when it arrives, so that no past
-- day changes any more.
{% set dimensions = {'session_channel': 'channel', 'device': 'device', 'country': 'country'} %}
with

orders as (
    select order_id, session_channel, device, country, is_delivered_on_time, delivered_at
    from {{ ref('fct_orders') }}
),

refunds as (
    select order_id, is_revenue, returned_unit_count, refund_amount, refund_date
    from {{ ref('fct_refunds') }}
),

refunds_of_orders as (
    select
        refunds.*,
        orders.session_channel,
        orders.device,
        orders.country
    from refunds
    inner join orders on refunds.order_id = orders.order_id
    where refunds.is_revenue
),

refund_sums as (
    select
        'day' as period,
        refund_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        coalesce(sum(refund_amount), 0) as refund_amount,
        coalesce(sum(returned_unit_count), 0) as returned_unit_count
    from refunds_of_orders
    group by {{ dimension_sets(['refund_date'], dimensions) }} -- noqa: PRS
),

deliveries as (
    select
        *,
        {{ reporting_date('delivered_at') }} as delivery_date
    from orders
    where is_delivered_on_time is not null
),

delivery_sums as (
    select
        'day' as period,
        delivery_date as period_start_date,
        {{ dimension_of_row(dimensions) }},
        count(*) as delivered_count,
        count(*) filter (where is_delivered_on_time) as on_time_count
    from deliveries
    group by {{ dimension_sets(['delivery_date'], dimensions) }} -- noqa: PRS
),

return_measures_summed as (
    {{ measure_rows('refund_sums', {
        'refunds': 'refund_amount',
        'units_returned': 'returned_unit_count',
    }) }}
    union all
    {{ measure_rows('delivery_sums', {
        'promised_deliveries': 'delivered_count',
        'on_time_deliveries': 'on_time_count',
    }) }}
)

select * from return_measures_summed

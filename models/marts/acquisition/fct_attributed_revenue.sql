-- Grain: one row per order that was not cancelled, attribution model and touch with credit.
-- An order without a touch has one row a model, unattributed. Add up within one model alone: there
-- credits sum to 1 and amounts to those of fct_orders, order by order, to the cent.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['order_id in ' ~ touched('credited_order_id')],
    on_schema_change='fail'
) }}
{% set is_touched = ('in ' ~ touched('credited_order_id')) if is_incremental() else 'is not null' %}
with

orders as (
    select
        order_id,
        customer_id,
        is_revenue,
        is_first_order,
        net_amount,
        margin_amount,
        order_date
    from {{ ref('int_credited_orders_kept') }}
    where order_id {{ is_touched }}
),

touches as (
    select
        order_id,
        session_id,
        touch_number,
        touch_count,
        channel,
        campaign,
        is_last_non_direct,
        started_at
    from {{ ref('fct_order_touchpoints') }}
    where order_id {{ is_touched }}
),

models as (
    select
        attribution_model,
        credited_touches,
        first_touch_percent,
        last_touch_percent,
        half_life_days
    from {{ ref('ref_attribution_models') }}
),

paths as (
    select
        order_id,
        coalesce(max(case when is_last_non_direct then touch_number end), max(touch_number))
            as last_non_direct_number,
        max(started_at) as last_started_at
    from touches
    group by order_id
),

touches_credited as (
    select
        models.attribution_model,
        models.first_touch_percent,
        models.last_touch_percent,
        models.half_life_days,
        touches.*,
        {{ microseconds_between('touches.started_at', 'paths.last_started_at') }} / 86400000000e0
            as days_before_last
    from touches
    inner join paths on touches.order_id = paths.order_id
    inner join models
        on case models.credited_touches
            when 'first' then touches.touch_number = 1
            when 'last' then touches.touch_number = touches.touch_count
            when 'last_non_direct' then touches.touch_number = paths.last_non_direct_number
            when 'all' then true
        end
),

-- Whole numbers, so that shares are exact. The ends of a path of two share it as their percents do.
touches_weighed as (
    select
        *,
        case
            when touch_count = 1 then 1
            when half_life_days is not null
                then cast(round(1e9 * power(0.5e0, days_before_last / half_life_days)) as bigint)
            when first_touch_percent is null then 1
            when touch_number = 1 then first_touch_percent * greatest(touch_count - 2, 1)
            when touch_number = touch_count then last_touch_percent * greatest(touch_count - 2, 1)
            else 100 - first_touch_percent - last_touch_percent
        end as weight
    from touches_credited
),

touches_weighed_up as (
    select
        *,
        cast(
            sum(weight) over (
                partition by order_id, attribution_model
                order by touch_number rows unbounded preceding
            ) as bigint
        ) as weight_up_to
    from touches_weighed
    where weight > 0
),

totals as (
    select
        order_id,
        attribution_model,
        cast(sum(weight) as bigint) as total_weight,
        {{ last_by('touch_number', ['weight', 'touch_number']) }} as main_touch_number
    from touches_weighed
    where weight > 0
    group by order_id, attribution_model
),

revenue_of_touches as (
    select
        orders.order_id,
        touches.attribution_model,
        touches.session_id,
        touches.touch_number,
        touches.channel,
        touches.campaign,
        orders.customer_id,
        orders.is_revenue,
        orders.is_first_order,
        touches.touch_number = totals.main_touch_number as is_main_touch,
        {{ allotted('10000', 'touches.weight_up_to', 'touches.weight', 'totals.total_weight') }}
        * cast(0.0001 as decimal(5, 4)) as order_credit,
        {% for column in ['net_amount', 'margin_amount'] -%}
        {{ allotted(
            'orders.' ~ column, 'touches.weight_up_to', 'touches.weight', 'totals.total_weight'
        ) }} as attributed_{{ column }},
        {% endfor -%}
        orders.order_date
    from touches_weighed_up as touches
    inner join totals
        on touches.order_id = totals.order_id
        and touches.attribution_model = totals.attribution_model
    inner join orders on touches.order_id = orders.order_id
),

revenue_of_no_touch as (
    select
        orders.order_id,
        models.attribution_model,
        cast(null as string) as session_id,
        cast(null as bigint) as touch_number,
        'unattributed' as channel,
        cast(null as string) as campaign,
        orders.customer_id,
        orders.is_revenue,
        orders.is_first_order,
        true as is_main_touch,
        cast(1 as decimal(18, 6)) as order_credit,
        orders.net_amount as attributed_net_amount,
        orders.margin_amount as attributed_margin_amount,
        orders.order_date
    from orders
    cross join models
    left join paths on orders.order_id = paths.order_id
    where paths.order_id is null
),

attributed_revenue as (
    select * from revenue_of_touches
    union all
    select * from revenue_of_no_touch
)

select * from attributed_revenue

-- Grain: one row per segmentation, segment, attribute and value of it that the segment has. Unknown
-- values, and customers of no segment, are a NULL group of their own, so that the shares of a
-- segment's values add up to 1. Customers add up within one segmentation and attribute.
{% set segmentations = ['rfm_segment', 'lifecycle_state'] %}
{% set attributes = [
    'age_band', 'country', 'first_channel', 'favourite_device', 'favourite_category', 'basket_band',
    'cadence_band',
] %}
with

profiles as {{ inlined() }} (
    select * from {{ ref('dim_customer_profiles') }}
),

counts as (
    {% for segmentation in segmentations %}
    {% set is_last = loop.last %}
    {% for attribute in attributes %}
    select
        '{{ segmentation }}' as segmentation,
        {{ segmentation }} as segment,
        '{{ attribute }}' as attribute_name,
        {{ attribute }} as attribute_value,
        count(*) as customer_count
    from profiles
    group by {{ segmentation }}, {{ attribute }}
    {{ 'union all' if not (is_last and loop.last) }}
    {% endfor %}
    {% endfor %}
),

counts_compared as (
    select
        *,
        sum(customer_count) over (partition by segmentation, segment, attribute_name)
            as segment_customers,
        sum(customer_count) over (partition by segmentation, attribute_name, attribute_value)
            as overall_customers,
        sum(customer_count) over (partition by segmentation, attribute_name) as all_customers
    from counts
),

shares as (
    select
        segmentation,
        segment,
        attribute_name,
        attribute_value,
        customer_count,
        cast(segment_customers as bigint) as segment_customer_count,
        cast(customer_count as double) / segment_customers as segment_share,
        cast(overall_customers as double) / all_customers as overall_share
    from counts_compared
),

segment_profiles as (
    select
        *,
        100 * segment_share / overall_share as share_index
    from shares
)

select * from segment_profiles

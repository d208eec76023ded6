-- Without this a persona could leave customers out, of unknown age say, and every share of it be
-- too high.
with

segment_profiles as (
    select * from {{ ref('agg_segment_profiles') }}
),

customers as (
    select count(*) as customer_count from {{ ref('dim_customers') }}
),

segments as (
    select
        segmentation,
        segment,
        attribute_name,
        sum(customer_count) as customer_count,
        max(segment_customer_count) as segment_customer_count,
        sum(segment_share) as segment_share
    from segment_profiles
    group by segmentation, segment, attribute_name
),

attributes as (
    select segmentation, attribute_name, sum(customer_count) as customer_count
    from segment_profiles
    group by segmentation, attribute_name
),

faults as (
    select segmentation, segment, attribute_name
    from segments
    where customer_count <> segment_customer_count or abs(segment_share - 1) > 1e-9
    union all
    select
        attributes.segmentation,
        cast(null as string) as segment,
        attributes.attribute_name
    from attributes
    cross join customers
    where attributes.customer_count <> customers.customer_count
)

select * from faults

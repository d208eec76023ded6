-- Grain: one row per channel of ref_channels.
with

channels as (
    select
        channel,
        channel_name,
        channel_name_fr,
        is_paid,
        cast(sort_order as bigint) as sort_order
    from {{ ref('ref_channels') }}
)

select * from channels

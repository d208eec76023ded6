-- Grain: one row per session that advertising was paid for, and one per day, channel and campaign
-- of advertising without any session, whose spend is unallocated. The sessions of a day, channel
-- and campaign bear equal shares of its spend, which add up to it.
{% set is_touched = "spend_date in " ~ touched('spend_date', 'date')
    ~ " or spend_date in " ~ touched('session_date', 'date') %}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['(' ~ is_touched ~ ')'],
    on_schema_change='fail'
) }}
with

spend as (
    select channel_spend_key, spend_date, channel, campaign, spend_amount
    from {{ ref('int_channel_spend_summed') }}
    {% if is_incremental() -%}
    where {{ is_touched }}
    {%- endif %}
),

sessions as (
    select session_id, session_date, channel, utm_campaign as campaign, started_at
    from {{ ref('fct_sessions') }}
),

sessions_paid_for as (
    select
        spend.*,
        sessions.session_id,
        row_number() over (
            partition by spend.channel_spend_key order by sessions.started_at, sessions.session_id
        ) as session_number,
        count(*) over (partition by spend.channel_spend_key) as session_count
    from spend
    left join sessions
        on spend.spend_date = sessions.session_date
        and spend.channel = sessions.channel
        and coalesce('=' || spend.campaign, '') = coalesce('=' || sessions.campaign, '')
),

spend_allocations as (
    select
        spend_date,
        channel,
        campaign,
        session_id,
        session_id is not null as is_allocated,
        {{ allotted('spend_amount', 'session_number', '1', 'session_count') }} as spend_amount
    from sessions_paid_for
)

select * from spend_allocations

-- Grain: one row per subject and code that marts hold without its name.
-- KPIs are in dim_kpis, channels in dim_channels too.
with

attribution_models as (
    select
        attribution_model,
        attribution_model_name,
        attribution_model_name_fr,
        sort_order
    from {{ ref('ref_attribution_models') }}
),

channels as (
    select channel, channel_name, channel_name_fr, sort_order from {{ ref('ref_channels') }}
),

funnels as (
    select funnel, funnel_name, funnel_name_fr from {{ ref('ref_funnels') }}
),

funnel_steps as (
    select funnel, step_number, step_name, step_name_fr from {{ ref('ref_funnel_steps') }}
),

kpi_periods as (
    select period, period_name, period_name_fr, sort_order from {{ ref('ref_kpi_periods') }}
),

lifecycle_states as (
    select state, state_name, state_name_fr, sort_order from {{ ref('ref_lifecycle_states') }}
),

opportunity_kinds as (
    select kind, kind_name, kind_name_fr, sort_order from {{ ref('ref_opportunity_kinds') }}
),

rfm_segments as (
    select segment, segment_name, segment_name_fr, sort_order
    from {{ ref('ref_rfm_segment_names') }}
),

labels as (
    select
        'attribution_model' as subject,
        attribution_model as code,
        attribution_model_name as label,
        attribution_model_name_fr as label_fr,
        sort_order
    from attribution_models
    union all
    select
        'channel' as subject,
        channel as code,
        channel_name as label,
        channel_name_fr as label_fr,
        sort_order
    from channels
    union all
    select
        'funnel' as subject,
        funnel as code,
        funnel_name as label,
        funnel_name_fr as label_fr,
        null as sort_order
    from funnels
    union all
    select
        'funnel_step' as subject,
        concat(funnel, '.', cast(step_number as {{ dbt.type_string() }})) as code,
        step_name as label,
        step_name_fr as label_fr,
        step_number as sort_order
    from funnel_steps
    union all
    select
        'kpi_period' as subject,
        period as code,
        period_name as label,
        period_name_fr as label_fr,
        sort_order
    from kpi_periods
    union all
    select
        'lifecycle_state' as subject,
        state as code,
        state_name as label,
        state_name_fr as label_fr,
        sort_order
    from lifecycle_states
    union all
    select
        'opportunity_kind' as subject,
        kind as code,
        kind_name as label,
        kind_name_fr as label_fr,
        sort_order
    from opportunity_kinds
    union all
    select
        'rfm_segment' as subject,
        segment as code,
        segment_name as label,
        segment_name_fr as label_fr,
        sort_order
    from rfm_segments
),

labels_typed as (
    select
        subject,
        code,
        label,
        label_fr,
        cast(sort_order as bigint) as sort_order
    from labels
)

select * from labels_typed

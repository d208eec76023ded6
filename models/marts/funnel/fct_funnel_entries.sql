-- Grain: one row per funnel and entry of a unit (a session or a visitor).
-- Each unit's events are gathered once, for all funnels. A funnel takes from them those that are
-- its steps, as bits of one number (step n: bit n-1), in one sequence, by time and then by the
-- lowest step; each entry walks the part of the sequence that lies in its window. That a unit
-- cannot enter a funnel is told by its kinds of events, before its sequence is looked at.
-- depends_on: {{ ref('stg_web__interactions') }}, {{ ref('int_order_events_derived') }}
-- depends_on: {{ ref('fct_orders') }}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='entry_id',
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    on_schema_change='fail',
    meta={'touches': {'entry_date': 'entry_date'}},
    pre_hook="{{ judge_by_time('is_mature', 'closes_at', 'entry_date') }}"
) }}
{% set steps = range(1, 11) %}
with

funnels as (
    select funnel, unit, mode, window_hours from {{ ref('ref_funnels') }}
),

steps as (
    select funnel, step_number from {{ ref('ref_funnel_steps') }}
),

steps_masked as (
    select funnel, unit, kind_number, event_name, page_type, step_mask
    from {{ ref('int_funnel_steps_masked') }}
),

events as (
    {% if is_incremental() -%}
    {{ funnel_events('visitor_id in ' ~ touched('visitor_id')) }}
    {%- else -%}
    select * from {{ ref('int_funnel_events_gathered') }}
    {%- endif %}
),

sessions as (
    select
        session_id,
        visitor_id,
        visitor_session_number,
        channel,
        device,
        country,
        landing_page_type,
        is_new_visitor
    from {{ ref('fct_sessions') }}
    {% if is_incremental() -%}
    where visitor_id in {{ touched('visitor_id') }}
    {%- endif %}
),

variants as (
    select session_id, experiment_variant from {{ ref('int_session_variants_listed') }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

step_counts as (
    select
        funnel,
        max(step_number) as step_count
    from steps
    group by funnel
),

-- A bit for each kind of event; two kinds may share one where there are more kinds than bits.
kinds_marked as (
    select
        funnel,
        unit,
        kind_number,
        event_name,
        page_type,
        step_mask,
        cast(power(2, kind_number % 62) as bigint) as kind_bit
    from steps_masked
),

funnel_masks as (
    select
        funnel,
        {{ listed('step_mask', ['kind_number']) }} as masks,
        {{ bits_of_any('case when step_mask & 1 = 1 then kind_bit else 0 end') }} as entry_kinds
    from kinds_marked
    group by funnel
),

kinds as (
    select
        kind_number,
        kind_bit,
        event_name,
        page_type,
        sum(case when unit = 'session' then step_mask else 0 end) > 0 as is_of_sessions,
        sum(case when unit = 'visitor' then step_mask else 0 end) > 0 as is_of_visitors
    from kinds_marked
    group by kind_number, kind_bit, event_name, page_type
),

kinds_of_pages as (
    select * from kinds where page_type is not null
),

kinds_of_any_page as (
    select * from kinds where page_type is null
),

events_with_kind as (
    select
        events.visitor_id,
        events.session_id,
        events.visitor_session_number,
        events.event_at,
        coalesce(kinds_of_pages.kind_number, kinds_of_any_page.kind_number) as kind_number,
        coalesce(kinds_of_pages.kind_bit, kinds_of_any_page.kind_bit) as kind_bit,
        coalesce(kinds_of_pages.is_of_sessions, kinds_of_any_page.is_of_sessions) as is_of_sessions,
        coalesce(kinds_of_pages.is_of_visitors, kinds_of_any_page.is_of_visitors) as is_of_visitors
    from events
    inner join kinds_of_any_page on events.event_name = kinds_of_any_page.event_name
    left join kinds_of_pages
        on events.event_name = kinds_of_pages.event_name
        and events.page_type = kinds_of_pages.page_type
),

{% set item = ['event_at', 'kind_number', 'visitor_session_number'] %}

units as (
    select
        'visitor' as unit,
        visitor_id as unit_id,
        visitor_id,
        {{ bits_of_any('kind_bit') }} as kinds_seen,
        {{ sequence_of(item) }} as events
    from events_with_kind
    where is_of_visitors and visitor_id is not null
    group by visitor_id
    union all
    select
        'session' as unit,
        session_id as unit_id,
        visitor_id,
        {{ bits_of_any('kind_bit') }} as kinds_seen,
        {{ sequence_of(item) }} as events
    from events_with_kind
    where is_of_sessions and session_id is not null
    group by session_id, visitor_id
),

sequences as (
    select
        funnels.funnel,
        funnels.unit,
        funnels.mode,
        funnels.window_hours,
        units.unit_id,
        units.visitor_id,
        {{ steps_among('units.events', 'funnel_masks.masks') }} as step_events
    from units
    inner join funnels on units.unit = funnels.unit
    inner join funnel_masks on funnels.funnel = funnel_masks.funnel
    where units.kinds_seen & funnel_masks.entry_kinds <> 0
),

entries_begun as (
    select
        *,
        {{ each_entry('step_events', 'window_hours') }} as entry_at -- noqa: PRS
    from sequences
),

entries_bounded as (
    select
        *,
        {{ hours_later('entry_at', 'window_hours') }} as closes_at,
        {{ items_between('step_events', 'entry_at', hours_later('entry_at', 'window_hours')) }}
            as entry_events
    from entries_begun
),

entries_walked as (
    select
        funnel,
        unit,
        unit_id,
        visitor_id,
        entry_at,
        closes_at,
        {{ list_item('entry_events', 1) }}.visitor_session_number as visitor_session_number,
        {{ steps_reached('entry_events', 'mode') }} as step_times -- noqa: PRS, LT02
    from entries_bounded
),

entries_complete as (
    select
        md5(concat_ws(
            '|',
            entries_walked.funnel,
            entries_walked.unit_id,
            cast(entries_walked.entry_at as string)
        )) as entry_id,
        entries_walked.funnel,
        entries_walked.unit,
        entries_walked.unit_id,
        entries_walked.visitor_id,
        sessions.session_id,
        sessions.channel,
        sessions.device,
        sessions.country,
        sessions.landing_page_type,
        sessions.is_new_visitor,
        variants.experiment_variant,
        step_counts.step_count,
        cast({{ list_length('entries_walked.step_times') }} as bigint) as furthest_step,
        {{ list_length('entries_walked.step_times') }} = step_counts.step_count as is_converted,
        entries_walked.closes_at < as_of.known_until_at as is_mature,
        {{ reporting_date('entries_walked.entry_at') }} as entry_date,
        entries_walked.entry_at,
        {% for step in steps -%}
        {{ list_item('entries_walked.step_times', step) }} as step_{{ step }}_at,
        {% endfor -%}
        entries_walked.closes_at
    from entries_walked
    cross join as_of
    inner join step_counts on entries_walked.funnel = step_counts.funnel
    left join sessions
        on entries_walked.visitor_id = sessions.visitor_id
        and entries_walked.visitor_session_number = sessions.visitor_session_number
    left join variants on sessions.session_id = variants.session_id
)

select * from entries_complete

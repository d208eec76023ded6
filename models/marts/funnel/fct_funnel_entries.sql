-- Grain: one row per funnel and entry of a unit (a session or a visitor).
-- Each unit's events are gathered once, for all funnels. A funnel takes from them those that may
-- be its steps, as bits of one number (step n: bit n-1), by time and then by the lowest step; from
-- an entry on, step by step, the event that reaches it is looked for, where the last one was
-- reached. That a unit cannot enter a funnel is told by its kinds of events, before all that.
-- depends_on: {{ ref('stg_web__interactions') }}, {{ ref('int_order_events_derived') }}
-- depends_on: {{ ref('fct_orders') }}
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    unique_key='entry_id',
    incremental_predicates=['visitor_id in ' ~ touched('visitor_id')],
    on_schema_change='fail',
    meta={
        'touches': {'entry_date': 'entry_date'},
        'touched_but_for': ['entry_id', 'unit_id', 'visitor_id'],
        'slices': 'visitor_id'
    },
    pre_hook="{{ judge_by_time('is_mature', 'closes_at', 'entry_date') }}"
) }}
{% set in_touched = 'visitor_id in ' ~ touched('visitor_id') %}
{% set visitors = in_touched if is_incremental() else in_slice_of_keys('visitor_id') %}
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
    {{ funnel_events(visitors) }}
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
    where {{ visitors }}
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

-- A bit for each kind of event; two kinds may share one where there are more kinds than bits. A
-- code orders the steps of one time, the lowest first, then the fewest; its ten lowest bits are the
-- mask.
kinds_marked as (
    select
        funnel,
        unit,
        kind_number,
        event_name,
        page_type,
        step_mask,
        cast(power(2, kind_number % 62) as bigint) as kind_bit,
        (step_mask & -step_mask) * 16384 + bit_count(step_mask) * 1024 + step_mask as step_code
    from steps_masked
),

funnel_codes as (
    select
        funnel,
        {{ listed('step_code', ['kind_number']) }} as codes,
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

{% set items = items_of('event_at', 'kind_number', 'visitor_session_number') %}

units as (
    select
        'visitor' as unit,
        visitor_id as unit_id,
        visitor_id,
        {{ bits_of_any('kind_bit') }} as kinds_seen,
        {{ items }} as unit_items
    from events_with_kind
    where is_of_visitors and visitor_id is not null
    group by visitor_id
    union all
    select
        'session' as unit,
        session_id as unit_id,
        visitor_id,
        {{ bits_of_any('kind_bit') }} as kinds_seen,
        {{ items }} as unit_items
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
        step_counts.step_count,
        units.unit_id,
        units.visitor_id,
        {{ steps_among('units.unit_items', 'funnel_codes.codes') }} as step_items -- noqa: PRS
    from units
    inner join funnels on units.unit = funnels.unit
    inner join funnel_codes on funnels.funnel = funnel_codes.funnel
    inner join step_counts on funnels.funnel = step_counts.funnel
    where units.kinds_seen & funnel_codes.entry_kinds <> 0
),

sequences_started as (
    select
        *,
        {{ items_of_step('step_items', 1) }} as start_items -- noqa: PRS
    from sequences
),

entries_begun as (
    select
        funnel,
        unit,
        mode,
        window_hours,
        step_count,
        unit_id,
        visitor_id,
        step_items,
        {{ each_entry('start_items', 'window_hours') }} as item_1 -- noqa: PRS
    from sequences_started
),

entries_bounded as (
    select
        *,
        {{ item_time('item_1') }} as entry_at,
        {{ hours_later(item_time('item_1'), 'window_hours') }} as closes_at,
        {{ item_after(hours_later(item_time('item_1'), 'window_hours')) }} as end_item
    from entries_begun
),

{% set reached = ['item_1'] %}
{% set walked = ['entries_bounded'] %}
{% for step in steps[1:] %}
entries_at_step_{{ step }} as (
    select
        *,
        case
            when {{ reached[-1] }} is not null and step_count >= {{ step }} then
                {{ item_reaching(step, 'step_items', reached, 'end_item', 'mode') }} -- noqa: PRS
        end as item_{{ step }}
    from {{ walked[-1] }}
),
{% do reached.append('item_' ~ step) %}
{% do walked.append('entries_at_step_' ~ step) %}
{% endfor %}

-- In mode any a step may be reached by an event before that of a lower one.
entries_walked as (
    select
        funnel,
        unit,
        unit_id,
        visitor_id,
        entry_at,
        closes_at,
        step_count,
        {{ item_session_number('item_1') }} as visitor_session_number,
        case when item_1 is not null then 1 else 0 end
        {%- for item in reached[1:] %}
        + case when {{ item }} is not null then 1 else 0 end
        {%- endfor %} as furthest_step,
        {% for step in steps[1:] -%}
        {% set latest = 'greatest(' ~ reached[:step] | join(', ') ~ ')' -%}
        case when item_{{ step }} is not null then {{ item_time(latest) }} end
            as step_{{ step }}_at,
        {% endfor -%}
        entry_at as step_1_at
    from {{ walked[-1] }}
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
        entries_walked.step_count,
        cast(entries_walked.furthest_step as bigint) as furthest_step,
        entries_walked.furthest_step = entries_walked.step_count as is_converted,
        entries_walked.closes_at < as_of.known_until_at as is_mature,
        {{ reporting_date('entries_walked.entry_at') }} as entry_date,
        entries_walked.entry_at,
        {% for step in steps -%}
        entries_walked.step_{{ step }}_at,
        {% endfor -%}
        entries_walked.closes_at
    from entries_walked
    cross join as_of
    left join sessions
        on entries_walked.visitor_id = sessions.visitor_id
        and entries_walked.visitor_session_number = sessions.visitor_session_number
    left join variants on sessions.session_id = variants.session_id
)

select * from entries_complete

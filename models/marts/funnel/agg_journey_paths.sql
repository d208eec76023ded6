-- Grain: one row per month of the journey's last session, kind of path, outcome and path.
-- The most frequent paths of a month one by one, all others in one row: counts and amounts add up
-- to those of all journeys, of each kind of path.
{{ config(
    materialized='incremental',
    incremental_strategy='changed_rows',
    incremental_predicates=['month_start_date in ' ~ touched('month_start_date', 'date')],
    on_schema_change='fail',
    pre_hook="{{ note_touched_by_time('is_mature', 'final_at', 'month_start_date') }}"
) }}
{% set months = touched('month_start_date', 'date') %}
{% set is_touched = ('in ' ~ months) if is_incremental() else 'is not null' %}
with

journeys as (
    select
        outcome,
        channel_path,
        stage_path,
        session_count,
        duration_seconds,
        net_amount,
        month_start_date
    from {{ ref('int_journeys_traced') }}
    where is_mature and month_start_date {{ is_touched }}
),

as_of as (
    select known_until_at from {{ ref('stg_shop__as_of') }}
),

paths as (
    {% for kind in ['channel', 'stage'] -%}
    select
        month_start_date,
        '{{ kind }}' as path_kind,
        outcome,
        {{ kind }}_path as journey_path,
        count(*) as journey_count,
        sum(session_count) as session_count,
        sum(duration_seconds) as duration_seconds,
        sum(net_amount) as net_amount
    from journeys
    group by month_start_date, outcome, {{ kind }}_path
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

paths_ranked as (
    select
        *,
        row_number() over (
            partition by month_start_date, path_kind, outcome
            order by journey_count desc, journey_path
        ) as path_rank
    from paths
),

paths_named as (
    select
        *,
        case
            when path_rank <= {{ var('journey_paths_kept') }} then journey_path
            else 'other paths'
        end
            as kept_path
    from paths_ranked
),

paths_kept as (
    select
        month_start_date,
        path_kind,
        outcome,
        kept_path as journey_path,
        case when max(path_rank) <= {{ var('journey_paths_kept') }} then max(path_rank) end
            as path_rank,
        count(*) as path_count,
        sum(journey_count) as journey_count,
        sum(session_count) as session_count,
        sum(duration_seconds) as duration_seconds,
        sum(net_amount) as net_amount
    from paths_named
    group by month_start_date, path_kind, outcome, kept_path
),

-- A loss of the month's last instant is a fact only when its days are over.
paths_bounded as (
    select
        *,
        {{ start_of_reporting_date("cast(month_start_date + interval '1' month as date)") }}
        - interval '1' microsecond + case outcome
            when 'loss' then interval '{{ var("journey_loss_days") }}' day
            else interval '0' day
        end as final_at
    from paths_kept
),

paths_complete as (
    select
        paths_bounded.month_start_date,
        paths_bounded.path_kind,
        paths_bounded.outcome,
        paths_bounded.journey_path,
        paths_bounded.path_rank,
        paths_bounded.path_count,
        cast(paths_bounded.journey_count as bigint) as journey_count,
        paths_bounded.journey_count / nullif(sum(paths_bounded.journey_count) over (
            partition by
                paths_bounded.month_start_date, paths_bounded.path_kind, paths_bounded.outcome
        ), 0) as journey_share,
        cast(paths_bounded.session_count as bigint) as session_count,
        cast(paths_bounded.duration_seconds as bigint) as duration_seconds,
        cast(paths_bounded.net_amount as decimal(18, 2)) as net_amount,
        paths_bounded.session_count / nullif(paths_bounded.journey_count, 0)
            as sessions_per_journey,
        paths_bounded.duration_seconds / 86400e0 / nullif(paths_bounded.journey_count, 0)
            as days_per_journey,
        paths_bounded.final_at < as_of.known_until_at as is_mature,
        paths_bounded.final_at
    from paths_bounded
    cross join as_of
)

select * from paths_complete

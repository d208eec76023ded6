-- Without this a path could be lost with the rare ones, and shares of paths would be those of
-- something else than all journeys.
with

sessions as (
    select session_id from {{ ref('fct_sessions') }}
),

journeys as (
    select month_start_date, outcome, is_mature, session_count, net_amount
    from {{ ref('int_journeys_traced') }}
),

paths as (
    select month_start_date, path_kind, outcome, journey_count, session_count, net_amount
    from {{ ref('agg_journey_paths') }}
),

path_sums as (
    select
        month_start_date,
        outcome,
        path_kind,
        sum(journey_count) as journey_count,
        sum(session_count) as session_count,
        sum(net_amount) as net_amount
    from paths
    group by month_start_date, outcome, path_kind
),

journey_sums as (
    select
        month_start_date,
        outcome,
        count(*) as journey_count,
        sum(session_count) as session_count,
        sum(net_amount) as net_amount
    from journeys
    where is_mature
    group by month_start_date, outcome
),

kinds as (
    select path_kind from paths group by path_kind
),

journey_sums_by_kind as (
    select
        journey_sums.month_start_date,
        journey_sums.outcome,
        kinds.path_kind,
        journey_sums.journey_count,
        journey_sums.session_count,
        journey_sums.net_amount
    from journey_sums
    cross join kinds
),

sessions_left_out as (
    select (select count(*) from sessions) - coalesce(sum(session_count), 0) as session_count
    from journeys
)

select
    coalesce(path_sums.month_start_date, journey_sums_by_kind.month_start_date)
        as month_start_date,
    coalesce(path_sums.path_kind, journey_sums_by_kind.path_kind) as path_kind,
    coalesce(path_sums.outcome, journey_sums_by_kind.outcome) as outcome
from path_sums
full outer join journey_sums_by_kind
    on path_sums.month_start_date = journey_sums_by_kind.month_start_date
    and path_sums.path_kind = journey_sums_by_kind.path_kind
    and path_sums.outcome = journey_sums_by_kind.outcome
where
    path_sums.journey_count is distinct from journey_sums_by_kind.journey_count
    or path_sums.session_count is distinct from journey_sums_by_kind.session_count
    or path_sums.net_amount is distinct from journey_sums_by_kind.net_amount
union all
select
    null as month_start_date,
    null as path_kind,
    'session without a journey' as outcome
from sessions_left_out
where session_count <> 0

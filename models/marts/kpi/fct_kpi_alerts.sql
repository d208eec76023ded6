-- Grain: one row per alert: a run of periods in which a KPI was out of its band or off its target.
-- Of the whole shop, or of a channel or device by the week. What explains an alert of the whole
-- shop is the part that did most to it beyond its usual share, at the peak.
with

kpis as (
    select kpi, direction from {{ ref('ref_kpis') }}
),

runs as (
    select * from {{ ref('int_kpi_runs_detected') }}
),

parts as (
    select * from {{ ref('int_kpi_deviations_split') }}
),

parts_ranked as (
    select
        *,
        row_number() over (
            partition by alert_id
            order by
                contribution / nullif(deviation, 0) - coalesce(usual_share, 0) desc,
                dimension,
                dimension_value
        ) as contribution_rank
    from parts
    where contribution * sign(deviation) > 0
),

explanations as (
    select * from parts_ranked where contribution_rank = 1
),

runs_judged as (
    select
        runs.*,
        runs.kpi_value - runs.reference_value as deviation,
        case
            when kpis.direction = 'neutral' then null
            else runs.is_above <> (kpis.direction = 'up')
        end as is_unfavourable
    from runs
    inner join kpis on runs.kpi = kpis.kpi
),

kpi_alerts as (
    select
        runs_judged.alert_id,
        runs_judged.alert_kind,
        runs_judged.kpi,
        runs_judged.period,
        runs_judged.dimension,
        runs_judged.dimension_value,
        case
            when not coalesce(runs_judged.is_unfavourable, false) then 'low'
            when
                runs_judged.alert_kind = 'band'
                and runs_judged.deviation_size > {{ var('kpi_severe_spreads') }}
                or runs_judged.alert_kind = 'target'
                and runs_judged.deviation_size > {{ var('kpi_severe_miss_share') }}
                then 'high'
            else 'medium'
        end as severity,
        runs_judged.is_open,
        runs_judged.is_unfavourable,
        runs_judged.period_count,
        runs_judged.kpi_value,
        runs_judged.reference_value,
        runs_judged.deviation,
        runs_judged.deviation / nullif(abs(runs_judged.reference_value), 0) as deviation_ratio,
        runs_judged.deviation_spreads,
        explanations.dimension as explained_by_dimension,
        explanations.dimension_value as explained_by_value,
        explanations.contribution,
        explanations.contribution / nullif(runs_judged.deviation, 0) as contribution_share,
        explanations.usual_share,
        explanations.mix_effect,
        explanations.rate_effect,
        runs_judged.since_date,
        runs_judged.until_date,
        runs_judged.peak_start_date
    from runs_judged
    left join explanations on runs_judged.alert_id = explanations.alert_id
)

select * from kpi_alerts

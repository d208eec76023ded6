-- Without this an alert could blame a channel for more, or less, than there is to explain. Of KPIs
-- whose measures are sums; a visitor or a buyer may be of two channels.
with

kpis as (
    select
        kpis.kpi,
        kpis.dimensions
    from {{ ref('ref_kpis') }} as kpis
    inner join {{ ref('ref_kpi_measures') }} as numerators
        on kpis.numerator_measure = numerators.measure
    left join {{ ref('ref_kpi_measures') }} as denominators
        on kpis.denominator_measure = denominators.measure
    where numerators.aggregation = 'sum' and coalesce(denominators.aggregation, 'sum') = 'sum'
),

runs as (
    select alert_id, kpi from {{ ref('int_kpi_runs_detected') }} where dimension = 'total'
),

parts as (
    select alert_id, dimension, contribution, deviation from {{ ref('int_kpi_deviations_split') }}
)

select
    runs.kpi,
    parts.alert_id,
    parts.dimension,
    sum(parts.contribution) as contribution,
    max(parts.deviation) as deviation
from parts
inner join runs on parts.alert_id = runs.alert_id
inner join kpis on runs.kpi = kpis.kpi
group by runs.kpi, parts.alert_id, parts.dimension
having abs(sum(parts.contribution) - max(parts.deviation)) > 1e-6 * abs(max(parts.deviation))

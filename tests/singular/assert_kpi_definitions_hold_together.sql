-- Without this a misspelt code would make a KPI, or a target, that is never seen and never missed.
-- Reads reference seeds alone, so that nothing is built on them before.
with

kpis as (
    select * from {{ ref('ref_kpis') }}
),

measures as (
    select * from {{ ref('ref_kpi_measures') }}
),

periods as (
    select period, sort_order from {{ ref('ref_kpi_periods') }}
),

targets as (
    select * from {{ ref('ref_kpi_targets') }}
),

kpis_with_measures as (
    select
        kpis.*,
        numerators.aggregation as numerator_aggregation,
        denominators.aggregation as denominator_aggregation,
        case
            when 'month' in (numerators.shortest_period, denominators.shortest_period) then 'month'
            else 'day'
        end as measures_shortest_period,
        coalesce(kpis.denominator_measure is null, false) as is_volume,
        case
            when coalesce(denominators.mart, numerators.mart) = numerators.mart
                then numerators.mart
            when numerators.mart < denominators.mart
                then numerators.mart || ' ' || denominators.mart
            else denominators.mart || ' ' || numerators.mart
        end as measures_marts
    from kpis
    left join measures as numerators on kpis.numerator_measure = numerators.measure
    left join measures as denominators on kpis.denominator_measure = denominators.measure
),

faults as (
    select
        'ref_kpis: ' || kpi || ' has the measure ' || numerator_measure
        || ', which ref_kpi_measures does not know' as fault
    from kpis_with_measures
    where numerator_aggregation is null
    union all
    select
        'ref_kpis: ' || kpi || ' has the measure ' || denominator_measure
        || ', which ref_kpi_measures does not know'
    from kpis_with_measures
    where denominator_measure is not null and denominator_aggregation is null
    union all
    select
        'ref_kpis: ' || kpi
        || ' is additive exactly if it is one measure that is a sum; is_additive says otherwise'
    from kpis_with_measures
    where is_additive <> (is_volume and numerator_aggregation = 'sum')
    union all
    select
        'ref_kpis: the shortest period of ' || kpi || ' is ' || measures_shortest_period
        || ' by its measures'
    from kpis_with_measures
    where shortest_period <> measures_shortest_period
    union all
    select 'ref_kpis: the marts of ' || kpi || ' are ' || measures_marts || ' by its measures'
    from kpis_with_measures
    where marts <> measures_marts
    union all
    select 'ref_kpis: the benchmark of ' || kpi || ' needs both ends, in order, and a source'
    from kpis
    where
        (benchmark_low is null) <> (benchmark_high is null)
        or (benchmark_low is null) <> (benchmark_source is null)
        or benchmark_low > benchmark_high
    union all
    select 'ref_kpis: ' || kpi || ' is a mix, and needs a dimension and a denominator'
    from kpis
    where is_mix and (dimensions is null or denominator_measure is null)
    union all
    select 'ref_kpi_measures: no KPI has the measure ' || measures.measure
    from measures
    left join kpis
        on measures.measure in (kpis.numerator_measure, kpis.denominator_measure)
    where kpis.kpi is null
    union all
    select 'ref_kpi_targets: there is no KPI ' || targets.kpi || ' in ref_kpis'
    from targets
    left join kpis on targets.kpi = kpis.kpi
    where kpis.kpi is null
    union all
    select 'ref_kpi_targets: ' || targets.kpi || ' has no value by the ' || targets.period
    from targets
    left join kpis on targets.kpi = kpis.kpi
    left join periods on targets.period = periods.period
    left join periods as shortest on kpis.shortest_period = shortest.period
    where periods.period is null or periods.sort_order < shortest.sort_order
    union all
    select 'ref_kpi_targets: ' || kpi || ' by the ' || period || ' ends before it begins'
    from targets
    where from_date >= to_date
    union all
    select
        'ref_kpi_targets: ' || targets.kpi || ' by the ' || targets.period
        || ' has two targets for ' || cast(later_targets.from_date as string)
    from targets
    inner join targets as later_targets
        on targets.kpi = later_targets.kpi
        and targets.period = later_targets.period
        and targets.from_date <= later_targets.from_date
        and targets.to_date > later_targets.from_date
        and (targets.from_date, targets.to_date, targets.target_value)
        <> (later_targets.from_date, later_targets.to_date, later_targets.target_value)
)

select * from faults

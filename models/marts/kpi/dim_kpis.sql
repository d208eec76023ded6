-- Grain: one row per KPI of ref_kpis.
with

kpis as (
    select
        kpi,
        kpi_name,
        kpi_name_fr,
        objective,
        unit,
        direction,
        formula,
        numerator_measure,
        denominator_measure,
        shortest_period,
        is_mix
    from {{ ref('ref_kpis') }}
),

measures as (
    select measure, aggregation
    from {{ ref('ref_kpi_measures') }}
),

kpis_with_aggregation as (
    select
        kpis.kpi,
        kpis.kpi_name,
        kpis.kpi_name_fr,
        kpis.objective,
        kpis.unit,
        case when kpis.unit = 'amount' then '{{ var("reporting_currency") }}' end as currency,
        kpis.direction,
        kpis.formula,
        kpis.shortest_period,
        kpis.is_mix,
        numerators.aggregation = 'sum'
        and coalesce(denominators.aggregation, 'sum') = 'sum' as is_sum_of_days
    from kpis
    inner join measures as numerators on kpis.numerator_measure = numerators.measure
    left join measures as denominators on kpis.denominator_measure = denominators.measure
)

select * from kpis_with_aggregation

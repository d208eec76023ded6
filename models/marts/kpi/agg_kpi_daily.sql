-- Grain: one row per KPI, day, dimension and value of it.
-- Numerators and denominators of additive measures add up over days and, where a day's parts are
-- apart, over a dimension's values; values never do. A KPI of months stands on their last day.
with

kpis as (
    select kpi, shortest_period from {{ ref('ref_kpis') }}
),

kpis_measured as (
    select * from {{ ref('int_kpis_measured') }}
),

kpi_days as (
    select
        kpis_measured.kpi,
        kpis_measured.period_end_date as kpi_date,
        kpis.shortest_period as period,
        kpis_measured.dimension,
        kpis_measured.dimension_value,
        kpis_measured.numerator,
        kpis_measured.denominator,
        kpis_measured.kpi_value,
        kpis_measured.is_mature
    from kpis_measured
    inner join kpis
        on kpis_measured.kpi = kpis.kpi and kpis_measured.period = kpis.shortest_period
    where kpis.shortest_period = 'day' or kpis_measured.is_complete
)

select * from kpi_days

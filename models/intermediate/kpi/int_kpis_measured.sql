-- Grain: one row per KPI, period, its first day, dimension and value.
-- The one place where a KPI is computed: the numerator's measure, by the denominator's if it has
-- one. Of a period that ended before both were known nothing is known.
with

kpis as (
    select
        kpi,
        numerator_measure,
        denominator_measure,
        ' ' || coalesce(dimensions, '') || ' ' as dimensions,
        is_mix,
        settling_days,
        shortest_period
    from {{ ref('ref_kpis') }}
),

measures as (
    select * from {{ ref('int_kpi_measures_united') }}
),

kinds as (
    select period, sort_order from {{ ref('ref_kpi_periods') }}
),

periods as (
    select period, period_start_date, period_end_date, is_complete
    from {{ ref('int_kpi_periods_listed') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

totals as (
    select measure, period, period_start_date, measured from measures where dimension = 'total'
),

first_periods as (
    select
        measure,
        period,
        min(period_start_date) as first_date
    from totals
    group by measure, period
),

-- A week or month may begin before its first day with data: the shortest period tells that day.
first_dates as (
    select
        measure,
        max(first_date) as first_date
    from first_periods
    group by measure
),

{% set is_of_kpi = "(measures.dimension = 'total' and not kpis.is_mix"
    ~ " or kpis.dimensions like '% ' || measures.dimension || ' %')" %}
measures_of_kpis as (
    select
        kpis.kpi,
        measures.period,
        measures.period_start_date,
        measures.dimension,
        measures.dimension_value,
        measures.measured as numerator,
        cast(null as decimal(28, 6)) as denominator
    from kpis
    inner join measures on kpis.numerator_measure = measures.measure
    where {{ is_of_kpi }}
    union all
    select
        kpis.kpi,
        measures.period,
        measures.period_start_date,
        measures.dimension,
        measures.dimension_value,
        cast(null as decimal(28, 6)) as numerator,
        measures.measured as denominator
    from kpis
    inner join measures on kpis.denominator_measure = measures.measure
    where not kpis.is_mix and {{ is_of_kpi }}
),

pairs as (
    select
        kpi,
        period,
        period_start_date,
        dimension,
        dimension_value,
        max(numerator) as numerator,
        max(denominator) as denominator
    from measures_of_kpis
    group by kpi, period, period_start_date, dimension, dimension_value
),

pairs_dated as (
    select
        pairs.*,
        kpis.denominator_measure is not null as has_ratio,
        kpis.settling_days,
        periods.period_end_date,
        periods.is_complete,
        wholes.measured as whole,
        kpis.is_mix,
        numerators.first_date as numerator_first_date,
        denominators.first_date as denominator_first_date
    from pairs
    inner join kpis on pairs.kpi = kpis.kpi
    inner join kinds on pairs.period = kinds.period
    inner join kinds as shortest on kpis.shortest_period = shortest.period
    inner join periods
        on pairs.period = periods.period and pairs.period_start_date = periods.period_start_date
    inner join first_dates as numerators on kpis.numerator_measure = numerators.measure
    left join first_dates as denominators on kpis.denominator_measure = denominators.measure
    left join totals as wholes
        on kpis.denominator_measure = wholes.measure
        and pairs.period = wholes.period
        and pairs.period_start_date = wholes.period_start_date
    where
        kinds.sort_order >= shortest.sort_order
        and periods.period_end_date >= numerators.first_date
        and (
            kpis.denominator_measure is null
            or periods.period_end_date >= denominators.first_date
        )
),

-- What a part has none of is 0 there: sums and counts alone have parts.
pairs_complete as (
    select
        kpi,
        period,
        period_start_date,
        period_end_date,
        dimension,
        dimension_value,
        has_ratio,
        coalesce(numerator, 0) as numerator,
        case
            when is_mix then whole
            when has_ratio then coalesce(denominator, 0)
        end as denominator,
        is_complete
        and period_start_date >= numerator_first_date
        and (not has_ratio or period_start_date >= denominator_first_date) as is_complete,
        period_end_date + cast(settling_days as integer) as settled_date
    from pairs_dated
),

kpis_measured as (
    select
        pairs_complete.kpi,
        pairs_complete.period,
        pairs_complete.period_start_date,
        pairs_complete.period_end_date,
        pairs_complete.dimension,
        pairs_complete.dimension_value,
        cast(pairs_complete.numerator as decimal(28, 6)) as numerator,
        cast(pairs_complete.denominator as decimal(28, 6)) as denominator,
        cast(pairs_complete.numerator as double)
        / case
            when pairs_complete.has_ratio then nullif(cast(pairs_complete.denominator as double), 0)
            else 1
        end as kpi_value,
        pairs_complete.is_complete,
        pairs_complete.is_complete and pairs_complete.settled_date <= as_of.as_of_date
            as is_mature
    from pairs_complete
    cross join as_of
)

select * from kpis_measured

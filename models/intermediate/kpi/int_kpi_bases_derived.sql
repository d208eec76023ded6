-- Grain: one row per KPI, mature period and part: what the periods alike before it come to.
-- Those are the last ones of the same weekday without a retail event, of which the lowest and the
-- highest are left out (docs/decisions/0017-kpis.md). Channels and devices are compared by week.
with

definitions as (
    select kpi, numerator_measure, denominator_measure, unit from {{ ref('ref_kpis') }}
),

measures as (
    select measure, is_counted from {{ ref('ref_kpi_measures') }}
),

kinds as (
    select * from {{ ref('ref_kpi_periods') }}
),

periods as (
    select period, period_start_date, weekday_number, retail_event, event_start_date
    from {{ ref('int_kpi_periods_listed') }}
),

values_known as (
    select
        kpi,
        period,
        dimension,
        dimension_value,
        period_start_date,
        numerator,
        denominator,
        kpi_value
    from {{ ref('int_kpis_measured') }}
    where
        is_mature
        and kpi_value is not null
        and (
            dimension = 'total'
            or (
                period = 'week'
                and dimension in ('channel', 'device')
                and dimension_value is not null
            )
        )
),

kpis as (
    select
        definitions.kpi,
        definitions.denominator_measure is null as is_volume,
        numerators.is_counted and definitions.denominator_measure is null as is_count,
        numerators.is_counted and denominators.is_counted and definitions.unit = 'share'
            as is_share_of_count,
        coalesce(denominators.is_counted, false) as is_ratio_to_count
    from definitions
    inner join measures as numerators on definitions.numerator_measure = numerators.measure
    left join measures as denominators on definitions.denominator_measure = denominators.measure
),

-- A channel that brought nothing in a week has no row, where its volumes are 0.
first_weeks as (
    select
        values_known.kpi,
        values_known.period,
        values_known.dimension,
        values_known.dimension_value,
        min(values_known.period_start_date) as first_date
    from values_known
    inner join kpis on values_known.kpi = kpis.kpi
    where kpis.is_volume and values_known.dimension <> 'total'
    group by
        values_known.kpi,
        values_known.period,
        values_known.dimension,
        values_known.dimension_value
),

values_filled as (
    select * from values_known
    union all
    select
        first_weeks.kpi,
        first_weeks.period,
        first_weeks.dimension,
        first_weeks.dimension_value,
        wholes.period_start_date,
        cast(0 as decimal(28, 6)) as numerator,
        cast(null as decimal(28, 6)) as denominator,
        cast(0 as double) as kpi_value
    from first_weeks
    inner join values_known as wholes
        on first_weeks.kpi = wholes.kpi
        and first_weeks.period = wholes.period
        and first_weeks.first_date < wholes.period_start_date
        and wholes.dimension = 'total'
    left join values_known as parts
        on first_weeks.kpi = parts.kpi
        and first_weeks.period = parts.period
        and first_weeks.dimension = parts.dimension
        and first_weeks.dimension_value = parts.dimension_value
        and wholes.period_start_date = parts.period_start_date
    where parts.kpi is null
),

-- A retail event moves volumes; a ratio is compared with its like, event or not.
rows_judged as (
    select
        concat_ws(
            '|',
            values_filled.kpi,
            values_filled.period,
            values_filled.dimension,
            values_filled.dimension_value
        ) as series,
        values_filled.*,
        coalesce(values_filled.denominator, 1) as weight,
        kpis.is_volume,
        kpis.is_count,
        coalesce(kpis.is_share_of_count, false) as is_share_of_count,
        kpis.is_ratio_to_count,
        periods.weekday_number,
        case when kpis.is_volume then periods.retail_event end as retail_event,
        periods.event_start_date,
        kinds.is_by_year and kpis.is_volume as has_year,
        kinds.reference_count,
        kinds.minimum_reference_count,
        kinds.error_count,
        kinds.minimum_error_count
    from values_filled
    inner join kpis on values_filled.kpi = kpis.kpi
    inner join kinds on values_filled.period = kinds.period
    inner join periods
        on values_filled.period = periods.period
        and values_filled.period_start_date = periods.period_start_date
),

rows_numbered as (
    select
        *,
        count(*) filter (where retail_event is null) over (
            partition by series, weekday_number
            order by period_start_date
            rows between unbounded preceding and 1 preceding
        ) as ordinary_before_count
    from rows_judged
),

references_ranked as (
    select
        rows_numbered.series,
        rows_numbered.period_start_date,
        rows_numbered.minimum_reference_count,
        ordinary.numerator,
        ordinary.weight,
        row_number() over (
            partition by rows_numbered.series, rows_numbered.period_start_date
            order by ordinary.kpi_value, ordinary.period_start_date
        ) as value_rank,
        count(*) over (
            partition by rows_numbered.series, rows_numbered.period_start_date
        ) as reference_count,
        count(*) filter (where ordinary.numerator = 0) over (
            partition by rows_numbered.series, rows_numbered.period_start_date
        ) as zero_count
    from rows_numbered
    inner join rows_numbered as ordinary
        on rows_numbered.series = ordinary.series
        and rows_numbered.weekday_number = ordinary.weekday_number
        and ordinary.retail_event is null
        and rows_numbered.ordinary_before_count > ordinary.ordinary_before_count
        and rows_numbered.ordinary_before_count
        <= ordinary.ordinary_before_count + rows_numbered.reference_count
),

bases as (
    select
        series,
        period_start_date,
        cast(sum(numerator) as double) / nullif(cast(sum(weight) as double), 0) as base_value
    from references_ranked
    where
        reference_count >= minimum_reference_count
        and zero_count <= {{ var('kpi_largest_zero_share') }} * reference_count
        and value_rank > 1
        and value_rank < reference_count
    group by series, period_start_date
),

kpi_bases as (
    select
        rows_numbered.series,
        rows_numbered.kpi,
        rows_numbered.period,
        rows_numbered.dimension,
        rows_numbered.dimension_value,
        rows_numbered.period_start_date,
        rows_numbered.weekday_number,
        rows_numbered.retail_event,
        rows_numbered.event_start_date,
        rows_numbered.is_volume,
        rows_numbered.is_count,
        rows_numbered.is_share_of_count,
        rows_numbered.is_ratio_to_count,
        rows_numbered.has_year,
        rows_numbered.ordinary_before_count,
        rows_numbered.reference_count,
        rows_numbered.error_count,
        rows_numbered.minimum_error_count,
        rows_numbered.numerator,
        rows_numbered.weight,
        rows_numbered.kpi_value,
        bases.base_value
    from rows_numbered
    left join bases
        on rows_numbered.series = bases.series
        and rows_numbered.period_start_date = bases.period_start_date
)

select * from kpi_bases

-- Grain: one row per KPI, mature period and part: what was to be expected of it.
-- From the history before the period alone (docs/decisions/0017-kpis.md): the periods alike before
-- it without the lowest and the highest, times the season for volumes; the band is as wide as such
-- expectations were wrong lately. Channels and devices are expected by the week.
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

rows_based as (
    select
        rows_numbered.*,
        bases.base_value
    from rows_numbered
    left join bases
        on rows_numbered.series = bases.series
        and rows_numbered.period_start_date = bases.period_start_date
),

events as (
    select
        series,
        retail_event,
        event_start_date,
        sum(numerator) as numerator,
        sum(cast(base_value as decimal(38, 12))) as base_value
    from rows_based
    where retail_event is not null and base_value is not null
    group by series, retail_event, event_start_date
),

-- An event that was never seen before has no index: nobody knows what to expect of it.
events_indexed as (
    select
        series,
        retail_event,
        event_start_date,
        cast(sum(numerator) over earlier as double)
        / nullif(cast(sum(base_value) over earlier as double), 0) as event_index
    from events
    window earlier as (
        partition by series, retail_event
        order by event_start_date
        rows between unbounded preceding and 1 preceding
    )
),

-- A month's season is how far last year's was from its own base; none where that is unknown.
rows_seasoned as (
    select
        rows_based.*,
        case
            when rows_based.retail_event is not null then events_indexed.event_index
            when rows_based.has_year and years_before.kpi_value > 0 and years_before.base_value > 0
                then years_before.kpi_value / years_before.base_value
            else 1
        end as season_index
    from rows_based
    left join events_indexed
        on rows_based.series = events_indexed.series
        and rows_based.retail_event = events_indexed.retail_event
        and rows_based.event_start_date = events_indexed.event_start_date
    left join rows_based as years_before
        on rows_based.series = years_before.series
        and cast(rows_based.period_start_date - interval '1' year as date)
        = years_before.period_start_date
),

rows_expected as (
    select
        *,
        base_value * season_index as expected_value
    from rows_seasoned
),

-- Chance moves a volume by about its root, a ratio the less the more it is a ratio to.
rows_scaled as (
    select
        *,
        case
            when is_volume then sqrt(greatest(abs(expected_value), 1))
            else 1 / sqrt(nullif(abs(cast(weight as double)), 0))
        end as error_scale
    from rows_expected
),

rows_with_errors as (
    select
        *,
        abs(kpi_value - expected_value) / error_scale as scaled_error,
        count(expected_value) over (
            partition by series
            order by period_start_date
            rows between unbounded preceding and 1 preceding
        ) as error_before_count
    from rows_scaled
),

error_quantiles as (
    select
        rows_with_errors.series,
        rows_with_errors.period_start_date,
        {{ quantiles_of('earlier.scaled_error', [0.5, 0.8]) }} as error_quantiles
    from rows_with_errors
    inner join rows_with_errors as earlier
        on rows_with_errors.series = earlier.series
        and earlier.expected_value is not null
        and rows_with_errors.error_before_count > earlier.error_before_count
        and rows_with_errors.error_before_count
        <= earlier.error_before_count + rows_with_errors.error_count
    where rows_with_errors.error_before_count >= rows_with_errors.minimum_error_count
    group by rows_with_errors.series, rows_with_errors.period_start_date
),

-- 1.4826 medians of absolute errors are a standard deviation where errors are normal, and so is
-- their 80th percentile by 1.2816: the larger one, since many are not.
usual_errors as (
    select
        series,
        period_start_date,
        greatest(
            1.4826e0 * {{ list_item('error_quantiles', 1) }},
            {{ list_item('error_quantiles', 2) }} / 1.2816e0
        ) as usual_error
    from error_quantiles
),

-- Counts vary as Poisson's do, and shares of counts as the binomial's, here with one more of each
-- kind so that a share of 0 or 1 is not taken for certain: never less than that.
rows_with_chance as (
    select
        rows_with_errors.*,
        usual_errors.usual_error,
        case
            when rows_with_errors.is_count then 1
            when
                rows_with_errors.is_share_of_count
                and rows_with_errors.expected_value between 0 and 1
                then
                    sqrt(
                        (rows_with_errors.expected_value * rows_with_errors.weight + 1)
                        * ((1 - rows_with_errors.expected_value) * rows_with_errors.weight + 1)
                    ) / (rows_with_errors.weight + 2)
            else 0
        end as chance_error
    from rows_with_errors
    left join usual_errors
        on rows_with_errors.series = usual_errors.series
        and rows_with_errors.period_start_date = usual_errors.period_start_date
),

kpis_expected as (
    select
        kpi,
        period,
        dimension,
        dimension_value,
        period_start_date,
        weekday_number,
        retail_event,
        is_count,
        ordinary_before_count,
        reference_count,
        numerator,
        weight,
        kpi_value,
        base_value,
        season_index,
        expected_value,
        case
            when
                expected_value is not null
                and usual_error is not null
                and (not is_ratio_to_count or weight >= {{ var('kpi_smallest_count') }})
                then
                    greatest(
                        greatest(usual_error, chance_error) * error_scale,
                        {{ var('kpi_smallest_spread_share') }} * abs(expected_value)
                    )
        end as expected_spread
    from rows_with_chance
)

select * from kpis_expected

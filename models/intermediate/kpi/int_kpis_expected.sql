-- Grain: one row per KPI, mature period and part: what was to be expected of it.
-- From the history before the period alone (docs/decisions/0017-kpis.md): its base, times the
-- season for volumes; the band is as wide as such expectations were wrong lately.
with

kpi_bases as (
    select * from {{ ref('int_kpi_bases_derived') }}
),

events as (
    select
        series,
        retail_event,
        event_start_date,
        sum(numerator) as numerator,
        sum(cast(base_value as decimal(38, 12))) as base_value
    from kpi_bases
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
        kpi_bases.*,
        case
            when kpi_bases.retail_event is not null then events_indexed.event_index
            when kpi_bases.has_year and years_before.kpi_value > 0 and years_before.base_value > 0
                then years_before.kpi_value / years_before.base_value
            else 1
        end as season_index
    from kpi_bases
    left join events_indexed
        on kpi_bases.series = events_indexed.series
        and kpi_bases.retail_event = events_indexed.retail_event
        and kpi_bases.event_start_date = events_indexed.event_start_date
    left join kpi_bases as years_before
        on kpi_bases.series = years_before.series
        and cast(kpi_bases.period_start_date - interval '1' year as date)
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

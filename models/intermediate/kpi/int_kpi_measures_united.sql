-- Grain: one row per measure, period, its first day, dimension and value.
-- Sums are added up to longer periods, stocks taken from their last day, distinct counts made for
-- each period before. From its first row on, a measure of the whole shop is 0 where it has none.
with

measures_booked as (
    {% for model in [
        'int_order_measures_summed', 'int_buyer_measures_counted', 'int_return_measures_summed',
        'int_session_measures_summed', 'int_visitor_measures_counted', 'int_cart_measures_summed',
        'int_channel_measures_summed', 'int_cohort_measures_gathered',
        'int_service_measures_gathered', 'int_retention_measures_gathered'
    ] -%}
    select measure, period, period_start_date, dimension, dimension_value, measured
    from {{ ref(model) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

definitions as (
    select measure, aggregation from {{ ref('ref_kpi_measures') }}
),

kinds as (
    select period, sort_order from {{ ref('ref_kpi_periods') }}
),

periods as (
    select period, period_start_date, period_end_date from {{ ref('int_kpi_periods_listed') }}
),

measures_defined as (
    select
        measures_booked.*,
        definitions.aggregation
    from measures_booked
    inner join definitions on measures_booked.measure = definitions.measure
),

totals as (
    select * from measures_defined where dimension = 'total'
),

first_periods as (
    select
        measure,
        period,
        aggregation,
        min(period_start_date) as first_date
    from totals
    group by measure, period, aggregation
),

totals_filled as (
    select
        first_periods.measure,
        first_periods.period,
        periods.period_start_date,
        'total' as dimension,
        'all' as dimension_value,
        cast(0 as decimal(28, 6)) as measured,
        first_periods.aggregation
    from first_periods
    inner join periods
        on first_periods.period = periods.period
        and first_periods.first_date <= periods.period_start_date
    left join totals
        on first_periods.measure = totals.measure
        and periods.period = totals.period
        and periods.period_start_date = totals.period_start_date
    where first_periods.aggregation in ('sum', 'distinct') and totals.measure is null
),

measures_filled as (
    select * from measures_defined
    union all
    select * from totals_filled
),

longer_periods as (
    select
        measures_filled.measure,
        longer.period,
        cast(date_trunc(longer.period, measures_filled.period_start_date) as date)
            as period_start_date,
        measures_filled.dimension,
        measures_filled.dimension_value,
        cast(
            case measures_filled.aggregation
                when 'sum' then sum(measures_filled.measured)
                when 'stock'
                    then {{ last_by(
                        'measures_filled.measured', ['measures_filled.period_start_date']
                    ) }}
            end as decimal(28, 6)
        ) as measured
    from measures_filled
    inner join kinds on measures_filled.period = kinds.period
    inner join kinds as longer on kinds.sort_order < longer.sort_order
    where measures_filled.aggregation in ('sum', 'stock')
    group by
        measures_filled.measure,
        measures_filled.aggregation,
        longer.period,
        cast(date_trunc(longer.period, measures_filled.period_start_date) as date),
        measures_filled.dimension,
        measures_filled.dimension_value
),

kpi_measures_united as (
    select measure, period, period_start_date, dimension, dimension_value, measured
    from measures_filled
    union all
    select measure, period, period_start_date, dimension, dimension_value, measured
    from longer_periods
)

select * from kpi_measures_united

-- Without this a KPI could be one number on the daily page and another on the monthly one. Additive
-- KPIs of days alone: a ratio, a distinct count or a stock of a month is none of its days'.
with

kpis as (
    select kpi from {{ ref('ref_kpis') }} where is_additive and shortest_period = 'day'
),

days as (
    select kpi, kpi_date, numerator
    from {{ ref('agg_kpi_daily') }}
    where dimension = 'total'
),

periods as (
    select kpi, period, period_start_date, period_end_date, numerator, kpi_value
    from {{ ref('fct_kpi_scorecard') }}
)

select
    periods.kpi,
    periods.period,
    periods.period_start_date,
    periods.numerator,
    sum(days.numerator) as sum_of_days
from periods
inner join kpis on periods.kpi = kpis.kpi
left join days
    on periods.kpi = days.kpi
    and periods.period_start_date <= days.kpi_date
    and periods.period_end_date >= days.kpi_date
group by
    periods.kpi,
    periods.period,
    periods.period_start_date,
    periods.numerator,
    periods.kpi_value
having periods.numerator <> sum(days.numerator) or sum(days.numerator) is null

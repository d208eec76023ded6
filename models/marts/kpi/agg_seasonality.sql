-- Grain: one row per KPI of sales (orders, net revenue) and day.
-- Sales = trend x weekday x month x event x remainder: the classical decomposition by centred
-- moving averages, for years with weeks in them. Indices of weekdays and of months have the mean
-- 1. Trend and remainder are unknown within half a year of either end, where no year lies around
-- the day.
with

sales as (
    select
        kpi,
        period_start_date as sales_date,
        numerator as sales
    from {{ ref('int_kpis_measured') }}
    where
        kpi in ('orders', 'net_revenue')
        and period = 'day'
        and dimension = 'total'
        and is_complete
),

dates as (
    select calendar_date, calendar_month, iso_weekday from {{ ref('dim_dates') }}
),

events as (
    select event, first_date, last_date from {{ ref('ref_retail_events') }}
),

sales_averaged as (
    select
        kpi,
        sales_date,
        sales,
        case
            when count(*) over of_week = 7 then cast(sum(sales) over of_week as double) / 7
        end as week_average,
        case
            when count(*) over of_year = 365 then cast(sum(sales) over of_year as double) / 365
        end as trend
    from sales
    window
        of_week as (
            partition by kpi order by sales_date rows between 3 preceding and 3 following
        ),
        of_year as (
            partition by kpi order by sales_date rows between 182 preceding and 182 following
        )
),

sales_dated as (
    select
        sales_averaged.*,
        dates.calendar_month,
        dates.iso_weekday,
        events.event
    from sales_averaged
    inner join dates on sales_averaged.sales_date = dates.calendar_date
    left join events
        on sales_averaged.sales_date >= events.first_date
        and sales_averaged.sales_date <= events.last_date
),

-- What is summed is exact, so that an index does not hang on the order of the days.
{% set exact_sum = "cast(sum(cast({0} as decimal(28, 6))) as double)" %}
weekdays as (
    select
        kpi,
        iso_weekday,
        {{ exact_sum.format('sales') }} / nullif({{ exact_sum.format('week_average') }}, 0)
            as weekday_ratio
    from sales_dated
    where week_average is not null and event is null
    group by kpi, iso_weekday
),

weekdays_indexed as (
    select
        kpi,
        iso_weekday,
        case
            when count(weekday_ratio) over of_kpi = 7
                then
                    weekday_ratio * 7
                    / cast(sum(cast(weekday_ratio as decimal(28, 12))) over of_kpi as double)
        end as weekday_index
    from weekdays
    window of_kpi as (partition by kpi)
),

sales_of_weekdays as (
    select
        sales_dated.*,
        weekdays_indexed.weekday_index
    from sales_dated
    left join weekdays_indexed
        on sales_dated.kpi = weekdays_indexed.kpi
        and sales_dated.iso_weekday = weekdays_indexed.iso_weekday
),

-- A month is measured by its ordinary days; by all of them where an event takes the whole month.
months as (
    select
        kpi,
        calendar_month,
        coalesce(
            {{ exact_sum.format('case when event is null then sales end') }}
            / nullif(
                {{ exact_sum.format('case when event is null then trend * weekday_index end') }}, 0
            ),
            {{ exact_sum.format('sales') }}
            / nullif({{ exact_sum.format('trend * weekday_index') }}, 0)
        ) as month_ratio
    from sales_of_weekdays
    where trend is not null
    group by kpi, calendar_month
),

months_indexed as (
    select
        kpi,
        calendar_month,
        case
            when count(month_ratio) over of_kpi = 12
                then
                    month_ratio * 12
                    / cast(sum(cast(month_ratio as decimal(28, 12))) over of_kpi as double)
        end as month_index
    from months
    window of_kpi as (partition by kpi)
),

sales_of_months as (
    select
        sales_of_weekdays.*,
        months_indexed.month_index
    from sales_of_weekdays
    left join months_indexed
        on sales_of_weekdays.kpi = months_indexed.kpi
        and sales_of_weekdays.calendar_month = months_indexed.calendar_month
),

events_indexed as (
    select
        kpi,
        event,
        {{ exact_sum.format('sales') }}
        / nullif({{ exact_sum.format('trend * weekday_index * month_index') }}, 0) as event_index
    from sales_of_months
    where trend is not null and event is not null
    group by kpi, event
),

sales_indexed as (
    select
        sales_of_months.*,
        case when sales_of_months.event is null then 1 else events_indexed.event_index end
            as event_index
    from sales_of_months
    left join events_indexed
        on sales_of_months.kpi = events_indexed.kpi
        and sales_of_months.event = events_indexed.event
),

seasonality as (
    select
        kpi,
        cast(sales as double) as sales,
        trend,
        iso_weekday,
        weekday_index,
        calendar_month,
        month_index,
        event,
        cast(event_index as double) as event_index,
        trend * weekday_index * month_index * event_index as seasonal_value,
        cast(sales as double) / nullif(trend * weekday_index * month_index * event_index, 0)
            as remainder_ratio,
        sales_date
    from sales_indexed
)

select * from seasonality

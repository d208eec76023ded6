-- Grain: one row per period (day, ISO week, month, quarter) that as_of_date has reached.
-- A retail event marks the days, and the weeks of which it is more than half; months have seasons
-- of their own.
with

dates as (
    select calendar_date, iso_weekday from {{ ref('dim_dates') }} where is_known
),

kinds as (
    select period, is_by_weekday, is_by_year from {{ ref('ref_kpi_periods') }}
),

events as (
    select event, first_date, last_date from {{ ref('ref_retail_events') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

periods as (
    select
        kinds.period,
        kinds.is_by_year,
        cast(date_trunc(kinds.period, dates.calendar_date) as date) as period_start_date,
        max(case when kinds.is_by_weekday then dates.iso_weekday else 0 end) as weekday_number
    from dates
    cross join kinds
    group by
        kinds.period,
        kinds.is_by_year,
        cast(date_trunc(kinds.period, dates.calendar_date) as date)
),

periods_ended as (
    select
        *,
        case period
            when 'day' then period_start_date
            when 'week' then period_start_date + 6
            when 'month' then cast(period_start_date + interval '1' month as date) - 1
            when 'quarter' then cast(period_start_date + interval '3' month as date) - 1
        end as period_end_date
    from periods
),

events_of_days as (
    select
        dates.calendar_date,
        events.event,
        events.first_date
    from dates
    inner join events
        on dates.calendar_date >= events.first_date and dates.calendar_date <= events.last_date
),

events_of_periods as (
    select
        periods_ended.period,
        periods_ended.period_start_date,
        events_of_days.event as retail_event,
        min(events_of_days.first_date) as event_start_date
    from periods_ended
    inner join events_of_days
        on periods_ended.period_start_date <= events_of_days.calendar_date
        and periods_ended.period_end_date >= events_of_days.calendar_date
    where not periods_ended.is_by_year
    group by
        periods_ended.period,
        periods_ended.period_start_date,
        periods_ended.period_end_date,
        events_of_days.event
    having count(*) * 2 > 1
        + {{ days_from('periods_ended.period_start_date', 'periods_ended.period_end_date') }}
),

kpi_periods_listed as (
    select
        periods_ended.period,
        periods_ended.period_start_date,
        periods_ended.period_end_date,
        row_number() over (
            partition by periods_ended.period order by periods_ended.period_start_date
        ) as period_number,
        cast(periods_ended.weekday_number as bigint) as weekday_number,
        events_of_periods.retail_event,
        events_of_periods.event_start_date,
        periods_ended.period_end_date <= as_of.as_of_date as is_complete
    from periods_ended
    cross join as_of
    left join events_of_periods
        on periods_ended.period = events_of_periods.period
        and periods_ended.period_start_date = events_of_periods.period_start_date
)

select * from kpi_periods_listed

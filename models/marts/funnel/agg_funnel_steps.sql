-- Grain: one row per funnel, period (week or month of the entry), its first day, and step.
-- Rates and times are those of mature entries; is_mature says whether that is all of them. The
-- change is against the calendar period before, in points of the rate.
with

periods as (
    select * from {{ ref('int_funnel_periods_measured') }}
),

steps as (
    select funnel, step_number, step_name from {{ ref('ref_funnel_steps') }}
),

periods_rated as (
    select
        *,
        reached_count / nullif(previous_reached_count, 0) as step_conversion_rate,
        reached_count / nullif(mature_entry_count, 0) as conversion_rate,
        1 - reached_count / nullif(previous_reached_count, 0) as drop_off_rate,
        cast(date_trunc(period, period_start_date - 1) as date) as previous_start_date
    from periods
),

-- The step before which most are lost; of equal ones the first.
breaking_points as (
    select
        funnel,
        period,
        period_start_date,
        {{ first_by('step_number', ['- drop_off_rate', 'step_number']) }} as breaking_step_number
    from periods_rated
    where drop_off_rate > 0
    group by funnel, period, period_start_date
),

funnel_steps as (
    select
        periods_rated.funnel,
        periods_rated.period,
        periods_rated.step_number,
        steps.step_name,
        coalesce(breaking_points.breaking_step_number = periods_rated.step_number, false)
            as is_breaking_point,
        periods_rated.mature_entry_count = periods_rated.entry_count as is_mature,
        periods_rated.entry_count,
        periods_rated.mature_entry_count,
        periods_rated.reached_count,
        periods_rated.previous_reached_count,
        periods_rated.step_conversion_rate,
        periods_rated.drop_off_rate,
        periods_rated.conversion_rate,
        periods_rated.step_conversion_rate - previous_periods.step_conversion_rate
            as step_conversion_rate_change,
        periods_rated.conversion_rate - previous_periods.conversion_rate as conversion_rate_change,
        periods_rated.seconds_to_convert_p25,
        periods_rated.seconds_to_convert_median,
        periods_rated.seconds_to_convert_p75,
        periods_rated.seconds_to_convert_p90,
        periods_rated.period_start_date
    from periods_rated
    inner join steps
        on periods_rated.funnel = steps.funnel and periods_rated.step_number = steps.step_number
    left join breaking_points
        on periods_rated.funnel = breaking_points.funnel
        and periods_rated.period = breaking_points.period
        and periods_rated.period_start_date = breaking_points.period_start_date
    left join periods_rated as previous_periods
        on periods_rated.funnel = previous_periods.funnel
        and periods_rated.period = previous_periods.period
        and periods_rated.previous_start_date = previous_periods.period_start_date
        and periods_rated.step_number = previous_periods.step_number
)

select * from funnel_steps

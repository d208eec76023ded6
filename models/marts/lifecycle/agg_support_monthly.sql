-- Grain: one row per month and dimension's value: all tickets, or those of a topic or channel. A
-- ticket is booked in the month that it was opened in, with what became of it by as_of_date. Counts
-- and totals add up, medians do not.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

-- An answer before the question is an error of the shop's clocks: answered, in nobody knows how
-- long.
tickets as (
    select
        topic,
        channel,
        satisfaction,
        first_response_at is not null as is_answered,
        resolved_at is not null as is_resolved,
        case
            when first_response_at >= opened_at
                then {{ microseconds_between('opened_at', 'first_response_at') }} / 1000000
        end as first_response_seconds,
        case
            when resolved_at >= opened_at
                then {{ microseconds_between('opened_at', 'resolved_at') }} / 1000000
        end as resolution_seconds,
        {{ reporting_date('opened_at') }} as opened_date
    from {{ ref('stg_crm__support_tickets') }}
),

bounds as (
    select
        min(tickets.opened_date) as from_date,
        max(as_of.as_of_date) as to_date
    from tickets
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

tickets_by_month as (
    select
        topic,
        channel,
        satisfaction,
        is_answered,
        is_resolved,
        cast(floor(first_response_seconds) as bigint) as first_response_seconds,
        cast(floor(resolution_seconds) as bigint) as resolution_seconds,
        cast(date_trunc('month', opened_date) as date) as month_start_date
    from tickets
),

tickets_by_dimension as (
    {% for dimension in ['all', 'topic', 'channel'] -%}
    select
        month_start_date,
        '{{ dimension }}' as dimension,
        {{ 'cast(null as string)' if dimension == 'all' else dimension }} as dimension_value,
        satisfaction,
        is_answered,
        is_resolved,
        first_response_seconds,
        resolution_seconds
    from tickets_by_month
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

ticket_sums as (
    select
        month_start_date,
        dimension,
        dimension_value,
        count(*) as ticket_count,
        count(*) filter (where is_answered) as answered_ticket_count,
        count(*) filter (where is_resolved) as resolved_ticket_count,
        count(first_response_seconds) as timed_response_count,
        sum(first_response_seconds) as first_response_seconds,
        {{ list_item(quantiles_of('first_response_seconds', [0.5]), 1) }}
            as first_response_seconds_median,
        count(resolution_seconds) as timed_resolution_count,
        sum(resolution_seconds) as resolution_seconds,
        {{ list_item(quantiles_of('resolution_seconds', [0.5]), 1) }}
            as resolution_seconds_median,
        count(satisfaction) as rated_ticket_count,
        sum(satisfaction) as satisfaction_total
    from tickets_by_dimension
    group by month_start_date, dimension, dimension_value
),

-- A month without a ticket is a row too.
rows_wanted as (
    select month_start_date, dimension, dimension_value
    from ticket_sums
    where dimension <> 'all'
    union all
    select month_start_date, 'all' as dimension, cast(null as string) as dimension_value
    from months
),

support as (
    select
        rows_wanted.month_start_date,
        rows_wanted.dimension,
        rows_wanted.dimension_value,
        {{ is_complete_month('rows_wanted.month_start_date', 'as_of.as_of_date') }} as is_mature,
        {% for column in [
            'ticket_count', 'answered_ticket_count', 'resolved_ticket_count',
            'timed_response_count', 'first_response_seconds', 'timed_resolution_count',
            'resolution_seconds', 'rated_ticket_count', 'satisfaction_total'
        ] -%}
        cast(coalesce(ticket_sums.{{ column }}, 0) as bigint) as {{ column }},
        {% endfor -%}
        cast(ticket_sums.first_response_seconds_median as double) as first_response_seconds_median,
        cast(ticket_sums.resolution_seconds_median as double) as resolution_seconds_median,
        cast(ticket_sums.resolved_ticket_count as double) / nullif(ticket_sums.ticket_count, 0)
            as resolution_rate,
        cast(ticket_sums.satisfaction_total as double)
        / nullif(ticket_sums.rated_ticket_count, 0) as mean_satisfaction
    from rows_wanted
    cross join as_of
    left join ticket_sums
        on rows_wanted.month_start_date = ticket_sums.month_start_date
        and rows_wanted.dimension = ticket_sums.dimension
        and rows_wanted.dimension_value is not distinct from ticket_sums.dimension_value
)

select * from support

-- Grain: one row per table of the raw contract, whether the shop brings it or not.
-- rows read = rows kept + exact duplicates + rejected rows, always; bot rows are kept rows, and
-- counted because no other mart has them.
with

raw_files as (
    select table_name, file_format, files, file_count, missing_columns, unknown_columns
    from {{ source('raw', 'raw_files') }}
),

malformed_lines as (
    select table_name from {{ source('raw', 'malformed_lines') }}
),

rows_read as (
    {% for table in raw_tables() %}
    select '{{ table }}' as table_name, count(*) as row_count from {{ ref('raw_' ~ table) }}
    union all
    {% endfor %}
    select table_name, count(*) as row_count from malformed_lines group by table_name
),

rows_judged as (
    {% for table in raw_tables() %}
    select '{{ table }}' as table_name, verdict, count(*) as row_count
    from {{ judged_relation(table) }}
    group by verdict
    union all
    {% endfor %}
    select table_name, 'rejected' as verdict, count(*) as row_count
    from malformed_lines
    group by table_name
),

events as (
    select event_id, is_bot from {{ ref('base_web__events') }} where event_id is not null
),

events_set_aside as (
    select event_id, is_bot, verdict from {{ ref('base_web__events_set_aside') }}
),

plain_events as (
    select count(*) as row_count, count(*) filter (where is_bot) as bot_row_count
    from events
    where
        not exists (
            select 1 from events_set_aside where events_set_aside.event_id = events.event_id
        )
),

counts as (
    select
        table_name,
        row_count as read_row_count,
        0 as kept_row_count,
        0 as duplicate_row_count,
        0 as rejected_row_count,
        0 as bot_row_count
    from rows_read
    union all
    select
        table_name,
        0 as read_row_count,
        case when verdict = 'kept' then row_count else 0 end as kept_row_count,
        case when verdict = 'duplicate' then row_count else 0 end as duplicate_row_count,
        case when verdict = 'rejected' then row_count else 0 end as rejected_row_count,
        0 as bot_row_count
    from rows_judged
    union all
    select
        'events' as table_name,
        0 as read_row_count,
        row_count as kept_row_count,
        0 as duplicate_row_count,
        0 as rejected_row_count,
        bot_row_count
    from plain_events
    union all
    select
        'events' as table_name,
        0 as read_row_count,
        0 as kept_row_count,
        0 as duplicate_row_count,
        0 as rejected_row_count,
        count(*) filter (where is_bot) as bot_row_count
    from events_set_aside
    where verdict = 'kept'
),

count_sums as (
    select
        table_name,
        sum(read_row_count) as read_row_count,
        sum(kept_row_count) as kept_row_count,
        sum(duplicate_row_count) as duplicate_row_count,
        sum(rejected_row_count) as rejected_row_count,
        sum(bot_row_count) as bot_row_count
    from counts
    group by table_name
),

load_report as (
    select
        raw_files.table_name,
        raw_files.file_format,
        cast(count_sums.read_row_count as bigint) as read_row_count,
        cast(count_sums.kept_row_count as bigint) as kept_row_count,
        cast(count_sums.duplicate_row_count as bigint) as duplicate_row_count,
        cast(count_sums.rejected_row_count as bigint) as rejected_row_count,
        cast(count_sums.bot_row_count as bigint) as bot_row_count,
        raw_files.file_count,
        raw_files.files,
        raw_files.missing_columns,
        raw_files.unknown_columns
    from raw_files
    inner join count_sums on raw_files.table_name = count_sums.table_name
)

select * from load_report

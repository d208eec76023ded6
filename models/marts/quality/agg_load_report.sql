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

event_days as (
    select event_count, bot_event_count from {{ ref('base_web__event_days') }}
),

counts as (
    {% for table in raw_tables() %}
    select '{{ table }}' as table_name, 'read' as kind, count(*) as row_count
    from {{ ref('raw_' ~ table) }}
    union all
    select '{{ table }}' as table_name, verdict as kind, count(*) as row_count
    from {{ judged_relation(table) }}
    {% if table == 'events' -%}
    where verdict <> 'kept' -- counted below, with the many that were not set aside
    {% endif -%}
    group by verdict
    union all
    {% endfor %}
    select 'events' as table_name, 'kept' as kind, sum(event_count) as row_count from event_days
    union all
    select 'events' as table_name, 'bot' as kind, sum(bot_event_count) as row_count from event_days
    union all
    select table_name, 'read' as kind, count(*) as row_count
    from malformed_lines
    group by table_name
    union all
    select table_name, 'rejected' as kind, count(*) as row_count
    from malformed_lines
    group by table_name
),

count_sums as (
    select
        {% for kind in ['read', 'kept', 'duplicate', 'rejected', 'bot'] %}
        cast(coalesce(sum(row_count) filter (where kind = '{{ kind }}'), 0) as bigint)
            as {{ kind }}_row_count,
        {% endfor %}
        table_name
    from counts
    group by table_name
),

load_report as (
    select
        raw_files.table_name,
        raw_files.file_format,
        count_sums.read_row_count,
        count_sums.kept_row_count,
        count_sums.duplicate_row_count,
        count_sums.rejected_row_count,
        count_sums.bot_row_count,
        raw_files.file_count,
        raw_files.files,
        raw_files.missing_columns,
        raw_files.unknown_columns
    from raw_files
    inner join count_sums on raw_files.table_name = count_sums.table_name
)

select * from load_report

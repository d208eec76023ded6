-- Grain: one row per rejected raw row or malformed line, whole, of every raw table.
-- The whole rows may name persons, so they stay here; fct_rejected_rows publishes them without.
with

malformed_lines as (
    select table_name, file_name, line_number, fault, line
    from {{ source('raw', 'malformed_lines') }}
),

rejected_rows as (
    {% for table in raw_tables() %}
    select
        '{{ table }}' as table_name,
        file_name,
        reject_reason,
        row_content,
        published_content
    from {{ judged_relation(table) }}
    where verdict = 'rejected'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

rows_rejected as (
    select
        table_name,
        file_name,
        cast(null as bigint) as line_number,
        reject_reason,
        row_content,
        published_content
    from rejected_rows
    union all
    select
        table_name,
        file_name,
        line_number,
        concat('malformed line: ', fault) as reject_reason,
        line as row_content,
        cast(null as string) as published_content
    from malformed_lines
),

-- Rows that are alike in everything are told apart by a number.
rows_numbered as (
    select
        *,
        row_number() over (
            partition by table_name, reject_reason, row_content order by file_name, line_number
        ) as copy_number
    from rows_rejected
)

select * from rows_numbered

-- Grain: one row per raw row or line that was rejected, with the reason.
-- Personal columns of the row are hashed; the rows as they came are in int_rows_rejected, and a
-- malformed line, in which nobody knows what is where, is there alone.
with

rejected_rows as (
    select * from {{ ref('int_rows_rejected') }}
),

rejected_rows_keyed as (
    select
        md5(concat_ws('|', table_name, reject_reason, row_content, cast(copy_number as string)))
            as rejected_row_key,
        table_name,
        reject_reason,
        published_content as row_content,
        file_name,
        line_number
    from rejected_rows
)

select * from rejected_rows_keyed

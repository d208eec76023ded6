-- Without this rows could vanish between the shop's files and staging, and no number would show it.
with

load_report as (
    select table_name, read_row_count, kept_row_count, duplicate_row_count, rejected_row_count
    from {{ ref('agg_load_report') }}
)

select * from load_report
where read_row_count <> kept_row_count + duplicate_row_count + rejected_row_count

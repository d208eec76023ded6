-- Without this the load report could count a rejected row that nobody finds, reason and all, in
-- fct_rejected_rows.
with

load_report as (
    select table_name, rejected_row_count from {{ ref('agg_load_report') }}
),

rejected_rows as (
    select table_name, count(*) as row_count from {{ ref('fct_rejected_rows') }} group by table_name
)

select
    coalesce(load_report.table_name, rejected_rows.table_name) as table_name,
    load_report.rejected_row_count,
    rejected_rows.row_count as listed_row_count
from load_report
full outer join rejected_rows on load_report.table_name = rejected_rows.table_name
where coalesce(load_report.rejected_row_count, 0) <> coalesce(rejected_rows.row_count, 0)

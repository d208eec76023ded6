-- Without this a page could bounce, convert or lose more than all of its sessions, and nobody would
-- believe its other numbers.
with

pages as (
    select session_date, page_path, bounce_rate, exit_rate, conversion_rate
    from {{ ref('agg_page_performance') }}
)

select *
from pages
where bounce_rate > 1 or exit_rate > 1 or conversion_rate > 1

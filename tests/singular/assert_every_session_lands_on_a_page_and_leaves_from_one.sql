-- Without this a session could count twice, or not at all, when its pages are looked up in bands,
-- and bounce and conversion rates of pages would not be those of their sessions.
with

sessions as (
    select session_date, landing_page_path, exit_page_path, is_bounced, is_converted
    from {{ ref('fct_sessions') }}
),

pages as (
    select
        session_date,
        landing_session_count,
        bounced_session_count,
        converted_session_count,
        exit_session_count
    from {{ ref('agg_page_performance') }}
),

counts as (
    select
        session_date,
        count(landing_page_path) as landing_session_count,
        count(landing_page_path) filter (where is_bounced) as bounced_session_count,
        count(landing_page_path) filter (where is_converted) as converted_session_count,
        count(exit_page_path) as exit_session_count
    from sessions
    group by session_date
    union all
    select
        session_date,
        -landing_session_count as landing_session_count,
        -bounced_session_count as bounced_session_count,
        -converted_session_count as converted_session_count,
        -exit_session_count as exit_session_count
    from pages
)

select session_date
from counts
group by session_date
having
    sum(landing_session_count) <> 0
    or sum(bounced_session_count) <> 0
    or sum(converted_session_count) <> 0
    or sum(exit_session_count) <> 0

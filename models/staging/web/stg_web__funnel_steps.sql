-- Grain: one row per funnel, step and kind of event that counts as the step.
with

steps as (
    select funnel, step_number, event_names, page_type from {{ ref('ref_funnel_steps') }}
),

words as (
    select
        funnel,
        step_number,
        page_type,
        {{ each_word('event_names') }} as word
    from steps
),

{% set page_view = '_page_view' %}

-- blog_page_view is a page_view on a page of type blog.
funnel_steps as (
    select distinct -- a name written twice counts once
        funnel,
        step_number,
        case when word like '%{{ page_view }}' then 'page_view' else word end as event_name,
        case
            when word like '%{{ page_view }}'
                then substr(word, 1, length(word) - {{ page_view | length }})
            else page_type
        end as page_type
    from words
)

select * from funnel_steps

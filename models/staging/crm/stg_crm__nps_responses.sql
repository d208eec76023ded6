-- Grain: one row per answer to the NPS question.
-- The comment is personal data and ends here: only whether there is one goes on.
with

nps_responses as (
    select * from {{ ref('base_crm__nps_responses') }} where verdict = 'kept'
),

nps_responses_known as (
    select
        response_id,
        customer_id,
        score,
        comment is not null as has_comment,
        responded_at
    from nps_responses
    where {{ is_known('responded_at') }}
)

select * from nps_responses_known

-- Recommendations that hit less than a list that needs none cost sales wherever they are shown.
with

backtests as (
    select list_kind, list_length, recommended_lead, p_value
    from {{ ref('agg_recommendation_backtests') }}
)

select *
from backtests
where recommended_lead < 0 and p_value < {{ var('recommendation_worse_level') }}

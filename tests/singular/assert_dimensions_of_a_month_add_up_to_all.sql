-- Without this answers, reviews or tickets of an unknown country, category or topic could be left
-- out.
with

{% set marts = {
    'agg_nps_monthly': ['response_count', 'respondent_count', 'promoter_count', 'detractor_count'],
    'agg_reviews_monthly': ['review_count', 'rating_total'],
    'agg_support_monthly': ['ticket_count', 'resolved_ticket_count', 'first_response_seconds'],
} %}

sums as (
    {% for mart, columns in marts.items() %}
    {% set is_last_mart = loop.last %}
    {% for column in columns %}
    select
        '{{ mart }}.{{ column }}' as measure,
        month_start_date,
        dimension,
        sum({{ column }}) as total
    from {{ ref(mart) }}
    group by month_start_date, dimension
    {{ 'union all' if not (is_last_mart and loop.last) }}
    {% endfor %}
    {% endfor %}
)

select
    sums.measure,
    sums.month_start_date,
    sums.dimension
from sums
inner join sums as all_sums
    on sums.measure = all_sums.measure
    and sums.month_start_date = all_sums.month_start_date
    and all_sums.dimension = 'all'
where sums.total <> all_sums.total

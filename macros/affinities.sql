{#
    CTEs that count pairs of products of one basket, `pairs_counted`, from a CTE with one row per basket and
    product: basket_date, basket_id, product_id.
#}
{% macro basket_pairs(basket_products) -%}
baskets as (
    select basket_id, basket_date
    from {{ basket_products }}
    group by basket_id, basket_date
    having count(*) <= {{ var('affinity_largest_basket') }}
),

products as (
    select baskets.basket_date, baskets.basket_id, {{ basket_products }}.product_id
    from {{ basket_products }}
    inner join baskets on {{ basket_products }}.basket_id = baskets.basket_id
),

pairs_counted as (
    select
        products.basket_date,
        products.product_id as product_a,
        companions.product_id as product_b,
        count(*) as basket_count
    from products
    inner join products as companions
        on products.basket_id = companions.basket_id
        and products.product_id <= companions.product_id
    group by products.basket_date, products.product_id, companions.product_id
    union all
    select basket_date, null as product_a, null as product_b, count(*) as basket_count
    from baskets
    group by basket_date
)
{%- endmacro %}


{#
    Before int_session_pairs_counted: note the days of sessions with events of touched UTC days. Another
    product in an event changes pairs, and nothing else of its session.
#}
{% macro note_touched_session_pairs() -%}
    {% if not is_incremental() %}{{ return('') }}{% endif %}
    {% set dates -%}
        select sessions.session_date
        from {{ ref('fct_sessions') }} as sessions
        inner join {{ touched('utc_date', 'timestamp') }} as days (utc_day)
            on sessions.started_at < days.utc_day + interval '1' day
            and sessions.ended_at >= days.utc_day
        union
        select session_date from {{ touched('session_date', 'date') }} as dates (session_date)
    {%- endset %}
    {{ note_touched('session_pair_date', 'session_date', dates) }}
{%- endmacro %}


{#
    P(X >= count) of the `count` baskets with both products, by chance: Fisher's exact test, one-sided, for
    `count` above its expectation. The tail of the hypergeometric distribution is its first term times
    1 + r(0) + r(0) r(1) + ..., r being the ratios of terms, which fall; what is beyond the last is no more
    than a geometric series. Never too small; below 0.01 too large by an eighth at most, where counts
    are huge (tests/lifecycle/test_recommendations.py holds it against scipy).
#}
{% macro fisher_tail(count, count_a, count_b, basket_count) -%}
    {%- set terms = 10 -%}
    {%- set others = '(' ~ basket_count ~ ' - ' ~ count_a ~ ' - ' ~ count_b ~ ')' -%}
    exp(
        {{ log_factorial(count_a) }} + {{ log_factorial(basket_count ~ ' - ' ~ count_a) }}
        + {{ log_factorial(count_b) }} + {{ log_factorial(basket_count ~ ' - ' ~ count_b) }}
        - {{ log_factorial(basket_count) }}
        - {{ log_factorial(count) }} - {{ log_factorial(count_a ~ ' - ' ~ count) }}
        - {{ log_factorial(count_b ~ ' - ' ~ count) }} - {{ log_factorial(others ~ ' + ' ~ count) }}
    ) * (1
    {%- for term in range(terms + 1) %}
    {%- set ratio -%}
        (1e0 * ({{ count_a }} - {{ count }} - {{ term }}) * ({{ count_b }} - {{ count }} - {{ term }})
        / (({{ count }} + {{ term + 1 }}) * ({{ others }} + {{ count }} + {{ term + 1 }})))
    {%- endset %}
    {{ '/ (1 - least(' ~ ratio ~ ', 0.999999e0))' if loop.last else '+ ' ~ ratio ~ ' * (1' }}
    {%- endfor %}
    {{- ')' * (terms + 1) }}
{%- endmacro %}

-- Grain: one row per month and dimension's value: all reviews, or those of a product category.
-- Counts and totals add up over months, and a dimension's values add up to `all`.
with

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

reviews as (
    select
        product_id,
        rating,
        {{ reporting_date('reviewed_at') }} as review_date
    from {{ ref('stg_crm__reviews') }}
),

products as (
    select product_id, category from {{ ref('dim_products') }}
),

bounds as (
    select
        min(reviews.review_date) as from_date,
        max(as_of.as_of_date) as to_date
    from reviews
    cross join as_of
),

months as (
    {{ months_between('bounds', 'from_date', 'to_date') }}
),

reviews_described as (
    select
        cast(date_trunc('month', reviews.review_date) as date) as month_start_date,
        reviews.rating,
        products.category
    from reviews
    left join products on reviews.product_id = products.product_id
),

reviews_by_dimension as (
    select
        month_start_date,
        'all' as dimension,
        cast(null as string) as dimension_value,
        rating
    from reviews_described
    union all
    select
        month_start_date,
        'category' as dimension,
        category as dimension_value,
        rating
    from reviews_described
),

ratings as (
    select
        month_start_date,
        dimension,
        dimension_value,
        count(*) as review_count,
        {% for rating in range(1, 6) -%}
        count(*) filter (where rating = {{ rating }}) as rating_{{ rating }}_count,
        {% endfor -%}
        sum(rating) as rating_total
    from reviews_by_dimension
    group by month_start_date, dimension, dimension_value
),

-- A month without a review is a row too.
rows_wanted as (
    select month_start_date, dimension, dimension_value
    from ratings
    where dimension <> 'all'
    union all
    select month_start_date, 'all' as dimension, cast(null as string) as dimension_value
    from months
),

reviews_monthly as (
    select
        rows_wanted.month_start_date,
        rows_wanted.dimension,
        rows_wanted.dimension_value,
        {{ is_complete_month('rows_wanted.month_start_date', 'as_of.as_of_date') }} as is_mature,
        cast(coalesce(ratings.review_count, 0) as bigint) as review_count,
        {% for rating in range(1, 6) -%}
        cast(coalesce(ratings.rating_{{ rating }}_count, 0) as bigint)
            as rating_{{ rating }}_count,
        {% endfor -%}
        cast(coalesce(ratings.rating_total, 0) as bigint) as rating_total,
        cast(ratings.rating_total as double) / nullif(ratings.review_count, 0) as mean_rating
    from rows_wanted
    cross join as_of
    left join ratings
        on rows_wanted.month_start_date = ratings.month_start_date
        and rows_wanted.dimension = ratings.dimension
        and rows_wanted.dimension_value is not distinct from ratings.dimension_value
)

select * from reviews_monthly

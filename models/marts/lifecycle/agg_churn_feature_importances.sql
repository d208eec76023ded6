-- Grain: one row per as_of_date and feature of the behaviour model that was judged for it.
-- Shares of nothing: importances do not add up, and of two features that tell the same each may
-- seem to tell little.
with

classifiers as (
    select as_of_date, stage, feature, coefficient, lost_auc
    from {{ ref('int_churn_classifiers_fitted') }}
    where feature <> 'intercept'
),

as_of_dates as (
    select as_of_date, is_latest from {{ ref('int_as_of_dates_fingerprinted') }}
),

importances as (
    select
        classifiers.as_of_date,
        as_of_dates.is_latest,
        classifiers.feature,
        max(classifiers.lost_auc) as importance,
        max(classifiers.coefficient) filter (where classifiers.stage = 'holdout')
            as judged_coefficient,
        max(classifiers.coefficient) filter (where classifiers.stage = 'serving')
            as serving_coefficient
    from classifiers
    inner join as_of_dates on classifiers.as_of_date = as_of_dates.as_of_date
    group by classifiers.as_of_date, as_of_dates.is_latest, classifiers.feature
),

importances_ranked as (
    select
        as_of_date,
        is_latest,
        feature,
        importance,
        row_number() over (partition by as_of_date order by importance desc, feature)
            as importance_rank,
        judged_coefficient,
        serving_coefficient
    from importances
)

select * from importances_ranked

# Grain: one row per as_of_date, stage that the model is for (holdout, serving) and feature.
# The model of the holdout is trained on customers of the stage training, that for serving on those of
# the holdout, whose outcomes are all known by then.
from orchestration.churn_classifier import fit_stages

TOUCHED = "as_of_date in (select cast(key as date) from raw.touched_keys where kind = 'as_of_date')"


def model(dbt, session):
    dbt.config(
        materialized="incremental",
        incremental_strategy="changed_rows",
        incremental_predicates=[
            "as_of_date in (select cast(key as date) from raw.touched_keys where kind = 'as_of_date')"
        ],
        on_schema_change="fail",
    )
    features, dates = dbt.ref("int_churn_features_scaled"), dbt.ref("int_churn_dates_listed")
    if dbt.is_incremental:
        dates = dates.filter(TOUCHED)
    return fit_stages(features, dates)

# Grain: one row per as_of_date, stage that the model is for (holdout, serving) and feature.
"""Fits the behaviour model of orchestration/churn_classifier.py, twice for each as_of_date.

The model of the holdout is trained on the customers of the stage training, the one for serving on
those of the holdout, whose outcomes are all known by then.
"""

from typing import Any

import pyarrow as pa

from orchestration.churn_classifier import fit_stages


def model(dbt: Any, session: Any) -> pa.Table:
    """The fits of all days that states are kept for, or of those that this refresh has touched."""
    dbt.config(
        materialized="incremental",
        incremental_strategy="changed_rows",
        on_schema_change="fail",
    )
    features, dates = dbt.ref("int_churn_features_scaled"), dbt.ref("int_churn_dates_listed")
    if dbt.is_incremental:
        dates = dates.filter("is_touched")
    return fit_stages(features, dates)

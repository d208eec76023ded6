"""Experiments: what variants did to metrics, and whether it was chance."""

from __future__ import annotations

import pandas as pd

from dashboards.published import Published


def experiments(published: Published) -> pd.DataFrame:
    """Each experiment with its days and devices, the latest first."""
    return published.query(
        """
        select
            experiment_id,
            min(started_date) as started_date,
            max(ended_date) as ended_date,
            bool_and(is_mature) as is_mature,
            bool_or(has_sample_ratio_mismatch) as has_sample_ratio_mismatch,
            min(sample_ratio_p_value) as sample_ratio_p_value
        from agg_experiment_results
        group by experiment_id
        order by started_date desc, experiment_id
        """
    )


def results(published: Published, experiment_id: str) -> pd.DataFrame:
    """Every metric of every variant of one experiment."""
    return published.query(
        "select * from agg_experiment_results where experiment_id = $experiment_id"
        " order by metric_name, is_control desc, variant",
        experiment_id=experiment_id,
    )

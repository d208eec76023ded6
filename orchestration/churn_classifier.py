"""The behaviour model of churn: a logistic regression, whose numbers SQL scores every customer by.

P(at least one order within the horizon) = 1 / (1 + exp(-(b0 + sum_k b_k (x_k - m_k) / s_k))), with
m_k and s_k the mean and the standard deviation of feature k among the customers it was trained on.
A feature that is not known of a customer counts as its mean; one that was known of none, or alike
of all, has the coefficient 0, also in the model that serves: nothing serves that was not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

INTERCEPT = "intercept"
KEYS = ("as_of_date", "stage", "customer_id", "is_active")
# One row per model and feature; the loss of AUC is NULL of a model that is not judged yet.
SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("stage", pa.string()),
        ("feature", pa.string()),
        ("coefficient", pa.float64()),
        ("mean", pa.float64()),
        ("scale", pa.float64()),
        ("lost_auc", pa.float64()),
        ("customer_count", pa.int64()),
        ("active_count", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Sample:
    """Customers of a cut-off: `features` (customers, features), NaN for unknown, and outcomes."""

    features: Floats
    is_active: Booleans

    def is_enough(self, minimum_customers: int, minimum_outcomes: int) -> bool:
        """Whether there are so many customers, and so many of either outcome."""
        active = int(self.is_active.sum())
        fewest = min(active, len(self.is_active) - active)
        return len(self.is_active) >= minimum_customers and fewest >= minimum_outcomes


@dataclass(frozen=True)
class Classifier:
    """A fitted model; arrays have an item per feature. Its inputs are standardised first."""

    means: Floats
    scales: Floats
    is_used: Booleans
    regression: LogisticRegression

    def standardised(self, features: Floats) -> Floats:
        """Features of mean 0 and deviation 1 among those trained on; unknown ones are the mean."""
        standardised = (features - self.means) / self.scales
        return np.where(np.isnan(standardised) | ~self.is_used, 0.0, standardised)

    def probabilities(self, features: Floats) -> Floats:
        """P(active) of each row of `features` (customers, features), NaN for unknown."""
        probabilities: Floats = self.regression.predict_proba(self.standardised(features))[:, 1]
        return probabilities


def fit_classifier(
    sample: Sample, regularization: float, may_use: Booleans | None = None
) -> Classifier:
    """Train on a sample with both outcomes.

    Newton's method ends at the optimum of a convex loss, whatever the start; nothing is drawn.

    Args:
        sample: Customers of a cut-off.
        regularization: scikit-learn's C, the inverse of the ridge penalty on the coefficients.
        may_use: Features (of a model judged before) that this one may use; all if not given.
    """
    known = ~np.isnan(sample.features)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, sample.features, 0.0).sum(axis=0) / counts
    deviations = np.where(known, sample.features - means, 0.0)
    scales = np.sqrt((deviations**2).sum(axis=0) / counts)
    # Where all are alike, or none is known, nothing but noise of rounding would be left.
    is_used = scales > 1e-9 * np.maximum(1.0, np.abs(means))
    if may_use is not None:
        is_used &= may_use
    regression = LogisticRegression(C=regularization, solver="newton-cholesky", tol=1e-10)
    classifier = Classifier(means, np.where(is_used, scales, 1.0), is_used, regression)
    regression.fit(classifier.standardised(sample.features), sample.is_active)
    return classifier


def area_under_curve(scores: Floats, is_active: Booleans) -> float:
    """P(an active customer has the higher score than one who is not), a tie counting half."""
    active, inactive = scores[is_active], np.sort(scores[~is_active])
    wins = np.searchsorted(inactive, active) + np.searchsorted(inactive, active, side="right")
    return float(wins.sum()) / (2 * len(active) * len(inactive))


def lost_aucs(classifier: Classifier, sample: Sample, repeats: int) -> Floats:
    """By how much the AUC falls when a feature's values are shuffled among the sample's customers.

    Permutation importance (Breiman, "Random forests", 2001, section 10) of each feature: the mean
    of `repeats` shuffles by fixed seeds. About 0, or a little less, for one that tells nothing; 0
    for one that is not used. Log odds rank customers as the probabilities do.
    """
    coefficients = classifier.regression.coef_[0, classifier.is_used]
    features = classifier.standardised(sample.features)[:, classifier.is_used]

    def auc(_: LogisticRegression, shuffled: Floats, is_active: Booleans) -> float:
        return area_under_curve(shuffled @ coefficients, is_active)

    lost = np.zeros(len(classifier.is_used))
    if len(coefficients):
        result = permutation_importance(
            classifier.regression,
            features,
            sample.is_active,
            scoring=auc,
            n_repeats=repeats,
            random_state=0,
        )
        lost[classifier.is_used] = result["importances_mean"]
    return lost


def fit_stages(features: duckdb.DuckDBPyRelation, dates: duckdb.DuckDBPyRelation) -> pa.Table:
    """The models of the days in `dates`, by rows of SCHEMA; none of a day with too few customers.

    Args:
        features: as_of_date, stage, customer_id, is_active, and a column per feature.
        dates: as_of_date, stage and the settings, of the days that models are wanted for.
    """
    names = [name for name in features.columns if name not in KEYS]
    settings = dates.filter("stage = 'serving'").order("as_of_date").fetchall()
    columns = dates.columns
    rows: list[dict[str, Any]] = []
    # One thread: several would add in another order each time.
    with threadpool_limits(limits=1):
        for values in settings:
            rows += _fit_day(features, names, dict(zip(columns, values, strict=True)))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _fit_day(
    features: duckdb.DuckDBPyRelation, names: list[str], settings: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    training, holdout = (
        _read_sample(features, names, f"{settings['as_of_date']}", stage)
        for stage in ("training", "holdout")
    )
    minima = settings["minimum_customers"], settings["minimum_outcomes"]
    if not (training.is_enough(*minima) and holdout.is_enough(*minima)):
        return
    judged = fit_classifier(training, settings["regularization"])
    serving = fit_classifier(holdout, settings["regularization"], may_use=judged.is_used)
    lost = lost_aucs(judged, holdout, settings["importance_repeats"])
    for stage, classifier, sample in (("holdout", judged, training), ("serving", serving, holdout)):
        shared = {
            "as_of_date": settings["as_of_date"],
            "stage": stage,
            "customer_count": len(sample.is_active),
            "active_count": int(sample.is_active.sum()),
        }
        intercept = float(classifier.regression.intercept_[0])
        yield {**shared, "feature": INTERCEPT, "coefficient": intercept, "mean": 0.0, "scale": 1.0}
        for number, name in enumerate(names):
            yield {
                **shared,
                "feature": name,
                "coefficient": float(classifier.regression.coef_[0, number]),
                "mean": float(classifier.means[number]),
                "scale": float(classifier.scales[number]),
                "lost_auc": float(lost[number]) if stage == "holdout" else None,
            }


def _read_sample(
    features: duckdb.DuckDBPyRelation, names: list[str], as_of_date: str, stage: str
) -> Sample:
    """The customers of a stage in the order of their ids: the order of rows says nothing."""
    rows = (
        features.filter(f"as_of_date = date '{as_of_date}' and stage = '{stage}'")
        .order("customer_id")
        .fetchnumpy()
    )
    columns = [np.ma.filled(np.ma.asarray(rows[name], dtype=np.float64), np.nan) for name in names]
    return Sample(np.column_stack(columns), np.asarray(rows["is_active"], dtype=np.bool_))

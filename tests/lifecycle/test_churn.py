"""Churn: what a day knew of customers, two models, how they are judged, and which one serves."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from differences import differences
from lifecycle.churn_shop import ChurnShop, Knowledge, make_shop
from session_ledger import end_of_day
from shops import dicts, item, write_tables
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from warehouses import Build, BuildFailed, Dbt

from orchestration.churn_classifier import Sample, fit_classifier, fit_stages, lost_aucs

MARTS = (
    "+fct_customer_churn +fct_model_backtests +agg_model_calibration +agg_churn_feature_importances"
)
HISTORY_MONTHS = 1
LATEST = date(2024, 10, 27)  # 25 hours long
PAST = date(2024, 9, 30)
# All that is kept of a day, but for is_latest.
STATES = (
    "intermediate.int_churn_features_measured", "intermediate.int_churn_classifiers_fitted",
    "intermediate.int_churn_customers_scored", "intermediate.int_model_predictions_gathered",
    "intermediate.int_model_backtests_measured", "intermediate.int_churn_models_selected",
    "marts.fct_customer_churn", "marts.fct_model_backtests", "marts.agg_model_calibration",
    "marts.agg_churn_feature_importances",
)  # fmt: skip


@dataclass
class Built:
    """The shop, built for the latest day, and for a past one from the same rows, shuffled."""

    shop: ChurnShop
    latest: duckdb.DuckDBPyConnection
    past: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def built(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Customers whose visits foretell their orders, and households that are hard to tell apart."""
    shop = make_shop(800, 150, seed=14)
    tables = shop.tables()
    connections = []
    for day in (LATEST, PAST):
        folder = write_tables(tmp_path_factory.mktemp("churn"), tables)
        connections.append(
            build(
                tests=False,
                select=MARTS,
                raw_path=str(folder),
                load_date="2025-06-30",
                as_of_date=str(day),
                lifecycle_history_months=HISTORY_MONTHS,
            )
        )
        tables = {
            name: random.Random(day.day).sample(rows, len(rows)) for name, rows in tables.items()
        }
    return Built(shop, *connections)


def stage_dates(day: date) -> dict[str, date]:
    """What each stage of a day knows up to."""
    return {
        "training": day - timedelta(days=180),
        "holdout": day - timedelta(days=90),
        "serving": day,
    }


# What a day knows


def test_the_shop_has_what_is_awkward(built: Built) -> None:
    """Logins of months later, sessions over midnight, late refunds: else nothing is shown."""
    rows = built.latest.execute(
        "select count(*) filter (customer_known_at >= ended_at + interval 60 day),"
        " count(*) filter (customer_id is null) from marts.fct_sessions"
    ).fetchall()[0]
    assert min(rows) > 100
    midnight = end_of_day(PAST - timedelta(days=90))
    ledger = built.shop.ledger(LATEST)
    assert any(session.started_at < midnight <= session.ended_at for session in ledger.sessions)
    refunded = [at for purchase in built.shop.purchases for at, _, _ in purchase.refunds]
    assert len(refunded) > 100


@pytest.mark.parametrize("day", [date(2024, 3, 30), date(2024, 3, 31), date(2024, 10, 27), PAST])
def test_visits_are_those_that_the_day_knew(built: Built, day: date) -> None:
    """By events up to that day alone: who is identified later, or goes on, is not known yet."""
    expected = {
        (customer, visit_date): (sum(counts), counts[1])
        for customer, visits in built.shop.visits(day).items()
        for visit_date in {visit_date for visit_date, _ in visits}
        for counts in [(visits[visit_date, False], visits[visit_date, True])]
    }
    found = built.latest.execute(
        "select customer_id, visit_date, sum(visit_count)::int, sum(cart_count)::int"
        " from intermediate.int_customer_visits_known where known_date <= ? group by all",
        [day],
    ).fetchall()
    assert len(expected) > 300
    assert not differences({row[:2]: row[2:] for row in found}, expected)


@pytest.mark.parametrize("day", [PAST, LATEST])
def test_features_are_those_that_the_day_knew(built: Built, day: date) -> None:
    """Every column, of all three stages, against a count over what had happened by then."""
    rows = dicts(
        built.latest,
        "select * from intermediate.int_churn_features_measured"
        f" where as_of_date = date '{day}' and customer_id like 'k%'",
    )
    found = {(row["stage"], row["customer_id"]): row for row in rows}
    expected: dict[Any, dict[str, Any]] = {}
    for stage, state_date in stage_dates(day).items():
        knowledge = Knowledge(built.shop, state_date)
        for customer in knowledge.customers():
            days = knowledge.purchase_days(customer)
            later = knowledge.purchase_days(customer, state_date + timedelta(days=90))
            expected[stage, customer] = {
                "as_of_date": day,
                "is_latest": day == LATEST,
                "stage": stage,
                "state_date": state_date,
                "customer_id": customer,
                "outcome_purchase_day_count": None
                if stage == "serving"
                else len(later) - len(days),
                **knowledge.features(customer),
            }
    assert len(expected) > 1500
    assert rows[0].keys() == next(iter(expected.values())).keys()
    assert not differences(rounded(found), rounded(expected))


def rounded(rows: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Quotients to twelve digits."""
    return {
        key: {
            name: float(f"{value:.12g}") if isinstance(value, float) else value
            for name, value in row.items()
        }
        for key, row in rows.items()
    }


def test_a_past_day_is_what_it_was_then(built: Built) -> None:
    """Byte for byte, though logins, refunds and rows in another order have come since."""
    for table in STATES:
        columns = [row[0] for row in built.latest.execute(f"describe {table}").fetchall()]
        left_out = "exclude (is_latest)" if "is_latest" in columns else ""
        query = f"select * {left_out} from {table} where as_of_date = date '{PAST}' order by all"
        now, then = (c.execute(query).fetchall() for c in (built.latest, built.past))
        assert len(now) > 0, table
        assert now == then, table


# The models


def test_behaviour_serves_where_it_foretells(built: Built) -> None:
    """Visits tell of this shop's orders, and histories do not: the table says which and why."""
    rows = dicts(built.latest, "select * from marts.fct_model_backtests where is_latest")
    backtests = {row["model"]: row for row in rows}
    behaviour = backtests["behaviour_p_active"]
    assert behaviour["is_serving"]
    assert behaviour["is_better_than_baseline"]
    assert not behaviour["is_worse_than_baseline"]
    assert behaviour["auc"] > behaviour["baseline_auc"] + 2 * behaviour["auc_lead_error"]
    (served,) = built.latest.execute(
        "select distinct serving_model, serving_reason from marts.fct_customer_churn"
        " where is_latest"
    ).fetchall()
    assert served[0] == "behaviour_p_active"
    assert f"{behaviour['auc']:.4f}" in served[1]
    importances = built.latest.execute(
        "select feature from marts.agg_churn_feature_importances where is_latest"
        " order by importance_rank limit 3"
    ).fetchall()
    assert {"visits", "recent_visits", "days_since_visit"} & {name for (name,) in importances}


def test_scores_in_sql_are_those_of_the_fitted_model(built: Built) -> None:
    """The formula is written twice, in Python and in SQL: both say the same of every customer."""
    names, samples = samples_of(built.latest, LATEST)
    training, holdout, serving = (samples[stage] for stage in ("training", "holdout", "serving"))
    judged = fit_classifier(training, 0.01)
    serves = fit_classifier(holdout, 0.01, may_use=judged.is_used)
    for stage, classifier, sample in (("holdout", judged, holdout), ("serving", serves, serving)):
        found = built.latest.execute(
            "select behaviour_p_active_90d from intermediate.int_churn_customers_scored"
            f" where as_of_date = date '{LATEST}' and stage = '{stage}' order by customer_id"
        ).fetchnumpy()["behaviour_p_active_90d"]
        np.testing.assert_allclose(found, classifier.probabilities(sample.features), rtol=1e-9)
    lost = lost_aucs(judged, holdout, 5)
    found = dict(
        built.latest.execute(
            "select feature, importance from marts.agg_churn_feature_importances where is_latest"
        ).fetchall()
    )
    assert found == dict(zip(names, lost.tolist(), strict=True))


def samples_of(
    connection: duckdb.DuckDBPyConnection, day: date
) -> tuple[list[str], dict[str, Sample]]:
    """The names of the features, and the customers of each stage by their ids."""
    samples = {}
    for stage in stage_dates(day):
        rows = connection.execute(
            "select * exclude (as_of_date, stage, customer_id, is_active), is_active"
            " from intermediate.int_churn_features_scaled"
            f" where as_of_date = date '{day}' and stage = '{stage}' order by customer_id"
        ).fetchnumpy()
        is_active = np.ma.filled(rows.pop("is_active"), fill_value=False).astype(bool)
        columns: list[Any] = [
            np.ma.filled(np.ma.asarray(column, float), np.nan) for column in rows.values()
        ]
        samples[stage] = Sample(np.column_stack(columns), is_active)
    return list(rows), samples


def test_the_order_of_rows_says_nothing(built: Built) -> None:
    """Rows shuffled, and read by several threads: the same numbers, to the last bit."""
    connection = built.latest.cursor()
    dates = connection.query("from intermediate.int_churn_dates_listed where is_latest")
    fits = []
    for seed in ("a", "b"):
        features = connection.query(
            "select * from intermediate.int_churn_features_scaled"
            f" where as_of_date = date '{LATEST}' order by md5(customer_id || stage || '{seed}')"
        )
        fits.append(fit_stages(features, dates).to_pylist())
    stored = dicts(
        connection,
        "select * from intermediate.int_churn_classifiers_fitted"
        f" where as_of_date = date '{LATEST}'",
    )
    assert fits[0] == fits[1] == sorted(stored, key=fits[0].index)
    assert len(stored) == 2 * 23


def test_what_is_unknown_or_alike_for_all_is_not_used() -> None:
    """No weight for it, no division by zero, and nothing when it becomes known later."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, 4))
    is_active = features[:, 0] + rng.normal(size=400) > 0
    features[:, 1], features[:, 2] = np.nan, 7.1
    features[::3, 3] = np.nan
    sample = Sample(features, is_active)
    judged = fit_classifier(sample, 0.01)
    assert judged.is_used.tolist() == [True, False, False, True]
    coefficients = judged.regression.coef_[0]
    assert (coefficients[1:3] == 0).all()
    assert coefficients[0] > 0
    known = features.copy()
    known[:, 1:3] = rng.normal(size=(400, 2))
    np.testing.assert_array_equal(judged.probabilities(known), judged.probabilities(features))
    serving = fit_classifier(Sample(known, is_active), 0.01, may_use=judged.is_used)
    assert (serving.regression.coef_[0][1:3] == 0).all(), "serves by what was never judged"
    lost = lost_aucs(judged, sample, 5)
    assert lost[0] > 0.1 > abs(lost[3])
    assert (lost[1:3] == 0).all()


# How they are judged


@dataclass
class Predictions:
    """Of one model's holdout: scores, days since the last order, what came, what was said."""

    score: Any
    recency: Any
    is_active: Any
    predicted: Any
    actual: Any
    repeat_count: Any


def holdouts(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[dict[str, Any], Predictions]]:
    """Each backtest with its predictions."""
    for row in dicts(connection, "select * from marts.fct_model_backtests"):
        columns = connection.execute(
            "select score, recency_days, is_active, predicted, actual, repeat_count"
            " from intermediate.int_model_predictions_gathered"
            " where as_of_date = ? and model = ?",
            [row["as_of_date"], row["model"]],
        ).fetchnumpy()
        yield row, Predictions(*columns.values())


def test_measures_are_those_of_scikit_learn(built: Built) -> None:
    """AUC with ties, Brier score, log loss, correlation and totals, of every model and day."""
    seen = set()
    for row, it in holdouts(built.latest):
        seen.add((row["as_of_date"], row["model"]))
        assert (row["customer_count"], row["active_count"]) == (len(it.score), it.is_active.sum())
        assert row["auc"] == pytest.approx(roc_auc_score(it.is_active, it.score), rel=1e-12)
        baseline = roc_auc_score(it.is_active, -it.recency)
        assert row["baseline_auc"] == pytest.approx(baseline, rel=1e-12)
        assert row["auc_lead_error"] == pytest.approx(delong_error(it), rel=1e-9)
        if row["subject"] == "life":
            assert row["predicted_total"] is row["brier_score"] is row["log_loss"] is None
            continue
        assert row["predicted_total"] == pytest.approx(it.predicted.sum(), rel=1e-9)
        assert row["actual_total"] == it.actual.sum()
        error = it.predicted.sum() / it.actual.sum() - 1
        assert row["total_error_ratio"] == pytest.approx(error, abs=1e-9)
        correlation = np.corrcoef(it.predicted, it.actual)[0, 1]
        assert row["correlation"] == pytest.approx(correlation, rel=1e-7)
        if row["subject"] == "activity":
            brier = brier_score_loss(it.is_active, it.predicted)
            assert row["brier_score"] == pytest.approx(brier, rel=1e-9)
            loss = log_loss(it.is_active, it.predicted)
            assert row["log_loss"] == pytest.approx(loss, rel=1e-9)
    assert {model for _, model in seen} >= {"behaviour_p_active", "mbg_nbd_p_active"}
    assert {day for day, _ in seen} == {PAST, LATEST}


def delong_error(it: Predictions) -> float:
    """DeLong's error of the lead of one AUC over another, pair by pair."""
    wins = []
    for score in (it.score, -it.recency.astype(float)):
        ordered, others = score[it.is_active][:, None], score[~it.is_active][None, :]
        wins.append((ordered > others) + (ordered == others) / 2)
    lead = wins[0] - wins[1]
    of_active, of_others = lead.mean(axis=1), lead.mean(axis=0)
    variance = of_active.var(ddof=1) / len(of_active) + of_others.var(ddof=1) / len(of_others)
    return float(np.sqrt(variance))


def test_bins_hold_every_customer_once(built: Built) -> None:
    """By decile of the prediction and by frequency, predicted and actual, as counted by hand."""
    for row, it in holdouts(built.latest):
        found = {
            (bin_["bin_kind"], bin_["bin"]): bin_
            for bin_ in dicts(
                built.latest,
                "select * from marts.agg_model_calibration"
                f" where as_of_date = date '{row['as_of_date']}' and model = '{row['model']}'",
            )
        }
        if row["subject"] == "life":
            assert not found
            continue
        size = len(it.predicted)
        below = np.searchsorted(np.sort(it.predicted), it.predicted, side="left")
        labels = {
            "decile": (below * 10 // size + 1).astype(str),
            "frequency": np.where(it.repeat_count >= 7, "7+", it.repeat_count.astype(str)),
        }
        for kind, bins in labels.items():
            assert {name for found_kind, name in found if found_kind == kind} == set(bins)
            for name in set(bins):
                chosen, bin_ = bins == name, found[kind, name]
                assert bin_["customer_count"] == chosen.sum()
                assert bin_["predicted_mean"] == pytest.approx(it.predicted[chosen].mean())
                assert bin_["actual_mean"] == pytest.approx(it.actual[chosen].mean())
                assert bin_["predicted_total"] == pytest.approx(it.predicted[chosen].sum())
                assert bin_["highest_prediction"] == it.predicted[chosen].max()


def test_a_model_worse_than_recency_fails_the_build(dbt: Dbt, built: Built, tmp_path: Path) -> None:
    """The check that blocks publishing: predictions turned upside down, nothing else changed."""
    (name,) = built.latest.execute("select current_database()").fetchall()[0]
    (path,) = built.latest.execute(
        f"select path from duckdb_databases() where database_name = '{name}'"
    ).fetchall()[0]
    warehouse = Path(shutil.copy(path, tmp_path))
    check = "assert_serving_churn_model_is_no_worse_than_recency"
    models = ("int_model_backtests_measured", "int_churn_models_selected", "fct_model_backtests")
    variables = {"lifecycle_history_months": HISTORY_MONTHS, "as_of_date": str(LATEST)}
    arguments = (
        *("build", "--full-refresh", "--exclude-resource-type", "unit_test"),
        *("--indirect-selection", "empty", "--select", *models, check),
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "update intermediate.int_model_predictions_gathered"
            " set predicted = 1 - predicted, score = -score where subject = 'activity'"
        )
    with pytest.raises(BuildFailed, match=check):
        dbt.run(*arguments, warehouse=warehouse, variables=variables)


# Shops of which a model can say nothing


def orders_shop(days_of: dict[str, list[date]]) -> dict[str, list[Any]]:
    """Orders at noon on some days of some customers, and nothing else."""
    orders = [
        {
            "order_id": f"{customer}-{day}",
            "ordered_at": f"{day}T12:00:00Z",
            "status": "paid",
            "customer_id": customer,
        }
        for customer, days in days_of.items()
        for day in days
    ]
    return {"orders": orders, "order_items": [item(o["order_id"], 1, 1, "10.00") for o in orders]}


def monthly(count: int, months: int) -> dict[str, list[date]]:
    """So many customers who order every 30 days, each from a day of their own."""
    first = date(2023, 1, 1)
    return {
        f"c{number}": [first + timedelta(days=number % 30 + 30 * month) for month in range(months)]
        for number in range(count)
    }


@pytest.mark.parametrize(
    ("customers", "as_of_date"),
    [
        (monthly(3, 18), "2024-06-30"),
        (monthly(600, 18), "2024-06-24"),
        (monthly(600, 18), "2025-03-31"),
    ],
    ids=["three customers", "all active", "none active"],
)
def test_shop_without_a_lesson_is_built_and_says_so(
    build: Build, tmp_path: Path, customers: dict[str, list[date]], as_of_date: str
) -> None:
    """No AUC, no behaviour model, no web events: NULL and a reason, never a made-up number."""
    tables = orders_shop(customers)
    connection = build(
        select=MARTS,
        tests=False,
        raw_path=str(write_tables(tmp_path, tables)),
        as_of_date=as_of_date,
        load_date=as_of_date,
        lifecycle_history_months=1,
    )
    states = dicts(connection, "select * from marts.fct_customer_churn where is_latest")
    assert len(states) == len(customers)
    assert not connection.execute("from intermediate.int_churn_classifiers_fitted").fetchall()
    for state in states:
        assert state["behaviour_p_active_90d"] is None
        assert state["churn_state"] == ("churned" if as_of_date > "2025" else "active")
        assert state["expected_gap_days"] == 30
        assert (state["churn_probability"] is None) == (state["ineligible_reason"] is not None)
        assert (state["p_alive"] is None) == (state["purchase_p_active_90d"] is None)
        if state["churn_probability"] is None:
            assert state["churn_risk"] is state["value_at_risk_amount"] is None
            assert state["serving_model"] is state["serving_reason"] is None
        else:
            assert "serves unjudged" in state["serving_reason"]
    for backtest in dicts(connection, "select * from marts.fct_model_backtests"):
        assert backtest["auc"] is backtest["is_worse_than_baseline"] is None
    if len(customers) == 3:
        assert {state["ineligible_reason"] for state in states} == {
            "Fewer than 500 customers have ordered."
        }

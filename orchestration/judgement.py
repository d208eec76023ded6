"""What a build's own marts say of it, beside dbt's tests: was the load sound, are models and KPIs.

Each judgement is a check: of severity error, it stops a publication as a failed dbt test does; of
severity warn, it is told and alerted: the numbers are right, what they say is not as it should be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import duckdb

# More rejected rows of a table than this share of it, and than this many, are no accident.
LARGEST_REJECTED_SHARE = 0.05
SMALLEST_REJECTED_COUNT = 10
SHOWN = 5
STALE_DAYS = 3


@dataclass(frozen=True)
class Judgement:
    """The outcome of a check; `rows` are those that it is about, of published marts alone."""

    name: str
    mart: str
    severity: str
    is_passed: bool
    failure_count: int
    message: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """As dbt calls it: pass, warn, fail."""
        if self.is_passed:
            return "pass"
        return "warn" if self.severity == "warn" else "fail"


def judge(connection: duckdb.DuckDBPyConnection, today: date | None = None) -> list[Judgement]:
    """All judgements of the warehouse that a connection is to, whose marts are in schema marts."""
    today = today or datetime.now(UTC).date()
    return [judgement(connection, today) for judgement in JUDGEMENTS.values()]


def few_rows_are_rejected(connection: duckdb.DuckDBPyConnection, _: date) -> Judgement:
    """A table that loses many of its rows was exported otherwise than before."""
    tables = connection.execute(
        "select table_name, rejected_row_count, read_row_count from marts.agg_load_report"
        " where rejected_row_count >= ? and rejected_row_count > ? * read_row_count"
        " order by 2 desc, 1",
        [SMALLEST_REJECTED_COUNT, LARGEST_REJECTED_SHARE],
    ).fetchall()
    totals = connection.execute(
        "select sum(read_row_count), sum(rejected_row_count), sum(duplicate_row_count)"
        " from marts.agg_load_report"
    ).fetchone()
    told = "; ".join(
        f"{rejected:,} of {read:,} {table}" for table, rejected, read in tables[:SHOWN]
    )
    return Judgement(
        "few_rows_are_rejected",
        "agg_load_report",
        "warn",
        not tables,
        sum(row[1] for row in tables),
        f"Rejected rows, by reason in fct_rejected_rows: {told}." if tables else "",
        dict(zip(("read_rows", "rejected_rows", "duplicate_rows"), totals or (), strict=False)),
    )


def data_is_recent(connection: duckdb.DuckDBPyConnection, today: date) -> Judgement:
    """A refresh of yesterday's files is on time and still tells nothing new.

    The demo shop, whose days do not go on, is never stale.
    """
    row = connection.execute("select as_of_date from staging.stg_shop__as_of").fetchone()
    as_of_date = row[0] if row else None
    age = (today - as_of_date).days if as_of_date else None
    is_stale = is_own_shop() and (age is None or age > stale_days())
    return Judgement(
        "data_is_recent",
        "agg_load_report",
        "warn",
        not is_stale,
        int(is_stale),
        stale_sentence(as_of_date, age) if is_stale else "",
        {"as_of_date": str(as_of_date), "age_in_days": age},
    )


def stale_sentence(as_of_date: object, age: int | None) -> str:
    """What is said of old data, by checks and by alerts."""
    days = (
        "no day is known" if age is None else f"the last day known is {as_of_date}, {age} days ago"
    )
    return (
        f"The data are stale: {days}, and more than {stale_days()} days "
        "(CARTWRIGHT_STALE_DAYS) are too many. See whether the shop's export still runs."
    )


def is_own_shop() -> bool:
    """Whether a shop's own folder is read; else it is the demo shop."""
    return bool(os.environ.get("CARTWRIGHT_RAW_PATH"))


def stale_days() -> int:
    """How many days ago the last day known may be."""
    return int(os.environ.get("CARTWRIGHT_STALE_DAYS", STALE_DAYS))


def serving_model_is_no_worse_than_recency(
    connection: duckdb.DuckDBPyConnection, _: date
) -> Judgement:
    """Who acts on a model's order of customers must not be better off without it."""
    models = connection.execute(
        "select model, auc, baseline_auc, total_error_ratio,"
        " coalesce(is_worse_than_baseline, false)"
        " from marts.fct_model_backtests where is_latest and is_serving order by model"
    ).fetchall()
    worse = [row for row in models if row[4]]
    told = "; ".join(f"{row[0]}: AUC {row[1]:.3f}, recency alone {row[2]:.3f}" for row in worse)
    return Judgement(
        "serving_model_is_no_worse_than_recency",
        "fct_model_backtests",
        "error",
        not worse,
        len(worse),
        f"The model that serves ranks customers worse than their last order does ({told})."
        if worse
        else "",
        {row[0]: f"AUC {row[1]}, recency alone {row[2]}, error of total {row[3]}" for row in models}
        or {"models": "none is fitted: too few customers or days"},
    )


def no_kpi_alert_is_open(connection: duckdb.DuckDBPyConnection, _: date) -> Judgement:
    """The build is sound; what it says of the shop is not as expected, to the worse."""
    alerts = open_alerts(connection, "marts.fct_kpi_alerts")
    told = "; ".join(alert["sentence"] for alert in alerts[:SHOWN])
    return Judgement(
        "no_kpi_alert_is_open",
        "fct_kpi_alerts",
        "warn",
        not alerts,
        len(alerts),
        f"KPI alerts are open: {told}." if alerts else "",
        {"open_alerts": len(alerts)},
    )


def open_alerts(connection: duckdb.DuckDBPyConnection, relation: str) -> list[dict[str, Any]]:
    """The open alerts to the worse, severe ones first, each with its key and a sentence."""
    rows = connection.execute(
        "select alert_id, severity, kpi, period, dimension, dimension_value, kpi_value,"
        " reference_value, alert_kind, since_date, explained_by_dimension, explained_by_value"
        f" from {relation} where is_open and severity in ('high', 'medium')"
        " order by severity, since_date desc, alert_id"
    ).fetchall()
    return [
        {
            "key": row[0],
            "severity": row[1],
            "sentence": (
                f"{row[2]} by {row[3]}{'' if row[4] == 'total' else f' of {row[4]} {row[5]}'} is "
                f"{row[6]:,.4g}, {'target' if row[8] == 'target' else 'expected'} {row[7]:,.4g}, "
                f"since {row[9]}{f', mostly by {row[10]} {row[11]}' if row[10] else ''} ({row[1]})"
            ),
        }
        for row in rows
    ]


JUDGEMENTS: dict[str, Callable[[duckdb.DuckDBPyConnection, date], Judgement]] = {
    judgement.__name__: judgement
    for judgement in (
        few_rows_are_rejected,
        data_is_recent,
        serving_model_is_no_worse_than_recency,
        no_kpi_alert_is_open,
    )
}

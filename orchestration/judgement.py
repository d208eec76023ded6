"""What a build's own marts say of it, beside dbt's tests: was the load sound, are models and KPIs.

Each judgement is a check: of severity error, it stops a publication as a failed dbt test does; of
severity warn, it is told and alerted: the numbers are right, what they say is not as it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import raw_path, stale_days

# More rejected rows of a table than this share of it, and than this many, are no accident.
LARGEST_REJECTED_SHARE = 0.05
SMALLEST_REJECTED_COUNT = 10
SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What was found: how many rows are not as they should be, a sentence on them, and facts."""

    failure_count: int
    message: str
    facts: dict[str, Any] = field(default_factory=dict)


Ask = Callable[[duckdb.DuckDBPyConnection, date], Outcome]


@dataclass(frozen=True)
class Question:
    """A check: its name is a sentence that should be true of a mart."""

    name: str
    mart: str
    severity: str
    reason: str
    ask: Ask


@dataclass(frozen=True)
class Judgement:
    """A question and its outcome."""

    question: Question
    outcome: Outcome

    @property
    def status(self) -> str:
        """As dbt calls it: pass, warn, fail."""
        if not self.outcome.failure_count:
            return "pass"
        return "warn" if self.question.severity == "warn" else "fail"


QUESTIONS: list[Question] = []


def question(mart: str, severity: str) -> Callable[[Ask], Ask]:
    """Make a function, by its name and docstring, a check of a mart."""

    def register(ask: Ask) -> Ask:
        QUESTIONS.append(Question(ask.__name__, mart, severity, ask.__doc__ or "", ask))
        return ask

    return register


def judge(connection: duckdb.DuckDBPyConnection, today: date | None = None) -> list[Judgement]:
    """All judgements of the work file that a connection is to."""
    today = today or datetime.now(UTC).date()
    return [Judgement(each, each.ask(connection, today)) for each in QUESTIONS]


def judge_file(warehouse: Path) -> list[Judgement]:
    """The same of a work file."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return judge(connection)


@question("agg_load_report", "warn")
def few_rows_are_rejected(connection: duckdb.DuckDBPyConnection, _: date) -> Outcome:
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
    return Outcome(
        sum(row[1] for row in tables),
        f"Many rows are rejected, fct_rejected_rows says why: {told}." if tables else "",
        dict(zip(("read_rows", "rejected_rows", "duplicate_rows"), totals or (), strict=False)),
    )


@question("agg_load_report", "warn")
def data_are_recent(connection: duckdb.DuckDBPyConnection, today: date) -> Outcome:
    """A refresh of files that tell nothing new is on time, and the numbers are old all the same."""
    row = connection.execute("select as_of_date from staging.stg_shop__as_of").fetchone()
    as_of_date = row[0] if row else None
    told = stale_sentence(as_of_date, today)
    return Outcome(int(bool(told)), told, {"as_of_date": str(as_of_date)})


def stale_sentence(as_of_date: date | None, today: date) -> str:
    """What is said of data that are too old; nothing of others, nor of the demo shop's."""
    age = (today - as_of_date).days if as_of_date else None
    if raw_path() is None or (age is not None and age <= stale_days()):
        return ""
    known = (
        "no day is known" if age is None else f"the last day known is {as_of_date}, {age} days ago"
    )
    return (
        f"The data are stale: {known}; {stale_days()} days may pass (CARTWRIGHT_STALE_DAYS). See "
        "whether the shop's export still runs."
    )


@question("fct_model_backtests", "error")
def serving_model_is_no_worse_than_recency(
    connection: duckdb.DuckDBPyConnection, _: date
) -> Outcome:
    """Who acts on a model's order of customers must not be better off without it."""
    models = connection.execute(
        "select model, auc, baseline_auc, total_error_ratio,"
        " coalesce(is_worse_than_baseline, false)"
        " from marts.fct_model_backtests where is_latest and is_serving order by model"
    ).fetchall()
    worse = [row for row in models if row[4]]
    told = "; ".join(f"{row[0]}: AUC {row[1]:.3f}, recency alone {row[2]:.3f}" for row in worse)
    facts = {row[0]: f"AUC {row[1]}, recency alone {row[2]}, error {row[3]}" for row in models}
    return Outcome(
        len(worse),
        f"The model that serves ranks customers worse than their last order does ({told})."
        if worse
        else "",
        facts or {"models": "none is fitted: too few customers or days"},
    )


@question("fct_kpi_alerts", "warn")
def no_kpi_alert_is_open(connection: duckdb.DuckDBPyConnection, _: date) -> Outcome:
    """The build is sound; what it says of the shop is not as expected, to the worse."""
    alerts = open_alerts(connection, "marts.fct_kpi_alerts")
    told = "; ".join(sentence for _, sentence in alerts[:SHOWN])
    more = f"; and {len(alerts) - SHOWN} more" if len(alerts) > SHOWN else ""
    return Outcome(len(alerts), f"KPI alerts are open: {told}{more}." if alerts else "")


def open_alerts(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """The open alerts to the worse, severe ones first: alert_id, and a sentence on each."""
    rows = connection.execute(
        "select alert_id, kpi, period, dimension, dimension_value, kpi_value, alert_kind,"
        " reference_value, since_date, explained_by_dimension, explained_by_value, severity"
        f" from {relation} where is_open and severity in ('high', 'medium')"
        " order by severity, since_date desc, alert_id"
    ).fetchall()
    return [(row[0], _alert_sentence(*row[1:])) for row in rows]


def _alert_sentence(*values: Any) -> str:  # noqa: ANN401 - a row
    kpi, period, dimension, part, value, kind, reference, since, by, by_value, severity = values
    subject = f"{kpi} by {period}" + ("" if dimension == "total" else f" of {dimension} {part}")
    against = "target" if kind == "target" else "expected"
    why = f", mostly by {by} {by_value}" if by else ""
    return f"{subject} is {value:,.4g}, {against} {reference:,.4g}, since {since}{why} ({severity})"

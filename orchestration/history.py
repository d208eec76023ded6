"""What became of each build: history that outlives the work file, in the folder that BI tools read.

    published/history/fct_build_runs/<run id>.parquet       one row: what was tried, its outcome
    published/history/fct_check_results/<run id>.parquet    a row a check of it

A run is written down by whoever tried to publish it, whether it was published or not, in files that
are never changed afterwards. Every published file holds all of them as two more marts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from orchestration.raw_files import sql_text

FOLDER = "history"
# Runs that checks are kept of one by one; of older ones, the row of the run alone.
KEPT_CHECKS = 400


@dataclass(frozen=True)
class Column:
    """A column of a mart of history."""

    name: str
    type: pa.DataType
    description: str


@dataclass(frozen=True)
class HistoryMart:
    """A mart that no model makes, as no build knows its own end."""

    name: str
    description: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns and types of its Parquet files."""
        return pa.schema([(column.name, column.type) for column in self.columns])


@dataclass(frozen=True)
class BuildRun:
    """A row of fct_build_runs."""

    run_id: str
    run_kind: str
    launched_by: str
    invocation_id: str | None
    started_at: datetime
    build_seconds: float | None
    finished_at: datetime
    is_published: bool
    published_build_id: str | None
    refusal: str | None
    as_of_date: date | None
    model_count: int
    check_count: int
    failed_check_count: int
    mart_row_count: int | None
    schema_version: str | None


@dataclass(frozen=True)
class CheckResult:
    """A row of fct_check_results."""

    run_id: str
    check_id: str
    check_name: str
    check_kind: str
    model_name: str | None
    status: str
    failure_count: int | None
    seconds: float | None
    message: str | None


_TIME = pa.timestamp("us")
BUILD_RUNS = HistoryMart(
    "fct_build_runs",
    "One row per try to publish a build, and per rollback. A run that was killed before its end "
    "has none: it changed nothing that anybody reads, and the next one does its work.",
    ("run_id",),
    (
        Column(
            "run_id", pa.string(), "The run: its UTC time to the microsecond, so in order of time."
        ),
        Column("run_kind", pa.string(), "build, or rollback to a build that had been published."),
        Column(
            "launched_by", pa.string(), "The job that ran it (daily_refresh, ...); command by hand."
        ),
        Column("invocation_id", pa.string(), "dbt's id of the build; NULL of a rollback."),
        Column(
            "started_at", _TIME, "When dbt began the build (UTC); of a rollback, when it began."
        ),
        Column("build_seconds", pa.float64(), "Seconds that dbt's build took; NULL of a rollback."),
        Column("finished_at", _TIME, "When it was clear what was to be published (UTC)."),
        Column("is_published", pa.bool_(), "Whether readers got a new version by it."),
        Column(
            "published_build_id",
            pa.string(),
            "The build that readers got, as in manifest.json; NULL where nothing was published.",
        ),
        Column(
            "refusal",
            pa.string(),
            "Why nothing was published: which checks, how many rows; else NULL.",
        ),
        Column(
            "as_of_date",
            pa.date32(),
            "The last day that the build's numbers know; NULL without data.",
        ),
        Column("model_count", pa.int64(), "Models and seeds that were built."),
        Column(
            "check_count", pa.int64(), "Checks that were made: data tests, unit tests, judgements."
        ),
        Column(
            "failed_check_count", pa.int64(), "Checks that did not pass; warnings are none of them."
        ),
        Column("mart_row_count", pa.int64(), "Rows of all marts published; NULL where none was."),
        Column(
            "schema_version",
            pa.string(),
            "Hash of the marts' columns, as in manifest.json; or NULL.",
        ),
    ),
)
CHECK_RESULTS = HistoryMart(
    "fct_check_results",
    "One row per check of a build that somebody tried to publish, for the last "
    f"{KEPT_CHECKS} of them.",
    ("run_id", "check_id"),
    (
        Column("run_id", pa.string(), "The run, as in fct_build_runs."),
        Column(
            "check_id", pa.string(), "The check: dbt's unique id of a test, or judgement.<name>."
        ),
        Column("check_name", pa.string(), "The check's name, a sentence that should be true."),
        Column(
            "check_kind",
            pa.string(),
            "data_test, unit_test, or judgement of load, models and KPIs.",
        ),
        Column("model_name", pa.string(), "The model it is about; of several, the one built last."),
        Column("status", pa.string(), "pass, warn, fail, error (could not be asked), or skipped."),
        Column("failure_count", pa.int64(), "Rows that break it; NULL where rows are not counted."),
        Column("seconds", pa.float64(), "Seconds that it took; NULL of a judgement."),
        Column("message", pa.string(), "What it said, where it did not pass; no personal data."),
    ),
)
MARTS = (BUILD_RUNS, CHECK_RESULTS)


def note(folder: Path, work: Path, run: BuildRun, checks: Sequence[CheckResult]) -> None:
    """Write a run and its checks down in the history of a published folder, by way of `work`."""
    write(work, run, checks)
    keep(folder, work, run.run_id)


def write(work: Path, run: BuildRun, checks: Sequence[CheckResult]) -> None:
    """Write a run and its checks into a work folder: nothing can fail later for want of room."""
    for mart, rows in ((BUILD_RUNS, [run]), (CHECK_RESULTS, checks)):
        rows_of_mart = pa.Table.from_pylist([asdict(row) for row in rows], schema=mart.schema)
        (work / FOLDER).mkdir(exist_ok=True)
        pyarrow.parquet.write_table(rows_of_mart, work / FOLDER / f"{mart.name}.parquet")


def keep(folder: Path, work: Path, run_id: str) -> None:
    """Move what was written into the history; of runs long ago, forget the checks."""
    for mart in MARTS:
        place = folder / FOLDER / mart.name
        place.mkdir(parents=True, exist_ok=True)
        os.replace(work / FOLDER / f"{mart.name}.parquet", place / f"{run_id}.parquet")
    for path in _files(folder, CHECK_RESULTS)[:-KEPT_CHECKS]:
        path.unlink()


def query(mart: HistoryMart, folder: Path, work: Path) -> str:
    """The SQL that selects a mart's rows: all that were kept, and those of the work folder."""
    files = [*_files(folder, mart), work / FOLDER / f"{mart.name}.parquet"]
    columns = ", ".join(column.name for column in mart.columns)
    # By name: a column that is new since then is NULL before.
    return f"select {columns} from read_parquet([{_listed(files)}], union_by_name = true)"


def last_runs(folder: Path, count: int) -> list[dict[str, Any]]:
    """The last runs, oldest first, each by column name."""
    files = _files(folder, BUILD_RUNS)[-count:]
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def _files(folder: Path, mart: HistoryMart) -> list[Path]:
    return sorted((folder / FOLDER / mart.name).glob("*.parquet"))


def _listed(files: Sequence[Path]) -> str:
    return ", ".join(sql_text(str(file)) for file in files)

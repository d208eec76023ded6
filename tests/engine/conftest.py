"""Both engines, and `same`: a query's rows, which must be equal on both."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine.engines import DuckDB, Row, Spark, start_session

VARIABLES = {"reporting_timezone": "Europe/Paris", "reporting_currency": "EUR"}
Same = Callable[..., list[Row]]


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Spark session for all tests; they are skipped where there is no Spark."""
    skip_without_spark()
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"  # pyspark gives times in the process's zone
    time.tzset()
    started = start_session(tmp_path_factory.mktemp("spark"))
    yield started
    started.stop()
    if before is None:
        os.environ.pop("TZ")
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="session")
def spark_installed() -> None:
    """Skip where there is no Spark."""
    skip_without_spark()


@pytest.fixture(scope="session")
def spark_parity() -> None:
    """Skip where whole shops are not to be built on Spark, or cannot be."""
    skip_unless_asked("CARTWRIGHT_SPARK_PARITY")


@pytest.fixture(scope="session")
def spark_refreshes() -> None:
    """Skip where a month is not to be refreshed on Spark, or cannot be."""
    skip_unless_asked("CARTWRIGHT_SPARK_REFRESHES")


def skip_unless_asked(variable: str) -> None:
    """Skip where builds on Spark are not asked for by a variable, or cannot be made."""
    if os.environ.get(variable) != "1":
        pytest.skip(f"{variable} is not 1: builds on Spark take minutes each")
    skip_without_spark()


def skip_without_spark() -> None:
    """Skip where Spark cannot be started."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: make build-spark sets it up")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("Java is missing: Spark needs Java 17")


@pytest.fixture(scope="session")
def same(session: Any) -> Same:
    """`same(sql, **variables)`: the rows of a query, after comparing those of both engines."""

    def run_on_both(sql: str, **variables: Any) -> list[Row]:
        settings = VARIABLES | variables
        expected, found = DuckDB(settings).rows(sql), Spark(settings, session).rows(sql)
        # Of rows alike but for a NULL the engines put either first: what orders them is no macro.
        in_order, expected, found = expected, sorted(expected, key=repr), sorted(found, key=repr)
        different = [
            f"DuckDB {here}\nSpark  {there}"
            for here, there in zip(expected, found, strict=False)
            if here != there
        ]
        assert len(expected) == len(found), f"{len(expected)} rows in DuckDB, {len(found)} in Spark"
        assert not different, "\n".join(different)
        return in_order

    return run_on_both

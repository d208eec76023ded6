"""The random customers of lives.py, built once each way for all tests of RFM, churn and cohorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lifecycle.lives import Lives, make_lives
from shops import write_tables
from warehouses import Build

MARTS = (
    "fct_customer_rfm",
    "agg_rfm_segments",
    "agg_segment_transitions",
    "agg_churn_monthly",
    "agg_cohort_retention",
    "agg_cohort_value",
)


@dataclass
class Built:
    """A warehouse of the lives, and what it was built with."""

    marts: duckdb.DuckDBPyConnection
    as_of_date: date
    rfm_window_days: int | None = None
    churn_after_days: int = 180


@pytest.fixture(scope="session")
def lives() -> Lives:
    """400 customers in two years."""
    return make_lives(400, 24, seed=20220101)


@pytest.fixture(scope="session")
def build_lives(
    build: Build, lives: Lives, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Built]:
    """`build_lives(seed, as_of_date, **variables)`: the lifecycle marts, raw rows in some order."""

    def run_build(seed: int, as_of_date: date, **variables: Any) -> Built:
        folder: Path = write_tables(tmp_path_factory.mktemp("lives"), lives.tables(seed=seed))
        marts = build(
            tests=False,
            select=" ".join(f"+{mart}" for mart in MARTS),
            raw_path=str(folder),
            as_of_date=str(as_of_date),
            **variables,
        )
        return Built(
            marts,
            as_of_date,
            **{
                name: value
                for name, value in variables.items()
                if name != "lifecycle_history_months"
            },
        )

    return run_build


@pytest.fixture(scope="session")
def built(build_lives: Callable[..., Built]) -> Built:
    """Twenty days into a month; every month of the two years has its states."""
    return build_lives(1, date(2023, 12, 20), lifecycle_history_months=30, churn_after_days=45)


@pytest.fixture(scope="session")
def built_again(build_lives: Callable[..., Built]) -> Built:
    """The same with all raw rows in another order."""
    return build_lives(2, date(2023, 12, 20), lifecycle_history_months=30, churn_after_days=45)


@pytest.fixture(scope="session")
def built_windowed(build_lives: Callable[..., Built]) -> Built:
    """At the end of a month; frequency and value of sixty days, half a year to churn."""
    return build_lives(1, date(2023, 11, 30), lifecycle_history_months=30, rfm_window_days=60)

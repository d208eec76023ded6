"""One fresh demo and one small Parquet shop for all tests of the simulator."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]
# `seeds` is a folder of the repository, not an installed package.
sys.path.insert(0, str(ROOT))

from seeds.simulator.__main__ import demo, parquet  # noqa: E402

Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Made:
    """A finished run: where its tables and its truth are, and a database with views on them."""

    out: Path
    truth: Path
    query: Query


def _database(views: dict[str, str]) -> Query:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    for name, source in views.items():
        connection.execute(f"create view {name} as select * from {source}")
    return lambda sql: connection.execute(sql).fetchall()


def _truth(folder: Path) -> dict[str, str]:
    return {path.stem: f"'{path}'" for path in sorted(folder.glob("*.parquet"))}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The demo, seed 42. Views hold the text as it is; ragged lines are left out."""
    folder = tmp_path_factory.mktemp("demo")
    out, truth = folder / "raw", folder / "truth"
    demo(42, out, truth)
    views = {
        path.stem: f"read_csv('{path}', all_varchar = true, ignore_errors = true, header = true)"
        for path in sorted(out.glob("*.csv"))
    }
    return Made(out, truth, _database(views | _truth(truth)))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A Parquet shop of 60,000 events in 40 days."""
    folder = tmp_path_factory.mktemp("parquet")
    out, truth = folder / "raw", folder / "truth"
    parquet(42, 60_000, 40, out, truth)
    views = {path.stem: f"'{path}'" for path in sorted(out.glob("*.parquet"))}
    views["events"] = f"read_parquet('{out}/events/*/*.parquet', hive_partitioning = true)"
    return Made(out, truth, _database(views | _truth(truth)))

"""The demo shop, built on DuckDB and on Spark: every mart is equal, row by row (parity.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from engine.engines import places_in
from engine.parity import Mart, differences, marts
from warehouses import PROJECT


@pytest.fixture(scope="session")
def tables(spark_parity: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Spark's tables, of a build in a process of its own."""
    folder = tmp_path_factory.mktemp("spark")
    built = subprocess.run(
        [sys.executable, "-m", "orchestration.spark", "build", "--untested"],
        cwd=PROJECT,
        env={**os.environ, **places_in(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-1000:]
    return folder / "tables"


@pytest.mark.parametrize("mart", list(marts()), ids=lambda mart: mart.name)
def test_mart_is_equal_on_both_engines(
    tables: Path, demo: duckdb.DuckDBPyConnection, mart: Mart
) -> None:
    """Decimals and all else exactly, doubles to 1e-9."""
    assert differences(demo, mart, tables) == []


def test_a_difference_is_told(tmp_path: Path) -> None:
    """A comparison that finds nothing must be one that could: rows, values, NULL, the tolerance."""
    mart = Mart("agg_days", ("day",))
    ours = "(values (1, 1e0, 'a'), (2, 2e0, 'b'), (3, 3e0, null)) as t (day, rate, name)"
    theirs = "(values (1, 1e0 + 1e-12, 'a'), (2, 2.001e0, 'b'), (3, 3e0, 'c'), (4, 4e0, 'd')) as t"
    folder = tmp_path / "marts.db/agg_days"
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table marts.agg_days as select * from {ours}")
        connection.execute(
            f"copy (select * from {theirs} (day, rate, name)) to '{folder}/part.parquet'"
        )
        assert differences(connection, Mart("agg_gone", ("day",)), tmp_path) == ["is not there"]
        faults = differences(connection, mart, tmp_path)
    assert [fault.split(":")[0] for fault in faults] == [
        "1 rows are too many",
        "1 rows have another rate",
        "1 rows have another name",
    ]

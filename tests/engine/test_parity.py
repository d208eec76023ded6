"""Two shops, built on DuckDB and on Spark: every mart is equal, row by row (parity.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from engine.engines import quick_build_in
from engine.parity import Mart, differences, marts
from online_retail import SETTINGS, RetailShop
from warehouses import PROJECT


@dataclass(frozen=True)
class BothBuilds:
    """A shop's warehouse of DuckDB, and the folder of its tables of Spark."""

    duckdb: duckdb.DuckDBPyConnection
    tables: Path


def tables_of_spark(folder: Path, **variables: str) -> Path:
    """Build on Spark, in a process of its own; the folder of its tables."""
    command = (sys.executable, "-m", "orchestration.spark", "build", "--untested")
    built = subprocess.run(
        [*command, "--vars", json.dumps(variables)],
        cwd=PROJECT,
        env={**os.environ, **quick_build_in(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-1000:]
    return folder / "tables"


@pytest.fixture(scope="session")
def demo_on_spark(
    spark_parity: None, demo: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> BothBuilds:
    """The demo shop."""
    return BothBuilds(demo, tables_of_spark(tmp_path_factory.mktemp("spark")))


@pytest.fixture(scope="session")
def online_retail_ii_on_spark(
    spark_parity: None,
    online_retail_ii: RetailShop,
    tmp_path_factory: pytest.TempPathFactory,
) -> BothBuilds:
    """A million lines of invoices over two years, and no events."""
    variables = {"raw_path": str(online_retail_ii.raw), **SETTINGS}
    tables = tables_of_spark(tmp_path_factory.mktemp("spark_retail"), **variables)
    return BothBuilds(online_retail_ii.connection, tables)


@pytest.mark.parametrize("mart", list(marts()), ids=lambda mart: mart.name)
@pytest.mark.parametrize("shop", ["demo_on_spark", "online_retail_ii_on_spark"])
def test_mart_is_equal_on_both_engines(
    request: pytest.FixtureRequest, shop: str, mart: Mart
) -> None:
    """Decimals and all else exactly, doubles to 1e-9."""
    both: BothBuilds = request.getfixturevalue(shop)
    assert differences(both.duckdb, mart, both.tables) == []


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

"""What is built on DuckDB and on Spark is equal, row by row (parity.py).

Where Spark is installed, the marts that most others are made of, of a small shop, by plain dbt.
Where CARTWRIGHT_SPARK_PARITY is 1, every mart of the demo and of Online Retail II, by the command
that operators use: a quarter of an hour each, and more.
"""

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
from refresh.months import DAY_COUNT, make_month
from warehouses import NO_TESTS, PROJECT, Build

CORE = (
    *("dim_customers", "fct_order_lines", "fct_orders", "fct_refunds"),
    *("fct_funnel_entries", "fct_order_touchpoints", "fct_sessions"),
)


@dataclass(frozen=True)
class BothBuilds:
    """A shop's warehouse of DuckDB, and the folder of its tables of Spark."""

    duckdb: duckdb.DuckDBPyConnection
    tables: Path


def run(*command: str, folder: Path) -> None:
    """A command of a build on Spark, in a process of its own; fails with what it said last."""
    ran = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, **quick_build_in(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]


def tables_of_spark(folder: Path, **variables: str) -> Path:
    """Build on Spark, in a process of its own; the folder of its tables."""
    told = ("--vars", json.dumps(variables))
    run(sys.executable, "-m", "orchestration.spark", "build", "--untested", *told, folder=folder)
    return folder / "tables"


@pytest.fixture(scope="module")
def core_on_both(
    spark_installed: None, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> BothBuilds:
    """Orders, sessions, funnels and touchpoints of a small shop, of a month."""
    folder = tmp_path_factory.mktemp("core")
    (folder / "shop" / "events").mkdir(parents=True)
    make_month(60, seed=1).write(folder / "shop", DAY_COUNT - 1)
    select = " ".join(f"+{name}" for name in CORE)
    variables = {"raw_path": str(folder / "shop")}
    on_duckdb = build(tests=False, select=select, **variables)
    told = ("--vars", json.dumps(variables))
    run(sys.executable, "-m", "orchestration.spark", "prepare", *told, folder=folder)
    dbt = str(Path(sys.executable).with_name("dbt"))
    run(dbt, "--quiet", "build", "--select", select, *NO_TESTS, *told, folder=folder)
    return BothBuilds(on_duckdb, folder / "tables")


@pytest.mark.parametrize("mart", CORE)
def test_core_is_equal_on_both_engines(core_on_both: BothBuilds, mart: str) -> None:
    """The marts that most others read, and with them all that they are made of."""
    (found,) = (each for each in marts() if each.name == mart)
    assert core_on_both.duckdb.execute(f"select 1 from marts.{mart} limit 1").fetchall()
    assert differences(core_on_both.duckdb, found, core_on_both.tables) == []


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

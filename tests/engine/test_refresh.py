"""Refreshes on Spark end with the very marts that one build on DuckDB gives (decision 26).

The month of tests/refresh: a first load, a build that is killed in the middle, missed days, files
that were replaced and late, and back to a day that is long known.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
from engine.engines import quick_build_in
from engine.parity import differences, marts
from refresh.months import DAY_COUNT, day_of, make_month
from warehouses import NO_TESTS, PROJECT, Dbt

LAST = DAY_COUNT - 1
KILLED_AT = "int_sessions_identified"
BUILD = (sys.executable, "-m", "orchestration.spark", "build", "--untested")


@dataclass(frozen=True)
class SparkShop:
    """A raw folder and the places of a warehouse of Spark."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The raw folder."""
        return self.folder / "parts"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a build."""
        settings = {
            "CARTWRIGHT_SPARK_MASTER": "local[1]",
            "CARTWRIGHT_RAW_PATH": str(self.raw),
            "DBT_USE_COLORS": "false",
        }
        return subprocess.Popen(
            [*BUILD, *arguments],
            cwd=PROJECT,
            env={**os.environ, **quick_build_in(self.folder), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def build(self, *arguments: str) -> None:
        """Build to the end."""
        process = self.start(*arguments)
        told, _ = process.communicate()
        assert process.returncode == 0, told[-3000:]

    def build_until(self, model: str) -> None:
        """Kill a build, driver and all, as soon as it has begun with a model."""
        process = self.start()
        assert process.stdout is not None
        for line in process.stdout:
            if model in line and "START" in line:
                time.sleep(0.5)
                break
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def different_marts(shop: SparkShop, dbt: Dbt, name: str, **variables: str) -> list[str]:
    """How the marts differ from those of one build on DuckDB of the same folder."""
    warehouse = shop.folder / name / "cartwright.duckdb"
    warehouse.parent.mkdir()
    raw = {"raw_path": str(shop.raw), **variables}
    dbt.run("build", *NO_TESTS, warehouse=warehouse, variables=raw)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return [
            f"{mart.name} {fault}"
            for mart in marts()
            for fault in differences(connection, mart, shop.folder / "tables")
        ]


def test_refreshes_on_spark_give_what_one_load_gives(
    spark_refreshes: None, dbt: Dbt, tmp_path: Path
) -> None:
    """After a kill, missed days and replaced files; then as of a day before."""
    shop, month = SparkShop(tmp_path), make_month(60, seed=1)
    month.write(shop.raw, 13)
    shop.build()
    month.write(shop.raw, 14)
    shop.build_until(KILLED_AT)
    month.write(shop.raw, LAST)
    shop.build()
    assert different_marts(shop, dbt, "whole") == []
    day = str(day_of(20))
    shop.build("--vars", f"{{as_of_date: {day}}}")
    assert different_marts(shop, dbt, "then", as_of_date=day) == []

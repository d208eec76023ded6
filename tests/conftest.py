"""Builds warehouses for the tests: dbt runs in this process, one parse for the whole session."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parent.parent
Build = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real data sets that CARTWRIGHT_REFERENCE_DATA names; a clone has none."""
    folder = os.environ.get("CARTWRIGHT_REFERENCE_DATA", "")
    if not folder:
        pytest.skip("CARTWRIGHT_REFERENCE_DATA is not set: no real data sets to compare with")
    return Path(folder)


class BuildFailed(AssertionError):
    """A dbt invocation that did not succeed; the message is what dbt told."""


class Dbt:
    """dbt in this process: `parse` once, then each build takes a second or two."""

    def __init__(self, folder: Path) -> None:
        from dbt.cli.main import dbtRunner

        self._runner_class = dbtRunner
        self._folder = folder
        self._manifest: Any = None

    def run(self, *arguments: str, warehouse: Path, variables: dict[str, Any]) -> Any:
        """Run one dbt command on `warehouse`; raises BuildFailed with dbt's own messages."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        os.environ["CARTWRIGHT_WAREHOUSE"] = str(warehouse)
        messages: list[str] = []
        runner = self._runner_class(
            manifest=self._manifest,
            callbacks=[
                lambda event: (
                    messages.append(event.info.msg)
                    if event.info.level in ("error", "warn")
                    else None
                )
            ],
        )
        result = runner.invoke(
            [
                "--quiet",
                *arguments,
                "--project-dir",
                str(PROJECT),
                "--profiles-dir",
                str(PROJECT),
                "--target-path",
                str(self._folder / "target"),
                "--log-path",
                str(self._folder / "logs"),
                "--vars",
                json.dumps(variables),
            ]
        )
        # dbt-duckdb keeps the file open for a next invocation: let others read it.
        DuckDBConnectionManager.close_all_connections()
        gc.collect()
        if not result.success:
            raise BuildFailed("\n".join(messages) or str(result.exception))
        return result.result

    def parse(self) -> Any:
        """The manifest, parsed once."""
        if self._manifest is None:
            self._manifest = self.run(
                "parse", warehouse=self._folder / "cartwright.duckdb", variables={}
            )
        return self._manifest


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dbt]:
    """One dbt for all tests of the session."""
    before = os.environ.get("CARTWRIGHT_WAREHOUSE")
    runner = Dbt(tmp_path_factory.mktemp("dbt"))
    runner.parse()
    yield runner
    if before is None:
        os.environ.pop("CARTWRIGHT_WAREHOUSE", None)
    else:
        os.environ["CARTWRIGHT_WAREHOUSE"] = before


@pytest.fixture(scope="session")
def build(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """`build(raw_path="...", **vars)` runs `dbt build`; gives a read-only connection to the result.

    `tests=False` leaves dbt's own data and unit tests out, for speed.
    """
    connections = []

    def run_build(
        tests: bool = True, select: str = "", **variables: Any
    ) -> duckdb.DuckDBPyConnection:
        warehouse = tmp_path_factory.mktemp("warehouse") / "cartwright.duckdb"
        arguments = ["build"]
        if select:
            arguments += ["--select", select]
        if not tests:
            arguments += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
        dbt.run(*arguments, warehouse=warehouse, variables=variables)
        connection = duckdb.connect(str(warehouse), read_only=True)
        connections.append(connection)
        return connection

    yield run_build
    for connection in connections:
        connection.close()


@pytest.fixture(scope="session")
def demo(build: Build, pytestconfig: pytest.Config) -> duckdb.DuckDBPyConnection:
    """The demo shop's warehouse, built once with all of dbt's tests."""
    connection = build()
    pytestconfig.stash[DEMO_SUMMARY] = _summary(connection)
    return connection


DEMO_SUMMARY = pytest.StashKey[list[str]]()


def _summary(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What the demo warehouse holds: rows by mart, and what was rejected."""
    marts = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    ).fetchall()
    lines = []
    for (mart,) in marts:
        row = connection.execute(f'select count(*) from marts."{mart}"').fetchone()
        lines.append(f"  {mart:<20} {row[0] if row else 0:>9,} rows")
    row = connection.execute("select sum(rejected_row_count) from marts.agg_load_report").fetchone()
    return [*lines, f"{row[0] if row else 0:,} raw rows were rejected, as the demo shop intends."]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """End with what was built and where to look next."""
    summary = config.stash.get(DEMO_SUMMARY, [])
    if summary:
        terminalreporter.section("the demo warehouse that was tested")
        for line in summary:
            terminalreporter.write_line(line)
        terminalreporter.write_line("Look next: make build, then docs/architecture.md.")

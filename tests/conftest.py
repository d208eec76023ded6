"""Fixtures that build warehouses, and the summary at the end of a test run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest
from metric_flow import Manifest, engine_of, semantic_manifest_of
from online_retail import SETTINGS, RetailShop, import_sheets
from warehouses import Build, Dbt

# How fast a machine is says nothing of whether an example is right.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real data sets that CARTWRIGHT_REFERENCE_DATA names; a clone has none."""
    folder = os.environ.get("CARTWRIGHT_REFERENCE_DATA", "")
    if not folder:
        pytest.skip("CARTWRIGHT_REFERENCE_DATA is not set: no real data sets to compare with")
    return Path(folder)


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

    `tests=False` leaves dbt's data tests out, for speed. Its unit tests look at code, not at data:
    `unit_tests=True` is for one build.
    """
    connections = []

    def run_build(
        tests: bool = True, unit_tests: bool = False, select: str = "", **variables: Any
    ) -> duckdb.DuckDBPyConnection:
        warehouse = tmp_path_factory.mktemp("warehouse") / "cartwright.duckdb"
        arguments = ["build"]
        if select:
            arguments += ["--select", select]
        for kind, is_run in (("test", tests), ("unit_test", unit_tests)):
            if not is_run:
                arguments += ["--exclude-resource-type", kind]
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
    connection = build(unit_tests=True)
    summary = _summary(connection)
    pytestconfig.stash[DEMO_SUMMARY] = summary
    if hasattr(pytestconfig, "workeroutput"):
        pytestconfig.workeroutput["demo"] = summary
    return connection


@pytest.fixture(scope="session")
def online_retail_ii(
    reference_data: Path, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> RetailShop:
    """Online Retail II, imported and built once with all of dbt's tests."""
    source = reference_data / "online_retail_ii"
    raw = tmp_path_factory.mktemp("online_retail_ii") / "shop"
    run = import_sheets(source, raw)
    assert run.returncode == 0, run.stderr
    return RetailShop(source, raw, run.stdout, build(raw_path=str(raw), **SETTINGS))


@pytest.fixture(scope="session")
def semantic_manifest(dbt: Dbt) -> Manifest:
    """What MetricFlow knows of the project."""
    return semantic_manifest_of(dbt)


@pytest.fixture(scope="session")
def metric_flow(semantic_manifest: Manifest) -> Any:
    """MetricFlow's engine (metric_flow.answer)."""
    return engine_of(semantic_manifest)


DEMO_SUMMARY = pytest.StashKey[list[str]]()
# Warehouses that tests of several files share: one process builds each. Other files stay together.
SHARED_WAREHOUSES = {
    "demo": "demo",
    "demo_on_spark": "demo",
    "online_retail_ii": "online_retail_ii",
    "online_retail_ii_on_spark": "online_retail_ii",
    "built": "lives",
    "households": "households",
    "refreshed": "refreshed",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which tests belong to one process, where several run them (--dist loadgroup).

    A fixture may be asked for by name, through a parameter; one of the file's own is not shared.
    """
    asked = {*getattr(item, "fixturenames", ())}
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        asked |= {value for value in item.callspec.params.values() if isinstance(value, str)}
    own = vars(getattr(item, "module", None) or item)
    shared = [
        group
        for fixture, group in SHARED_WAREHOUSES.items()
        if fixture in asked and fixture not in own
    ]
    item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.path.stem))


# These take minutes: they go first, so that no process waits for another at the end.
LONG_FILES = (
    "test_refreshes",
    "test_past_days",
    "test_online_retail_ii",
    "test_row_order",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others keep their order."""
    items.sort(key=lambda item: item.path.stem not in LONG_FILES)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the summary from the process that built the demo warehouse."""
    summary = getattr(node, "workeroutput", {}).get("demo")
    if summary:
        node.config.stash[DEMO_SUMMARY] = summary


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

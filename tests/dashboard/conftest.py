"""What is published of the demo shop, for all tests of the dashboard."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dashboard.app_runs import publish_marts
from warehouses import Dbt


@pytest.fixture(scope="session")
def demo_folder(
    demo: duckdb.DuckDBPyConnection, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that BI tools read, of the demo shop."""
    return publish_marts(demo, dbt, tmp_path_factory.mktemp("published"))

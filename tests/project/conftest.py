"""The project, parsed once; with its real columns where a rule asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from project.tree import Project, read_project, with_real_columns

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def manifest(dbt: Any) -> Any:
    """What dbt parsed."""
    return dbt.parse()


@pytest.fixture(scope="session")
def project(manifest: Any) -> Project:
    """The project as the rules see it."""
    return read_project(manifest, ROOT)


@pytest.fixture(scope="session")
def built_project(manifest: Any, demo: duckdb.DuckDBPyConnection) -> Project:
    """The same, each model with the columns that it has in the demo shop's warehouse."""
    return with_real_columns(read_project(manifest, ROOT), demo)

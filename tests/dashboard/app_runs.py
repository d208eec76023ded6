"""Publishes a test's warehouse, and runs pages of the dashboard on it without a browser."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
from shops import PROJECT
from warehouses import Dbt

from orchestration.publish import publish

APP = PROJECT / "dashboards" / "app.py"
PAGES = (
    "overview", "funnel", "carts", "acquisition", "customers", "cohorts", "opportunities",
    "products", "experiments", "quality",
)  # fmt: skip


def publish_marts(connection: duckdb.DuckDBPyConnection, dbt: Dbt, folder: Path) -> Path:
    """Publish the warehouse of a connection as after a build that passed; gives the folder."""
    dbt.parse()
    row = connection.execute(
        "select path from duckdb_databases() where path is not null"
    ).fetchone()
    assert row is not None
    target = folder / "target"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(dbt.target / "manifest.json", target)
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    step = {"status": "success", "failures": None, "execution_time": 0.0, "message": None}
    (invocation,) = connection.execute("from raw.last_run").fetchall()
    (target / "run_results.json").write_text(
        json.dumps(
            {
                "metadata": {
                    "invocation_id": invocation[0],
                    "invocation_started_at": "2026-01-01T05:00:00Z",
                    "generated_at": "2026-01-01T05:01:00Z",
                },
                "args": {"which": "build"},
                "elapsed_time": 60.0,
                "results": [{"unique_id": name, **step} for name in nodes],
            }
        )
    )
    publish(Path(row[0]), target, folder)
    return folder


def run_page(folder: Path, page: str, **choices: str | list[str]) -> Any:
    """A page as Streamlit would send it to a browser that opens its URL."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["page"] = page
    for key, value in choices.items():
        app.query_params[key] = value
    return run(app, folder)


def run(app: Any, folder: Path) -> Any:
    """Run an app again, on what is published in a folder."""
    with mock.patch.dict(os.environ, {"CARTWRIGHT_PUBLISH_DIR": str(folder)}):
        return app.run()


def faults(app: Any) -> list[str]:
    """What a page shows of exceptions and errors."""
    return [element.value for element in (*app.exception, *app.error)]


def tiles(app: Any) -> dict[str, str]:
    """The numbers in a page's tiles by their labels."""
    return {tile.label: tile.value for tile in app.metric}

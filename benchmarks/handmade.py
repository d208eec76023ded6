"""A build made by hand in a second, to publish again and again: what dbt leaves, without dbt.

Every row of every mart says the number of its build: who reads sees whether all of it is of one.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

MARTS = ("fct_first", "fct_second", "fct_third", "fct_fourth")
# What judgements ask for, empty.
JUDGED = {
    "agg_load_report": "table_name text, read_row_count bigint, rejected_row_count bigint,"
    " duplicate_row_count bigint",
    "fct_kpi_alerts": "alert_id text, kpi text, period text, dimension text, dimension_value text,"
    " kpi_value double, alert_kind text, reference_value double, since_date date,"
    " explained_by_dimension text, explained_by_value text, severity text, is_open boolean",
    "fct_model_backtests": "model text, auc double, baseline_auc double, total_error_ratio double,"
    " is_worse_than_baseline boolean, is_latest boolean, is_serving boolean",
}


@dataclass(frozen=True)
class HandmadeBuild:
    """The places of a build, and how many rows a mart has."""

    folder: Path
    rows: int = 50_000

    @property
    def warehouse(self) -> Path:
        """The work file."""
        return self.folder / "cartwright.duckdb"

    @property
    def target(self) -> Path:
        """The artifacts."""
        return self.folder / "target"

    @property
    def published(self) -> Path:
        """Where it is published to."""
        return self.folder / "published"

    def make(self, number: int) -> None:
        """Build number `number`: every mart anew, and artifacts that say that all passed."""
        self.target.mkdir(parents=True, exist_ok=True)
        invocation_id = str(uuid.uuid4())
        day = datetime(2026, 1, 1, tzinfo=UTC).date() + timedelta(days=number)
        with duckdb.connect(str(self.warehouse)) as connection:
            for schema in ("raw", "staging", "marts"):
                connection.execute(f"create schema if not exists {schema}")
            connection.execute(
                f"create or replace table raw.last_run as select '{invocation_id}' as invocation_id"
            )
            connection.execute(
                "create or replace view staging.stg_shop__as_of as"
                f" select date '{day}' as as_of_date"
            )
            for mart, columns in JUDGED.items():
                connection.execute(f"create or replace table marts.{mart} ({columns})")
            for mart in MARTS:
                connection.execute(
                    f"create or replace table marts.{mart} as select range as row_id,"
                    f" {number}::bigint as build_number, md5(range::text) as content"
                    f" from range({self.rows})"
                )
        self._write_artifacts(invocation_id)

    def _write_artifacts(self, invocation_id: str) -> None:
        nodes = {f"model.cartwright.{mart}": _node(mart) for mart in (*MARTS, *JUDGED)}
        now = datetime.now(UTC).isoformat()
        results: dict[str, Any] = {
            "metadata": {
                "invocation_id": invocation_id,
                "invocation_started_at": now,
                "generated_at": now,
            },
            "args": {"which": "build"},
            "elapsed_time": 1.0,
            "results": [
                {
                    "unique_id": unique_id,
                    "status": "success",
                    "failures": None,
                    "execution_time": 0.1,
                    "message": None,
                }
                for unique_id in nodes
            ],
        }
        (self.target / "manifest.json").write_text(json.dumps({"nodes": nodes, "unit_tests": {}}))
        (self.target / "run_results.json").write_text(json.dumps(results))


def _node(mart: str) -> dict[str, Any]:
    key = JUDGED.get(mart, "row_id ").split(" ")[0]
    return {
        "unique_id": f"model.cartwright.{mart}",
        "resource_type": "model",
        "name": mart,
        "alias": mart,
        "schema": "marts",
        "description": "Made by hand.",
        "columns": {key: {"data_type": "bigint", "description": "Made by hand."}},
        "config": {"access": "public", "meta": {"grain": [key]}},
        "depends_on": {"nodes": []},
    }

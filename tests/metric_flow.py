"""Asks for metrics as `mf query` does: MetricFlow writes the SQL, a warehouse answers it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import duckdb
from warehouses import Dbt

Key = tuple[Any, ...]
Manifest = Mapping[str, Any]


def semantic_manifest_of(dbt: Dbt) -> Manifest:
    """The semantic manifest of the project."""
    dbt.parse()
    manifest: Manifest = json.loads(
        (dbt.target / "semantic_manifest.json").read_text(encoding="utf-8")
    )
    return manifest


def engine_of(manifest: Manifest) -> Any:
    """MetricFlow's engine, which writes SQL; a connection of its own it needs not."""
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantics.model.dbt_manifest_parser import (
        parse_manifest_from_dbt_generated_manifest,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class Writer:
        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    parsed = parse_manifest_from_dbt_generated_manifest(json.dumps(manifest))
    writer: Any = Writer()
    return MetricFlowEngine(SemanticManifestLookup(parsed), writer)


def answer(
    engine: Any,
    warehouse: duckdb.DuckDBPyConnection,
    metric: str,
    groups: Sequence[str] = (),
    where: Sequence[str] = (),
) -> dict[Key, Any]:
    """What `mf query` gives: a value by the keys of its groups, periods first.

    `where` holds filters of MetricFlow's own, as "{{ Entity('channel') }} = 'email'".
    """
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    request = MetricFlowQueryRequest.create(
        metric_names=[metric], group_by_names=list(groups), where_constraints=list(where)
    )
    rows = warehouse.execute(engine.explain(request).sql_statement.sql).fetchall()

    def plain(value: Any) -> Any:
        return value.date() if isinstance(value, datetime) else value

    return {tuple(map(plain, keys)): value for *keys, value in rows}


def on_days(first: date, last: date) -> str:
    """A filter: the days from and to, both included."""
    return f"{{{{ TimeDimension('metric_time', 'day') }}}} between '{first}' and '{last}'"


def of_part(part: str, codes: Sequence[str]) -> str:
    """A filter: some codes of channel, device or country."""
    return f"{{{{ Entity('{part}') }}}} in ({', '.join(map(repr, codes))})"

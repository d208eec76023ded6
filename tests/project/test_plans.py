"""What the engine makes of a model, where that decides what a build costs."""

from __future__ import annotations

import json

import duckdb
import pytest


def columns_read(connection: duckdb.DuckDBPyConnection, query: str, of_table: str) -> set[str]:
    """The columns that a query's plan reads of a table, all scans together."""
    plan = connection.execute(f"explain (format json) {query}").fetchall()[-1][1]
    found: set[str] = set()
    nodes = list(json.loads(plan))
    while nodes:
        node = nodes.pop()
        nodes.extend(node["children"])
        told = node["extra_info"]
        if str(told.get("Table", "")).endswith(of_table):
            read = told.get("Projections", [])
            found |= {read} if isinstance(read, str) else set(read)
    return found


@pytest.mark.parametrize("view", ["base_web__events", "stg_web__events"])
def test_of_events_only_the_columns_asked_for_are_read(
    demo: duckdb.DuckDBPyConnection, view: str
) -> None:
    """Events are many and wide, and read often: a CTE read twice would take every column."""
    query = f"select max(page_type) from staging.{view}"
    read = columns_read(demo, query, "raw_events")
    assert {"event_id", "event_at", "page_type"} <= read
    assert not read & {"utm_campaign", "customer_id", "received_at", "page_url"}

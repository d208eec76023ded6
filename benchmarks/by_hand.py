"""The plain SQL of a build's models, run by hand: one DuckDB session, no dbt.

    python -m benchmarks.by_hand COSTS.json WAREHOUSE TARGET FOLDER

WAREHOUSE is one that dbt built from nothing, TARGET its target folder. What dbt compiled of each
model is run as `create table as` (or `create view as`), in the order in which dbt ran it, in a
new work file in FOLDER, with the settings of the profile. Models in Python are run as well. Seeds
and the ledger are copied from WAREHOUSE before, which is not measured; so hooks, contracts,
the detours of incremental models and all of dbt are what a build costs more than this.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.costs import Lap, connect, measure, metered, row_counts
from benchmarks.dbt_nodes import Node


def by_hand(
    warehouse: Path, target: Path, folder: Path, nodes: Mapping[str, Node]
) -> dict[str, Lap]:
    """What each model's plain SQL costs, by its name.

    Raises ValueError where a table has not the rows that dbt's has, and CalledProcessError, with
    the output, where a statement fails.
    """
    file = folder / "costs.json"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.by_hand", str(file)]
    measure([*command, str(warehouse), str(target), str(folder)], {})
    rows = row_counts(folder / warehouse.name)
    for node in nodes.values():
        if node.is_model and node.rows != rows.get(node.name):
            raise ValueError(
                f"{node.name} has {rows.get(node.name)} rows by hand and {node.rows} by dbt, so "
                "the two did not do the same work"
            )
    return {name: Lap(**lap) for name, lap in json.loads(file.read_text()).items()}


def copy_inputs(connection: duckdb.DuckDBPyConnection, warehouse: Path, models: set[str]) -> None:
    """Copy the schemas, and of schema raw and its views and tables what no model makes."""
    connection.execute(f"attach '{warehouse}' as built (read_only)")
    for (schema,) in connection.execute(
        "select schema_name from duckdb_schemas() where database_name = 'built' and not internal"
    ).fetchall():
        connection.execute(f'create schema if not exists "{schema}"')
    for schema, table in connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'built'"
    ).fetchall():
        if table not in models:
            connection.execute(
                f'create table "{schema}"."{table}" as from built."{schema}"."{table}"'
            )
    for view, statement in connection.execute(
        "select view_name, sql from duckdb_views() where database_name = 'built' and not internal"
    ).fetchall():
        if view not in models:
            connection.execute(statement.replace("CREATE VIEW built.", "CREATE VIEW ", 1))
    connection.execute("detach built")


def run_python(connection: duckdb.DuckDBPyConnection, file: Path, relation: str) -> None:
    """Run a model in Python as dbt-duckdb does, and keep what it gives."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if not spec or not spec.loader:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Any = module.model(
        module.dbtObj(lambda name: connection.query(f"select * from {name}")), connection
    )
    connection.register("made", made)
    connection.execute(f"create table {relation} as from made")
    connection.unregister("made")


def run(warehouse: Path, target: Path, folder: Path) -> dict[str, Lap]:
    """Run all models; give what each cost."""
    known = json.loads((target / "manifest.json").read_text())["nodes"]
    results = json.loads((target / "run_results.json").read_text())["results"]
    models = [known[r["unique_id"]] for r in results if r["unique_id"].startswith("model.")]
    compiled = {file.stem: file for file in (target / "compiled").rglob("models/**/*.*")}
    work = folder / warehouse.name
    laps = {}
    with connect(work) as connection, metered(work.with_name(f"{work.name}.tmp")) as meter:
        copy_inputs(connection, warehouse, {model["name"] for model in models})
        connection.execute("checkpoint")
        meter.lap()
        for model in models:
            kind = "view" if model["config"]["materialized"] == "view" else "table"
            file, relation = compiled[model["name"]], model["relation_name"]
            if file.suffix == ".py":
                run_python(connection, file, relation)
            else:
                connection.execute(f"create {kind} {relation} as {file.read_text()}")
            laps[model["name"]] = meter.lap()
    return laps


def main(arguments: list[str]) -> int:
    """Run, and write what each model cost as JSON to the first argument."""
    file, *places = map(Path, arguments)
    laps = run(*places)
    file.write_text(json.dumps({name: asdict(lap) for name, lap in laps.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

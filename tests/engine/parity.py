"""Compares the marts that two engines built, row by row.

Decimals and all else must be equal, doubles to 1e-9 of their size. The tables of Spark are Parquet
in its warehouse folder, which DuckDB reads by itself. By hand, after both builds:
`PYTHONPATH=.:tests python -m engine.parity`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import yaml
from warehouses import PROJECT

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Mart:
    """A mart and the columns that tell its rows apart."""

    name: str
    grain: tuple[str, ...]


def marts() -> Iterator[Mart]:
    """All marts, with the grain that their properties tell."""
    for path in sorted((PROJECT / "models/marts").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ()):
            yield Mart(model["name"], tuple(model["config"]["meta"]["grain"]))


def differences(connection: duckdb.DuckDBPyConnection, mart: Mart, tables: Path) -> list[str]:
    """How a mart of Spark, in the folder `tables`, differs from DuckDB's: a sentence each."""
    files = f"{tables}/marts.db/{mart.name}/*.parquet"
    if not list(Path(files).parent.glob("*.parquet")):
        return ["is not there"]
    connection.execute("set TimeZone = 'UTC'")
    ours, theirs = f"marts.{mart.name}", f"read_parquet('{files}')"
    types = {
        name: str(data_type)
        for name, data_type, *_ in connection.execute(f"describe {ours}").fetchall()
    }
    found = {name for name, *_ in connection.execute(f"describe select * from {theirs}").fetchall()}
    if found != set(types):
        return [f"has other columns: {', '.join(sorted(found ^ set(types)))}"]
    same_key = " and ".join(
        f"ours.{name} is not distinct from theirs.{name}" for name in mart.grain
    )
    casts = ", ".join(f"cast({name} as {data_type}) as {name}" for name, data_type in types.items())
    connection.execute(f"create or replace temp table ours as select *, true as here from {ours}")
    connection.execute(
        f"create or replace temp table theirs as select {casts}, true as here from {theirs}"
    )
    joined = f"ours full join theirs on {same_key}"
    faults = [
        f"{count:,} rows are {words}: {example}"
        for condition, words, side in (
            ("theirs.here is null", "missing", "ours"),
            ("ours.here is null", "too many", "theirs"),
        )
        for count, example in _found(connection, joined, condition, f"{side}.{mart.grain[0]}")
    ]
    for name, data_type in types.items():
        here, there = f"ours.{name}", f"theirs.{name}"
        is_other = f"{here} is distinct from {there}"
        if data_type == "DOUBLE":
            size = f"greatest(1, abs({here}), abs({there}))"
            is_other = (
                f"({here} is null) <> ({there} is null) or "
                f"(isnan({here}) <> isnan({there})) or abs({here} - {there}) > {TOLERANCE} * {size}"
            )
        key = ", '|', ".join(f"cast(ours.{part} as varchar)" for part in mart.grain)
        example = f"concat({here}, ' and ', {there}, ' of ', {key})"
        both = f"ours.here and theirs.here and ({is_other})"
        for count, text in _found(connection, joined, both, example):
            faults.append(f"{count:,} rows have another {name}: {text}")
    return faults


def _found(
    connection: duckdb.DuckDBPyConnection, joined: str, condition: str, example: str
) -> list[tuple[int, str]]:
    row = connection.execute(
        f"select count(*), any_value({example}) from {joined} where {condition}"
    ).fetchone()
    return [row] if row and row[0] else []


def compare(warehouse: Path, tables: Path) -> int:
    """Print each mart with what differs; gives how many are not equal."""
    broken, count = 0, 0
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for mart in marts():
            faults = differences(connection, mart, tables)
            broken, count = broken + bool(faults), count + 1
            print(mart.name, "is equal" if not faults else "")
            for fault in faults:
                print("   ", fault[:300])
    print(f"{count - broken} of {count} marts are equal")
    return broken


def main() -> int:
    """Compare what `make build` and `make build-spark` have built."""
    warehouse, tables = PROJECT / "warehouse/cartwright.duckdb", PROJECT / "warehouse/spark/tables"
    return int(compare(warehouse, tables) > 0)


if __name__ == "__main__":
    sys.exit(main())

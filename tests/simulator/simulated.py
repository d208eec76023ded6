"""What the simulator's tests share: where the repository is, and a finished run to query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]

Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Made:
    """A finished run: where its tables and its truth are, and a database with views on them."""

    out: Path
    truth: Path
    query: Query


def database(views: dict[str, str], truth: Path) -> Query:
    """A query function over `views` (name to source) and every file of the truth."""
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    files = {path.stem: f"'{path}'" for path in sorted(truth.glob("*.parquet"))}
    for name, source in (views | files).items():
        connection.execute(f"create view {name} as select * from {source}")
    return lambda sql: connection.execute(sql).fetchall()

"""Reads the published file: read-only, one build a page.

A publish renames a new file over the old one, and waits for no reader: whoever has the old one open
goes on reading it. So a page that has begun ends with the build it began with, or begins again, and
the file is opened anew once it is another one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

PROJECT = Path(__file__).resolve().parent.parent
# Results of queries that are kept: some pages' worth, for each of a few readers.
KEPT_RESULTS = 256

Identity = tuple[int, ...]


class Unpublished(Exception):
    """There is no file to read yet."""


class Replaced(Exception):
    """The file is another one than when the page began: begin again."""


@dataclass(frozen=True)
class Published:
    """One build's published file; `identity` tells it from the next one."""

    path: Path
    identity: Identity

    def query(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """The rows of a query on the marts, each a table of the default schema.

        A list parameter is one of DuckDB's lists. Raises Replaced where the file has changed.
        """
        frozen = tuple(
            (name, tuple(value) if isinstance(value, list) else value)
            for name, value in sorted(parameters.items())
        )
        table = _rows(self.path, self.identity, sql, frozen)
        return table.to_pandas(date_as_object=False)

    def has_rows(self, mart: str) -> bool:
        """Whether a mart holds anything."""
        return not self.query(f'select 1 from "{mart}" limit 1').empty

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The published manifest; empty where there is none."""
        path = manifest_path(self.path)
        return _manifest(path, identity_of(path))

    def definition(self, mart: str, column: str = "") -> str:
        """What the dbt docs say of a mart, or of one of its columns; "" for what is not there."""
        return _definitions(self.path, self.identity).get((mart, column), "")

    def columns(self, mart: str) -> list[str]:
        """The columns of a mart, in their order."""
        definitions = _definitions(self.path, self.identity)
        return [column for name, column in definitions if name == mart and column]


def published_path() -> Path:
    """Where the published file is, or will be (CARTWRIGHT_PUBLISH_DIR)."""
    folder = os.environ.get("CARTWRIGHT_PUBLISH_DIR") or str(PROJECT / "published")
    return Path(folder) / "marts.duckdb"


def manifest_path(path: Path) -> Path:
    """The manifest beside a published file; it is renamed just after it."""
    return path.parent / "manifest.json"


def identity_of(path: Path) -> Identity:
    """What changes when a file is published over another; () where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def open_published(path: Path) -> Published:
    """The file that is published now; Unpublished where there is none."""
    identity = identity_of(path)
    if not identity:
        raise Unpublished(str(path))
    return Published(path, identity)


@lru_cache(maxsize=KEPT_RESULTS)
def _rows(
    path: Path, identity: Identity, sql: str, parameters: tuple[tuple[str, Any], ...]
) -> pa.Table:
    with _opened(path, identity).cursor() as cursor:
        cursor.execute("use published")
        values = {
            name: list(value) if isinstance(value, tuple) else value for name, value in parameters
        }
        return cursor.execute(sql, values).to_arrow_table()


@lru_cache(maxsize=1)
def _opened(path: Path, identity: Identity) -> duckdb.DuckDBPyConnection:
    """One build's file, kept open until the next one is asked for: to open it takes 50 ms.

    A database in memory has it attached. Connections to the file itself share one instance within
    a process, and that would go on reading the old file for as long as anybody uses it.
    """
    connection = duckdb.connect(":memory:")
    connection.execute(f"attach '{_quoted(path)}' as published (read_only)")
    if identity_of(path) != identity:
        connection.close()
        raise Replaced
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


@lru_cache(maxsize=4)
def _definitions(path: Path, identity: Identity) -> dict[tuple[str, str], str]:
    rows = _rows(
        path,
        identity,
        "select table_name, '' as column_name, 0 as position, comment from duckdb_tables()"
        " where database_name = 'published' union all"
        " select table_name, column_name, column_index, comment from duckdb_columns()"
        " where database_name = 'published' order by 1, 3",
        (),
    ).to_pylist()
    return {(row["table_name"], row["column_name"]): row["comment"] or "" for row in rows}


@lru_cache(maxsize=4)
def _manifest(path: Path, _identity: Identity) -> Mapping[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content

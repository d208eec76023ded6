"""Keeps the work file about as small as what is in it.

DuckDB fills the room of what was deleted or replaced again and gives none of it back, so a file
that is refreshed by the day ends at twice its size. One that is more than a fifth larger than what
it holds, or than it was when it was last written as a whole, is written anew and put in its own
place. Growth of data costs a copy as well, but only each time that there is a fifth more of it.

Nothing half-written is ever the work file: the copy is checked and flushed before it is renamed.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from orchestration.published_folder import flush
from orchestration.raw_files import sql_text
from orchestration.settings import memory_limit

# A file so many times as large as it need be is written anew.
LARGEST_RATIO = 1.2


class CopyDiffers(Exception):
    """A copy that has not the tables, views and rows of the file."""


def compact(warehouse: Path) -> bool:
    """Write the work file anew where it has grown; whether it had.

    The caller holds its lock (WriterLock). Raises duckdb.Error, OSError or CopyDiffers where it
    cannot be done, as when somebody has the file open or the disk is full; it is then as before.
    """
    if not _has_grown(warehouse):
        return False
    copy = warehouse.with_name(f".{warehouse.name}.compact")
    _remove(copy)  # of one that was killed
    try:
        # Nothing may be left in the log of the old file, which the new one would be taken to have.
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("checkpoint")
        _write(warehouse, copy)
        with duckdb.connect(str(copy)) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute(
                "create or replace table raw.work_file as"
                f" select {copy.stat().st_size} as compact_bytes"
            )
        copy.chmod(warehouse.stat().st_mode)
        flush(copy)
        os.replace(copy, warehouse)
        flush(warehouse.parent)
    finally:
        _remove(copy)
    return True


def _has_grown(warehouse: Path) -> bool:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ((used,),) = connection.execute(
            "select block_size * used_blocks from pragma_database_size()"
        ).fetchall()
        is_noted = connection.execute(
            "from duckdb_tables() where schema_name = 'raw' and table_name = 'work_file'"
        ).fetchall()
        noted = connection.execute("from raw.work_file").fetchall() if is_noted else []
    needed = min(used, *(size for (size,) in noted)) if noted else used
    return bool(warehouse.stat().st_size > LARGEST_RATIO * needed)


def _write(warehouse: Path, copy: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = {sql_text(memory_limit())}")
        connection.execute(f"set temp_directory = {sql_text(f'{copy}.tmp')}")
        connection.execute(f"attach {sql_text(str(warehouse))} as before (read_only)")
        # Views name the database that they are in, which is named after its file.
        connection.execute(f'attach {sql_text(str(copy))} as "{warehouse.stem}"')
        connection.execute(f'copy from database before to "{warehouse.stem}"')
        contents = [_contents(connection, name) for name in ("before", warehouse.stem)]
        if contents[0] != contents[1]:
            raise CopyDiffers(f"the copy of {warehouse} has not the same tables and rows")
        connection.execute(f'checkpoint "{warehouse.stem}"')


def _contents(connection: duckdb.DuckDBPyConnection, database: str) -> dict[tuple[str, str], int]:
    """The tables of a database with their rows, and its views."""
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = ?", [database]
    ).fetchall()
    views = connection.execute(
        "select schema_name, view_name from duckdb_views()"
        " where database_name = ? and not internal",
        [database],
    ).fetchall()
    rows = {}
    for schema, table in tables:
        ((rows[schema, table],),) = connection.execute(
            f'select count(*) from "{database}"."{schema}"."{table}"'
        ).fetchall()
    return rows | dict.fromkeys(views, 0)


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)
    copy.with_name(f"{copy.name}.wal").unlink(missing_ok=True)

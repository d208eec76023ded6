"""Raw tables as Spark reads them: Parquet by its path, and what the checks before a build found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb

from orchestration.definition_digest import digest_definitions
from orchestration.funnels import funnel_faults_as_json
from orchestration.raw_folder import inspect_to_json, load_contract

MALFORMED_LINES = """
    create table malformed_lines (
        table_name varchar, file_name varchar, line_number bigint, fault varchar, line varchar
    )
"""


class PreparationFailed(Exception):
    """The raw data cannot be built from; the message says why, a sentence a line."""


def prepare(folder: Path, shop: Path | None) -> dict[str, str]:
    """Write raw Parquet and answers.json into `folder`; gives the path of each table's Parquet.

    `shop` is the shop's own folder of raw tables, None for the demo shop. Raises PreparationFailed.
    """
    report = json.loads(inspect_to_json(str(shop or "")))
    if report["faults"]:
        raise PreparationFailed("\n".join(report["faults"]))
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    paths = {}
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(MALFORMED_LINES)
        for found in report["tables"]:
            if found["file_format"] == "csv":
                _write_parquet(connection, found, Path(report["folder"]), new)
                paths[found["table_name"]] = str(folder / f"{found['table_name']}.parquet")
            elif found["file_format"] == "parquet":
                paths[found["table_name"]] = _path_of_parquet(found, Path(report["folder"]))
        connection.execute(f"copy malformed_lines to '{_quoted(new / 'malformed_lines.parquet')}'")
    answers = {
        "inspect_raw_folder": json.dumps(report),
        "inspect_funnels": funnel_faults_as_json(),
        "digest_definitions": digest_definitions(),
        "raw_paths": json.dumps(paths),
    }
    (new / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return paths


def _path_of_parquet(found: dict[str, Any], folder: Path) -> str:
    """The file, or the folder of parts, that Spark reads; parts must be alike."""
    if len(found["groups"]) > 1:
        raise PreparationFailed(
            f"{found['table_name']}: its Parquet files have columns of different types, which "
            "Spark does not read as one table. Write them with the same types."
        )
    if len(found["files"]) == 1:
        return str(folder / found["files"][0])
    return str(folder / found["table_name"])


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, found: dict[str, Any], folder: Path, target: Path
) -> None:
    """One table's CSV as one Parquet file of text; lines that are no rows are set aside."""
    columns = [column.name for column in load_contract()[found["table_name"]].columns]
    selects = []
    for group in found["groups"]:
        values = [
            f"nullif(trim(\"{name}\"), '') as {name}"
            if name in group["column_types"]
            else f"cast(null as varchar) as {name}"
            for name in columns
        ]
        file_name = f"replace(cartwright_file, '{_quoted(folder)}/', '') as file_name"
        selects.append(f"select {', '.join([*values, file_name])} from {group['reader']}")
    connection.execute(
        f"copy ({' union all '.join(selects)}) "
        f"to '{_quoted(target / found['table_name'])}.parquet' (format parquet, compression zstd)"
    )
    connection.execute(
        f"""
        insert into malformed_lines
        select
            '{found["table_name"]}',
            replace(scans.file_path, '{_quoted(folder)}/', ''),
            errors.line,
            arg_min(
                lower(cast(errors.error_type as varchar)) || ': ' || errors.error_message,
                errors.column_idx
            ),
            any_value(errors.csv_line)
        from reject_errors as errors
        inner join reject_scans as scans
            on errors.scan_id = scans.scan_id and errors.file_id = scans.file_id
        group by all
        """
    )
    connection.execute("drop table reject_errors; drop table reject_scans")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")

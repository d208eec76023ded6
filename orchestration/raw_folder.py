"""What a folder of raw tables holds, checked against the raw contract before anything is built.

The contract is data: the dbt properties of the raw seeds, `seeds/raw/raw_<table>.yml`. A folder
holds one file a table (`<table>.csv`, `<table>.parquet`) or a folder `<table>/` of parts. dbt asks
`inspect_folder` at the start of a build, through `orchestration.dbt_plugin`; a person asks with
`python -m orchestration.raw_folder FOLDER`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

PROJECT = Path(__file__).resolve().parent.parent
DEMO_FOLDER = PROJECT / "seeds" / "raw"
DEMO_PREFIX = "raw_"
DELIMITERS = (",", ";", "\t", "|")
MAX_LINE_BYTES = 2_097_152

# The DuckDB types that hold what the contract calls a string, a timestamp, ...; in CSV all is text.
_INTEGERS = r"U?(TINYINT|SMALLINT|INTEGER|BIGINT)|HUGEINT"
_NUMBERS = rf"{_INTEGERS}|FLOAT|DOUBLE|DECIMAL\(.*\)"
_ACCEPTED_TYPES = {
    "string": rf"VARCHAR|UUID|ENUM\(.*\)|{_INTEGERS}",
    "timestamp": r"VARCHAR|DATE|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE",
    "date": r"VARCHAR|DATE|TIMESTAMP(_S|_MS|_NS)?",
    "boolean": rf"VARCHAR|BOOLEAN|{_INTEGERS}",
    "bigint": rf"VARCHAR|{_NUMBERS}",
    "decimal": rf"VARCHAR|{_NUMBERS}",
}
_WORDS = {
    "string": "text (ids and names are text)",
    "timestamp": "a time: ISO 8601 text or TIMESTAMP",
    "date": "a date: YYYY-MM-DD text or DATE",
    "boolean": "true/false",
    "bigint": "a whole number",
    "decimal": "a decimal number",
}


class RawFolderError(Exception):
    """The folder cannot be built from; each argument is one sentence that says what to mend."""

    def __str__(self) -> str:
        return "\n".join(self.args)


@dataclass(frozen=True)
class Column:
    """A column of the contract; `kind` is its type without precision (`decimal`)."""

    name: str
    data_type: str
    is_required: bool

    @property
    def kind(self) -> str:
        return self.data_type.split("(")[0]


@dataclass(frozen=True)
class Table:
    """A table of the contract."""

    name: str
    is_required: bool
    columns: tuple[Column, ...]


@dataclass
class FileGroup:
    """Files of one table that are read in one go; `reader` is the DuckDB call that does it."""

    files: list[str]
    columns: list[str]
    reader: str


@dataclass
class RawFiles:
    """What the folder holds of one table; `file_format` is csv, parquet or absent."""

    table_name: str
    file_format: str = "absent"
    files: list[str] = field(default_factory=list)
    groups: list[FileGroup] = field(default_factory=list)
    column_types: dict[str, str] = field(default_factory=dict)
    missing_columns: list[str] = field(default_factory=list)
    unknown_columns: list[str] = field(default_factory=list)


@cache
def load_contract() -> dict[str, Table]:
    """The raw contract by table name, read from `seeds/raw/raw_*.yml`."""
    contract = {}
    for path in sorted(DEMO_FOLDER.glob(f"{DEMO_PREFIX}*.yml")):
        for seed in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]:
            columns = tuple(
                Column(
                    name=column["name"],
                    data_type=column["data_type"],
                    is_required=_meta(column).get("required", False),
                )
                for column in seed["columns"]
            )
            name = seed["name"].removeprefix(DEMO_PREFIX)
            contract[name] = Table(name, _meta(seed).get("is_required", False), columns)
    return contract


def _meta(properties: dict[str, Any]) -> dict[str, Any]:
    meta: dict[str, Any] = properties.get("config", {}).get("meta", {})
    return meta


def inspect_folder(folder: Path, prefix: str = "") -> list[RawFiles]:
    """What `folder` holds of each table of the contract, in the contract's order.

    `prefix` stands before each table's file name (the demo's files are named as dbt seeds).
    Reads headers and footers, and each CSV once from end to end, so that a file that cannot be
    read stops a build before it has changed anything. Raises RawFolderError with every fault found.
    """
    if not folder.is_dir():
        raise RawFolderError(
            f"{folder}: expected a folder of raw tables (orders.csv or orders.parquet, ...); "
            "set raw_path or CARTWRIGHT_RAW_PATH to one that exists."
        )
    found, faults = [], []
    for table in load_contract().values():
        try:
            found.append(_inspect_table(folder, table, prefix))
        except RawFolderError as error:
            faults.extend(error.args)
    if faults:
        raise RawFolderError(*faults)
    return found


def _inspect_table(folder: Path, table: Table, prefix: str) -> RawFiles:
    file_format, files = _find_files(folder, table, prefix)
    if file_format == "absent":
        return RawFiles(table.name, missing_columns=[column.name for column in table.columns])
    read_headers = _inspect_csv if file_format == "csv" else _inspect_parquet
    groups, column_types = read_headers(files, folder)
    known = {column.name for column in table.columns}
    present = {name for group in groups for name in group.columns}
    faults = [
        f"{_relative(file, folder)}: the required column {column.name} is missing; "
        f"found {', '.join(group.columns)}. Add the column, or rename the one that holds it."
        for group in groups
        for column in table.columns
        if column.is_required and column.name not in group.columns
        for file in group.files[:1]
    ] + [
        f"{_relative(files[0], folder)}: column {column.name} is {column_types[column.name]}, "
        f"expected {_WORDS[column.kind]}. Export it as such."
        for column in table.columns
        if column.name in column_types
        and not re.fullmatch(_ACCEPTED_TYPES[column.kind], column_types[column.name])
    ]
    if faults:
        raise RawFolderError(*faults)
    return RawFiles(
        table_name=table.name,
        file_format=file_format,
        files=[_relative(file, folder) for file in files],
        groups=groups,
        column_types=column_types,
        missing_columns=[column.name for column in table.columns if column.name not in present],
        unknown_columns=sorted(present - known),
    )


def _find_files(folder: Path, table: Table, prefix: str) -> tuple[str, list[Path]]:
    """The table's files in a fixed order, and their format; `<table>/` holds parts of one format."""
    base = folder / f"{prefix}{table.name}"
    by_format = {
        extension: [path for path in (base.with_name(f"{base.name}.{extension}"),) if path.is_file()]
        + sorted(path for path in base.rglob(f"*.{extension}") if path.is_file())
        for extension in ("csv", "parquet")
    }
    formats = [extension for extension, files in by_format.items() if files]
    if len(formats) > 1 or any(
        len(files) > 1 and files[0].parent == folder for files in by_format.values()
    ):
        names = ", ".join(_relative(files[0], folder) for files in by_format.values() if files)
        raise RawFolderError(
            f"{base.name}: found more than one form of this table ({names}, ...); "
            "expected one file, or one folder of parts of one format. Keep one."
        )
    if formats:
        return formats[0], by_format[formats[0]]
    if table.is_required:
        raise RawFolderError(
            f"{folder}: the required table {table.name} is missing; expected "
            f"{base.name}.csv, {base.name}.parquet or a folder {base.name}/ of such parts."
        )
    return "absent", []


def _inspect_csv(files: list[Path], folder: Path) -> tuple[list[FileGroup], dict[str, str]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    faults = []
    for file in files:
        try:
            delimiter, columns = _read_header(file, folder)
            _scan_csv(file, folder, delimiter, columns)
        except RawFolderError as error:
            faults.extend(error.args)
            continue
        groups.setdefault((delimiter, *columns), []).append(str(file))
    if faults:
        raise RawFolderError(*faults)
    return [
        FileGroup(names, columns, read_csv_sql(names, columns, delimiter))
        for (delimiter, *columns), names in groups.items()
    ], {}


def _read_header(file: Path, folder: Path) -> tuple[str, list[str]]:
    """The delimiter and the column names, in lower case, of a CSV's first line."""
    name = _relative(file, folder)
    try:
        with file.open("rb") as stream:
            first = stream.readline(MAX_LINE_BYTES)
    except OSError as error:
        raise RawFolderError(f"{name}: cannot be read ({error.strerror}); check its rights.") from None
    if not first.strip():
        raise RawFolderError(
            f"{name}: the file is empty; expected a header line with the column names. "
            "Write the header, or remove the file."
        )
    try:
        if first.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UnicodeError
        line = first.decode("utf-8-sig")
    except UnicodeError:
        raise RawFolderError(
            f"{name}: the header is not UTF-8 text; save the file as UTF-8."
        ) from None
    delimiter = max(DELIMITERS, key=line.count)
    columns = [column.strip().lower() for column in next(csv.reader([line], delimiter=delimiter))]
    for column, count in Counter(columns).items():
        if count > 1:
            raise RawFolderError(
                f"{name}: the header names column '{column}' {count} times; expected each once. "
                "Rename or remove the others."
            )
    return delimiter, columns


def _scan_csv(file: Path, folder: Path, delimiter: str, columns: list[str]) -> None:
    """Read the file once: a line that breaks the form is set aside later, the rest must parse."""
    query = f"select count(*) from {read_csv_sql([str(file)], columns, delimiter)}"
    try:
        with duckdb.connect() as connection:
            connection.execute(query)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if "state machine" in reason:
            reason = "line ends of more than one kind, or a quote inside a quoted value"
        raise RawFolderError(
            f"{_relative(file, folder)}: cannot be read as CSV ({reason}); expected UTF-8, one header "
            "line, one kind of line end, quotes doubled inside quotes. Export it again."
        ) from None


def read_csv_sql(files: list[str], columns: list[str], delimiter: str) -> str:
    """The DuckDB table function that reads CSV `files` as text, setting ragged lines aside."""
    names = ", ".join(f"{sql_text(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv([{', '.join(map(sql_text, files))}], columns={{{names}}}, auto_detect=false, "
        f"header=true, delim={sql_text(delimiter)}, quote='\"', escape='\"', strict_mode=true, "
        f"max_line_size={MAX_LINE_BYTES}, store_rejects=true)"
    )


def _inspect_parquet(files: list[Path], folder: Path) -> tuple[list[FileGroup], dict[str, str]]:
    names = [str(file) for file in files]
    with duckdb.connect() as connection:
        try:
            schema = _describe_parquet(connection, names)
            rows = connection.execute(
                "select file_name, list(lower(name)) from parquet_schema($1)"
                " where num_children is null group by file_name",
                [names],
            ).fetchall()
        except duckdb.Error as error:
            raise _name_bad_parquet(connection, files, folder, error) from None
    groups: dict[tuple[str, ...], list[str]] = {}
    for file_name, columns in sorted(rows):
        groups.setdefault(tuple(sorted(columns)), []).append(file_name)
    return [
        FileGroup(names, list(columns), f"read_parquet([{', '.join(map(sql_text, names))}])")
        for columns, names in groups.items()
    ], schema


def _describe_parquet(connection: duckdb.DuckDBPyConnection, files: list[str]) -> dict[str, str]:
    rows = connection.execute(
        "describe select * from read_parquet($1, union_by_name=true, hive_partitioning=false)",
        [files],
    ).fetchall()
    return {row[0].lower(): row[1] for row in rows}


def _name_bad_parquet(
    connection: duckdb.DuckDBPyConnection, files: list[Path], folder: Path, error: duckdb.Error
) -> RawFolderError:
    faults = []
    for file in files:
        try:
            _describe_parquet(connection, [str(file)])
        except duckdb.Error as reason:
            faults.append(
                f"{_relative(file, folder)}: cannot be read as Parquet "
                f"({str(reason).splitlines()[0]}); expected a whole Parquet file. "
                "Write it again, or remove it."
            )
    return RawFolderError(
        *faults
        or [
            f"{_relative(files[0], folder)} and the other parts: their columns do not fit together "
            f"({str(error).splitlines()[0]}); expected one type a column. Export them alike."
        ]
    )


def sql_text(value: str) -> str:
    """`value` as a SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def resolve_folder(raw_path: str) -> tuple[Path, str]:
    """The folder to read and its file prefix: the demo shop where `raw_path` is empty."""
    if not raw_path:
        return DEMO_FOLDER, DEMO_PREFIX
    return Path(raw_path).expanduser().resolve(), ""


def inspect_to_json(raw_path: str) -> str:
    """`inspect_folder` for SQL: JSON with `folder`, `faults` (sentences) and `tables`."""
    folder, prefix = resolve_folder(raw_path)
    try:
        tables, faults = [asdict(found) for found in inspect_folder(folder, prefix)], []
    except RawFolderError as error:
        tables, faults = [], list(error.args)
    return json.dumps({"folder": str(folder), "faults": faults, "tables": tables})


def main(arguments: Iterable[str] | None = None) -> int:
    """Print what a folder holds; exit 1 with a sentence per fault where it cannot be built from."""
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.raw_folder",
        description="Check a folder of raw tables against the raw contract, without building.",
    )
    parser.add_argument("folder", nargs="?", default="", help="default: the demo shop")
    options = parser.parse_args(None if arguments is None else list(arguments))
    try:
        tables = inspect_folder(*resolve_folder(options.folder))
    except RawFolderError as error:
        print(error, file=sys.stderr)
        return 1
    for table in tables:
        notes = [f"{len(table.files)} {table.file_format}" if table.files else "absent"]
        if table.files and table.missing_columns:
            notes.append("without " + ", ".join(table.missing_columns))
        if table.unknown_columns:
            notes.append("unknown, ignored: " + ", ".join(table.unknown_columns))
        print(f"{table.table_name:<18} {'; '.join(notes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

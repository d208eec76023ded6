"""What a folder of raw tables holds, checked against the raw contract before anything is built.

The contract is data: the dbt properties of the raw seeds, `seeds/raw/raw_<table>.yml`. A folder
holds one file a table (`<table>.csv`, `<table>.parquet`) or a folder `<table>/` of parts. dbt asks
`inspect_folder` at the start of a build, through `orchestration.dbt_plugin`; a person asks with
`python -m orchestration.raw_folder FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from orchestration.raw_files import (
    FileGroup,
    RawFileError,
    inspect_csv,
    inspect_parquet,
    relative,
)

PROJECT = Path(__file__).resolve().parent.parent
DEMO_FOLDER = PROJECT / "seeds" / "raw"
DEMO_PREFIX = "raw_"

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


@dataclass(frozen=True)
class Column:
    """A column of the contract."""

    name: str
    data_type: str
    is_required: bool

    @property
    def kind(self) -> str:
        """The type without precision: decimal(18,2) is a decimal."""
        return self.data_type.split("(")[0]


@dataclass(frozen=True)
class Table:
    """A table of the contract."""

    name: str
    is_required: bool
    columns: tuple[Column, ...]


@dataclass
class RawFiles:
    """What the folder holds of one table; `file_format` is csv, parquet or absent.

    `stamps` has `<bytes>-<time of change>` for each of `files`.
    """

    table_name: str
    file_format: str = "absent"
    files: list[str] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    groups: list[FileGroup] = field(default_factory=list)
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
    read stops a build before it has changed anything. Raises RawFileError with every fault found.
    """
    if not folder.is_dir():
        raise RawFileError(
            f"{folder}: expected a folder of raw tables (orders.csv or orders.parquet, ...); "
            "set raw_path or CARTWRIGHT_RAW_PATH to one that exists."
        )
    found: list[RawFiles] = []
    faults: list[str] = []
    for table in load_contract().values():
        try:
            found.append(_inspect_table(folder, table, prefix))
        except RawFileError as error:
            faults.extend(error.args)
    if faults:
        raise RawFileError(*faults)
    return found


def _inspect_table(folder: Path, table: Table, prefix: str) -> RawFiles:
    file_format, files = _find_files(folder, table, prefix)
    if file_format == "absent":
        return RawFiles(table.name, missing_columns=[column.name for column in table.columns])
    inspect = inspect_csv if file_format == "csv" else inspect_parquet
    groups = inspect(files, folder)
    known = {column.name for column in table.columns}
    present = {name for group in groups for name in group.column_types}
    faults = [fault for group in groups for fault in _breaches(group, table, folder)]
    if faults:
        raise RawFileError(*faults)
    return RawFiles(
        table_name=table.name,
        file_format=file_format,
        files=[relative(file, folder) for file in files],
        stamps=[_stamp(file) for file in files],
        groups=groups,
        missing_columns=[column.name for column in table.columns if column.name not in present],
        unknown_columns=sorted(present - known),
    )


def _stamp(file: Path) -> str:
    """Tells whether a file is still the same one."""
    status = file.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def _breaches(group: FileGroup, table: Table, folder: Path) -> list[str]:
    """What the files' columns and types lack of the contract, a sentence each."""
    name = relative(Path(group.files[0]), folder)
    faults = []
    for column in table.columns:
        found = group.column_types.get(column.name)
        if found is None and column.is_required:
            faults.append(
                f"{name}: the required column {column.name} is missing; found "
                f"{', '.join(group.column_types)}. Add the column, or rename the one that holds it."
            )
        elif found and not re.fullmatch(_ACCEPTED_TYPES[column.kind], found):
            faults.append(
                f"{name}: column {column.name} is {found}, expected {_WORDS[column.kind]}. "
                "Export it as such."
            )
    return faults


def _find_files(folder: Path, table: Table, prefix: str) -> tuple[str, list[Path]]:
    """The table's files in a fixed order, and their format; `<table>/` holds parts of one."""
    base = folder / f"{prefix}{table.name}"
    by_format = {
        extension: [
            path
            for path in [folder / f"{base.name}.{extension}", *sorted(base.rglob(f"*.{extension}"))]
            if path.is_file()
        ]
        for extension in ("csv", "parquet")
    }
    formats = [extension for extension, files in by_format.items() if files]
    if len(formats) > 1 or any(
        len(files) > 1 and files[0].parent == folder for files in by_format.values()
    ):
        names = ", ".join(relative(files[0], folder) for files in by_format.values() if files)
        raise RawFileError(
            f"{base.name}: found more than one form of this table ({names}, ...); "
            "expected one file, or one folder of parts of one format. Keep one."
        )
    if formats:
        return formats[0], by_format[formats[0]]
    if table.is_required:
        raise RawFileError(
            f"{folder}: the required table {table.name} is missing; expected "
            f"{base.name}.csv, {base.name}.parquet or a folder {base.name}/ of such parts."
        )
    return "absent", []


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
    except RawFileError as error:
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
    except RawFileError as error:
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

"""Reads what the files of one raw table hold: columns, types, and whether they are whole.

DuckDB's readers are strict here and lenient nowhere: a line of a CSV that breaks its form is set
aside with its number when the file is loaded, and a file that cannot be read at all is told in one
sentence by RawFileError, before anything is loaded.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

DELIMITERS = (",", ";", "\t", "|")
MAX_LINE_BYTES = 2_097_152


class RawFileError(Exception):
    """Files that cannot be built from; each argument is one sentence that says what to mend."""

    def __str__(self) -> str:
        """All sentences, a line each."""
        return "\n".join(self.args)


@dataclass(frozen=True)
class FileGroup:
    """Files of one table with the same columns and types, read by one DuckDB call, `reader`.

    `column_types` maps a column's name in lower case to its DuckDB type; in CSV all is VARCHAR.
    """

    files: list[str]
    column_types: dict[str, str]
    reader: str


def inspect_csv(files: list[Path], folder: Path) -> list[FileGroup]:
    """The CSV files by header; each is read once from end to end, to know that it can be."""
    groups: dict[tuple[str, ...], list[Path]] = defaultdict(list)

    def inspect(file: Path) -> None:
        delimiter, columns = _read_header(file, folder)
        _scan_csv(file, folder, delimiter, columns)
        groups[delimiter, *columns].append(file)

    _for_each(files, inspect)
    return [
        FileGroup(
            [str(file) for file in group],
            dict.fromkeys(columns, "VARCHAR"),
            csv_reader(group, columns, delimiter),
        )
        for (delimiter, *columns), group in groups.items()
    ]


def _for_each(files: Iterable[Path], inspect: Callable[[Path], None]) -> None:
    """Inspect every file and raise the faults of all of them together."""
    faults: list[str] = []
    for file in files:
        try:
            inspect(file)
        except RawFileError as error:
            faults.extend(error.args)
    if faults:
        raise RawFileError(*faults)


def _read_header(file: Path, folder: Path) -> tuple[str, list[str]]:
    """The delimiter and the column names, in lower case, of a CSV's first line."""
    name = relative(file, folder)
    try:
        with file.open("rb") as stream:
            first = stream.readline(MAX_LINE_BYTES)
    except OSError as error:
        raise RawFileError(
            f"{name}: cannot be read ({error.strerror}); check its rights."
        ) from None
    if not first.strip():
        raise RawFileError(
            f"{name}: the file is empty; expected a header line with the column names. "
            "Write the header, or remove the file."
        )
    try:
        line = first.decode("utf-8-sig")
    except UnicodeError:
        line = "\0"
    if "\0" in line:
        raise RawFileError(f"{name}: the header is not UTF-8 text; save the file as UTF-8.")
    delimiter = max(DELIMITERS, key=line.count)
    try:
        columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        raise RawFileError(
            f"{name}: the first line is no CSV header; expected the column names and a line end "
            "(\\n or \\r\\n). Export it again."
        ) from None
    _check_names(name, columns)
    return delimiter, columns


def _check_names(file_name: str, columns: list[str]) -> None:
    """Each column has a name, once; upper and lower case are one name."""
    for column, count in Counter(columns).items():
        if not column:
            raise RawFileError(
                f"{file_name}: column {columns.index('') + 1} of the header has no name; expected "
                "a first line with a name for each column. Name the column, or remove it."
            )
        if count > 1:
            raise RawFileError(
                f"{file_name}: column '{column}' is there {count} times; expected each name once. "
                "Rename or remove the others."
            )


def _scan_csv(file: Path, folder: Path, delimiter: str, columns: list[str]) -> None:
    """Read the file once: a line that breaks the form is set aside later, the rest must parse."""
    name = relative(file, folder)
    with duckdb.connect() as connection:
        try:
            reader = csv_reader([file], columns, delimiter)
            connection.execute(f"select count(*) from {reader}").fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            if "state machine" in reason:
                reason = "line ends of more than one kind, or text behind a closing quote"
            raise RawFileError(
                f"{name}: cannot be read as CSV ({reason}); expected UTF-8, one header line, one "
                "kind of line end, quotes doubled inside quotes. Export it again."
            ) from None
        open_quote = connection.execute(
            "select min(line) from reject_errors"
            " where error_type = 'UNQUOTED VALUE' and contains(trim(csv_line, chr(10)), chr(10))"
        ).fetchone()
    if open_quote and open_quote[0]:
        raise RawFileError(
            f"{name}: a quote is opened on line {open_quote[0]} and not closed there, so the lines "
            'after it cannot be told apart; expected "..." around a value, with quotes inside it '
            "doubled. Close it, or export the file again."
        )


def csv_reader(files: list[Path], columns: list[str], delimiter: str) -> str:
    """The DuckDB call that reads CSV files as text and sets lines that break the form aside."""
    names = ", ".join(f"{sql_text(column)}: 'VARCHAR'" for column in columns)
    return (
        f"read_csv({_file_list(files)}, columns={{{names}}}, auto_detect=false, header=true, "
        f"delim={sql_text(delimiter)}, quote='\"', escape='\"', strict_mode=true, "
        f"max_line_size={MAX_LINE_BYTES}, store_rejects=true, filename='cartwright_file')"
    )


def inspect_parquet(files: list[Path], folder: Path) -> list[FileGroup]:
    """The Parquet files by columns and types, as their footers tell.

    A single file is decoded too; of a folder of parts, which may be long, only the footers.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = defaultdict(list)
    with duckdb.connect() as connection:
        alike = _by_footer(connection, files)

        def inspect(file: Path) -> None:
            types = _parquet_columns(connection, file, folder, decode=len(files) == 1)
            groups[tuple(sorted(types.items()))] += alike[file]

        _for_each(alike, inspect)
    return [
        FileGroup(
            [str(file) for file in sorted(group)],
            dict(types),
            f"read_parquet({_file_list(sorted(group))}, filename='cartwright_file', "
            "hive_partitioning=false)",
        )
        for types, group in groups.items()
    ]


def _by_footer(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> dict[Path, list[Path]]:
    """Files whose footers tell of the same columns, by the first of them, all read in one query.

    Each is by itself where one cannot be read, so that each is told what is wrong with it.
    """
    try:
        elements = connection.execute(
            "select file_name, name, type, type_length, repetition_type, num_children, "
            "converted_type, scale, precision, logical_type "
            f"from parquet_schema({_file_list(files)})"
        ).fetchall()
    except duckdb.Error:
        return {file: [file] for file in files}
    footers: dict[str, list[tuple[object, ...]]] = {}
    for file_name, *element in elements:
        footers.setdefault(file_name, []).append(tuple(element))
    alike: dict[tuple[tuple[object, ...], ...], list[Path]] = defaultdict(list)
    for file in files:
        # One that DuckDB should name otherwise is alike to itself alone.
        alike[tuple(footers.get(str(file), [(file,)]))].append(file)
    return {first: [first, *others] for first, *others in alike.values()}


def _parquet_columns(
    connection: duckdb.DuckDBPyConnection, file: Path, folder: Path, decode: bool
) -> dict[str, str]:
    """The types by column name of one Parquet file; a column of nothing but NULL may have none."""
    name = relative(file, folder)
    try:
        rows = connection.execute(
            f"describe select * from read_parquet({_file_list([file])}, hive_partitioning=false)"
        ).fetchall()
        untyped = connection.execute(
            "select lower(name) from parquet_schema($1) where logical_type = 'NullType()'",
            [_escaped(file)],
        ).fetchall()
        if decode and rows:
            rows_read = f"read_parquet({_file_list([file])}, hive_partitioning=false) as rows_read"
            connection.execute(f"select bit_xor(hash(rows_read)) from {rows_read}").fetchall()
    except duckdb.Error as error:
        raise RawFileError(
            f"{name}: cannot be read as Parquet ({str(error).splitlines()[0]}); expected a whole "
            "Parquet file. Write it again, or remove it."
        ) from None
    _check_names(name, _names_as_written(connection, file))
    absent = {column for (column,) in untyped}
    return {row[0].lower(): row[1] for row in rows if row[0].lower() not in absent}


def _names_as_written(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The names of the top-level columns, in lower case; `describe` would number equal ones."""
    rows = connection.execute(
        "select lower(name), coalesce(num_children, 0) from parquet_schema($1)", [_escaped(file)]
    ).fetchall()
    names, nested = [], [0]
    for name, children in rows[1:]:
        while nested[-1] == 0 and len(nested) > 1:
            nested.pop()
        if len(nested) == 1:
            names.append(name)
        else:
            nested[-1] -= 1
        if children:
            nested.append(children)
    return names


def _file_list(files: Iterable[Path]) -> str:
    return f"[{', '.join(sql_text(_escaped(file)) for file in files)}]"


def _escaped(file: Path) -> str:
    """The path as a pattern that fits itself alone, which is what DuckDB's readers take."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(file))


def sql_text(value: str) -> str:
    """`value` as a SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def relative(file: Path, folder: Path) -> str:
    """The file's path within the folder, with forward slashes."""
    return file.relative_to(folder).as_posix()

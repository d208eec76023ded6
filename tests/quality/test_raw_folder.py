"""orchestration/raw_folder.py: what a folder holds, or what is wrong with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shops import PROJECT, small_shop, write_csv, write_tables

from orchestration.raw_files import RawFileError, sql_text
from orchestration.raw_folder import (
    DEMO_FOLDER,
    RawFiles,
    inspect_folder,
    inspect_to_json,
    load_contract,
    main,
    resolve_folder,
)

ORDERS = "order_id,ordered_at,status\nA,2024-01-01T10:00:00Z,paid\nB,2024-01-02T10:00:00Z,paid\n"
# One value that a Parquet column of each kind of the contract may come as, and one that it may not.
PARQUET_TYPES = {
    "string": (
        ["TEXT", "UUID", "BIGINT", "USMALLINT"],
        ["DOUBLE", "BLOB", "TIMESTAMP", "DECIMAL(9,2)"],
    ),
    "timestamp": (["TEXT", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "DATE"], ["BIGINT", "TIME"]),
    "date": (["TEXT", "DATE", "TIMESTAMP"], ["INTEGER", "BOOLEAN", "TIMESTAMPTZ"]),
    "boolean": (["TEXT", "BOOLEAN", "TINYINT"], ["DOUBLE", "DATE"]),
    "bigint": (["TEXT", "INTEGER", "UBIGINT", "DOUBLE", "DECIMAL(9,0)"], ["BOOLEAN", "DATE"]),
    "decimal": (["TEXT", "DECIMAL(18,4)", "FLOAT", "INTEGER"], ["BOOLEAN", "BLOB"]),
}
VALUES = {"UUID": "uuid()", "DATE": "current_date", "BLOB": "'a'::blob", "BOOLEAN": "true"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small shop as CSV."""
    return write_tables(tmp_path, small_shop())


def table_of(folder: Path, name: str) -> RawFiles:
    """What the folder holds of one table."""
    (found,) = [table for table in inspect_folder(folder) if table.table_name == name]
    return found


def faults_of(folder: Path) -> tuple[str, ...]:
    """The sentences about a folder that cannot be built from."""
    with pytest.raises(RawFileError) as error:
        inspect_folder(folder)
    return error.value.args


def rows_read(table: RawFiles) -> list[tuple[Any, ...]]:
    """The order ids that the table's readers give, sorted."""
    with duckdb.connect() as connection:
        return sorted(
            row
            for group in table.groups
            for row in connection.execute(f"select order_id from {group.reader}").fetchall()
        )


# --- The contract -----------------------------------------------------------------------


def test_the_contract_is_that_of_the_demo_seeds() -> None:
    """Only orders and order_items are required, and every table has its columns."""
    contract = load_contract()
    assert len(contract) == 18
    assert {name for name, table in contract.items() if table.is_required} == {
        "orders",
        "order_items",
    }
    required = [column.name for column in contract["orders"].columns if column.is_required]
    assert required == ["order_id", "ordered_at", "status"]
    assert contract["order_items"].columns[4].kind == "decimal"


def test_the_demo_can_be_built_from() -> None:
    """Where no folder is named, the demo shop is read, whole."""
    demo = inspect_folder(*resolve_folder(""))
    assert [table.table_name for table in demo] == list(load_contract())
    assert all(table.files == [f"raw_{table.table_name}.csv"] for table in demo)
    assert not any(table.missing_columns or table.unknown_columns for table in demo)


def test_a_path_is_made_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`~` and relative paths mean what they mean in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert resolve_folder("~/shop") == resolve_folder("shop") == (tmp_path / "shop", "")
    assert resolve_folder("") == (DEMO_FOLDER, "raw_")


# --- What a folder holds ----------------------------------------------------------------


def test_tables_are_found_or_absent(folder: Path) -> None:
    """A table has files, columns that it lacks and columns that nobody knows, or is absent."""
    write_csv(folder / "refunds.csv", [{**small_shop()["refunds"][0], "Note": "x", "a b": "y"}])
    found = {table.table_name: table for table in inspect_folder(folder)}
    assert list(found) == list(load_contract())
    refunds = found["refunds"]
    assert (refunds.file_format, refunds.files) == ("csv", ["refunds.csv"])
    assert refunds.missing_columns == ["reason"]
    assert refunds.unknown_columns == ["a b", "note"]
    assert found["events"].file_format == "absent"
    assert "event_id" in found["events"].missing_columns
    assert not found["events"].groups


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_dialects_of_csv_are_read(folder: Path, delimiter: str, mark: bytes, line_end: str) -> None:
    """Any usual delimiter and line end, a byte order mark, any case of names: the same rows."""
    header, lines = ORDERS.split("\n", 1)
    text = f'"{header.upper()}\n{lines}'.replace(",", delimiter).replace("\n", line_end)
    text = text.replace("ORDER_ID", ' ORDER_ID "', 1)
    (folder / "orders.csv").write_bytes(mark + text.encode())
    table = table_of(folder, "orders")
    assert list(table.groups[0].column_types) == ["order_id", "ordered_at", "status"]
    assert rows_read(table) == [("A",), ("B",)]


def test_parts_are_read_in_groups_of_one_header(folder: Path) -> None:
    """Parts may lie deep, and have columns in another order; names fix the order of parts."""
    (folder / "orders.csv").unlink()
    for name, text in (
        ("b.csv", ORDERS),
        ("deep/er/a.csv", "status,order_id,ordered_at\npaid,C,2024-01-03\n"),
        ('it\'s "d", [1].csv', ORDERS.replace("A,", "D,").replace("B,", "E,")),
        ("empty.csv", ORDERS.splitlines()[0]),
    ):
        path = folder / "orders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    table = table_of(folder, "orders")
    assert table.files == sorted(table.files)
    assert len(table.files) == 4
    assert len(table.groups) == 2
    assert rows_read(table) == [("A",), ("B",), ("C",), ("D",), ("E",)]


@pytest.mark.parametrize(
    ("kind", "data_type", "is_accepted"),
    [
        (kind, data_type, is_accepted)
        for kind, lists in PARQUET_TYPES.items()
        for is_accepted, types in zip((True, False), lists, strict=True)
        for data_type in types
    ],
)
def test_parquet_types(tmp_path: Path, kind: str, data_type: str, is_accepted: bool) -> None:
    """A Parquet column comes in a type that holds its kind of value, or is refused by name."""
    table, column = {
        "string": ("orders", "customer_id"),
        "timestamp": ("orders", "delivered_at"),
        "date": ("customers", "birth_date"),
        "boolean": ("customers", "marketing_opt_in"),
        "bigint": ("refunds", "quantity"),
        "decimal": ("orders", "tax_amount"),
    }[kind]
    write_tables(tmp_path, small_shop())
    required = {name.name: "'A'" for name in load_contract()[table].columns if name.is_required}
    value = VALUES.get(data_type, "'2024-01-01 10:00:00'" if "TIME" in data_type else "1")
    columns = ", ".join(
        f"{expression} as {name}"
        for name, expression in (required | {column: f"cast({value} as {data_type})"}).items()
    )
    (tmp_path / f"{table}.csv").unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"copy (select {columns}) to '{tmp_path}/{table}.parquet'")
    if is_accepted:
        assert table_of(tmp_path, table).groups[0].column_types[column]
    else:
        (fault,) = faults_of(tmp_path)
        assert re.match(rf"{table}\.parquet: column {column} is .+, expected .+\. Export", fault)


def test_a_parquet_column_of_nothing_is_accepted(folder: Path) -> None:
    """Pandas writes a column without one value with no type: it fits every kind."""
    (folder / "orders.csv").unlink()
    rows = pa.table({"order_id": ["A"], "ordered_at": ["2024-01-01"], "status": ["paid"]})
    for column in ("customer_id", "delivered_at", "tax_amount"):
        rows = rows.append_column(column, pa.nulls(1))
    pq.write_table(rows, folder / "orders.parquet")
    assert rows_read(table_of(folder, "orders")) == [("A",)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_faulty_part_is_named(folder: Path, suffix: str) -> None:
    """Of a hundred parts the user hears which ones to mend, each once."""
    (folder / "orders.csv").unlink()
    (folder / "orders").mkdir()
    for name in ("1", "2", "3"):
        (folder / "orders" / f"{name}.{suffix}").write_bytes(b"")
    good = folder / "orders" / f"2.{suffix}"
    if suffix == "csv":
        good.write_text(ORDERS)
    else:
        pq.write_table(
            pa.table({"order_id": ["A"], "ordered_at": ["2024-01-01"], "status": ["paid"]}), good
        )
    assert [fault.partition(":")[0] for fault in faults_of(folder)] == [
        f"orders/1.{suffix}",
        f"orders/3.{suffix}",
    ]


def test_the_part_that_lacks_a_column_is_named(folder: Path) -> None:
    """A required column must be in every part: the one without it is the one to mend."""
    (folder / "orders.csv").unlink()
    (folder / "orders").mkdir()
    (folder / "orders" / "1.csv").write_text(ORDERS)
    (folder / "orders" / "2.csv").write_text("order_id,ordered_at\nC,2024-01-03\n")
    (fault,) = faults_of(folder)
    assert fault.startswith("orders/2.csv: the required column status is missing")


def test_faults_of_all_tables_are_told(folder: Path) -> None:
    """One look tells everything that has to be mended."""
    (folder / "order_items.csv").unlink()
    (folder / "orders.csv").write_bytes(b"")
    (folder / "refunds.csv").write_bytes(b"refund_id,Refund_ID\n")
    faults = faults_of(folder)
    assert len(faults) == 3
    for table in ("order_items", "orders", "refunds"):
        assert any(table in fault.partition(";")[0] for fault in faults)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """A missing folder, and a file in its place, are told with what to set."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        (fault,) = faults_of(path)
        assert str(path) in fault
        assert "CARTWRIGHT_RAW_PATH" in fault


def test_other_files_are_let_be(folder: Path) -> None:
    """A read-me, a backup or a file of another program beside the tables is nobody's business."""
    for name in ("README.md", "orders.csv.bak", "orders.xlsx", "my_orders.csv"):
        (folder / name).write_text("anything")
    (folder / "events").mkdir()
    (folder / "events" / "_SUCCESS").touch()
    assert table_of(folder, "orders").files == ["orders.csv"]
    assert table_of(folder, "events").file_format == "absent"


# --- Any bytes --------------------------------------------------------------------------


@given(
    content=st.binary(max_size=200) | st.text('ordeins_"",;\r\n\t ', max_size=60).map(str.encode)
)
@example(content=b"order_id,ordered_at,status\rA,2024-01-01,paid\r")
@example(content=b"order_id\n")
@example(content=b"order_id,ordered_at,status,\n")
@example(content=b'"order_id,ordered_at,status\n')
def test_any_bytes_are_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whatever a file holds, the inspection ends with what it found or with a sentence."""
    folder = write_tables(tmp_path_factory.mktemp("any"), small_shop())
    (folder / "orders.csv").write_bytes(content)
    report = json.loads(inspect_to_json(str(folder)))
    assert bool(report["faults"]) != bool(report["tables"])
    assert all(fault.startswith("orders.csv: ") for fault in report["faults"])


@given(text=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_sql_text_is_the_text(text: str) -> None:
    """A file name or a column name reaches SQL as it is, quotes and all."""
    with duckdb.connect() as connection:
        assert connection.execute(f"select {sql_text(text)}").fetchall() == [(text,)]


# --- For SQL, and for a person ----------------------------------------------------------


def test_json_for_sql_has_tables_or_faults(folder: Path) -> None:
    """The build asks in SQL, and must get an answer, never an exception."""
    report = json.loads(inspect_to_json(str(folder)))
    assert report["folder"] == str(folder)
    assert report["faults"] == []
    assert len(report["tables"]) == 18
    (folder / "orders.csv").unlink()
    report = json.loads(inspect_to_json(str(folder)))
    assert report["tables"] == []
    assert len(report["faults"]) == 1


def test_the_command_prints_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a table: files, what is lacking, what is ignored; exit code 0."""
    write_csv(folder / "refunds.csv", [{**small_shop()["refunds"][0], "note": "x"}])
    assert main([str(folder)]) == 0
    output = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in output.out.splitlines())
    assert list(lines) == list(load_contract())
    assert lines["refunds"] == "1 csv; without reason; unknown, ignored: note"
    assert lines["events"] == "absent"
    assert output.err == ""


def test_the_command_tells_faults_and_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence per fault on stderr, nothing on stdout, exit code 1: fit for a script."""
    (folder / "orders.csv").write_bytes(b"")
    (folder / "order_items.csv").unlink()
    assert main([str(folder)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 2


def test_the_command_runs_as_a_module(folder: Path) -> None:
    """`python -m orchestration.raw_folder FOLDER` from the project's folder, with its exit code."""
    for expected in (0, 1):
        finished = subprocess.run(
            [sys.executable, "-m", "orchestration.raw_folder", str(folder)],
            cwd=PROJECT,
            env=os.environ | {"PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == expected, finished.stderr
        assert "Traceback" not in finished.stderr
        (folder / "orders.csv").unlink(missing_ok=True)

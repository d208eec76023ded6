"""Writes folders of raw tables for tests, and reads marts back as comparable text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

Row = Mapping[str, object]
Tables = Mapping[str, Sequence[Row]]

PROJECT = Path(__file__).resolve().parent.parent
# Where a row came from: the only columns that may depend on how rows are spread over files.
PROVENANCE = {
    "fct_rejected_rows": {"file_name", "line_number"},
    "agg_load_report": {"files", "file_count", "file_format"},
}


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Every column that some row has, in the order of their first appearance."""
    return list(dict.fromkeys(column for row in rows for column in row))


def write_csv(path: Path, rows: Sequence[Row], columns: Sequence[str] = ()) -> None:
    """Rows as a CSV file; None becomes an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns or columns_of(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_tables(folder: Path, tables: Tables) -> Path:
    """Each table as `<table>.csv` in `folder`, which is given back."""
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows)
    return folder


def small_shop() -> dict[str, list[Row]]:
    """Three orders of three days, lines of two of them and a refund, all of it valid."""
    return {
        "orders": [
            {"order_id": "A", "ordered_at": "2024-01-01T10:00:00Z", "status": "paid"},
            {"order_id": "B", "ordered_at": "2024-01-02T10:00:00Z", "status": "shipped"},
            {"order_id": "C", "ordered_at": "2024-01-03T10:00:00Z", "status": "paid"},
        ],
        "order_items": [
            item("A", 1, quantity=2, unit_price="3.50"),
            item("A", 2, quantity=1, unit_price="10.00"),
            item("B", 1, quantity=1, unit_price="5.25"),
        ],
        "refunds": [
            {
                "refund_id": "R",
                "order_id": "A",
                "line_number": 1,
                "quantity": 1,
                "amount": "3.50",
                "refunded_at": "2024-01-02T12:00:00Z",
            }
        ],
    }


def item(order_id: str, line_number: int, quantity: object, unit_price: object) -> Row:
    """One row of order_items."""
    return {
        "order_id": order_id,
        "line_number": line_number,
        "product_id": "P",
        "quantity": quantity,
        "unit_price": unit_price,
    }


def mart_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables of schema marts."""
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    ).fetchall()
    return [row[0] for row in rows]


def mart_rows(
    connection: duckdb.DuckDBPyConnection, mart: str, without: Iterable[str] = ()
) -> list[str]:
    """The rows of a mart as text, sorted; `without` names columns that are left out."""
    left_out = ", ".join(sorted(without))
    columns = f"* exclude ({left_out})" if left_out else "*"
    rows = connection.execute(f"select {columns} from marts.{mart}").fetchall()
    return sorted(map(repr, rows))


def marts(
    connection: duckdb.DuckDBPyConnection, *, with_provenance: bool = True
) -> dict[str, list[str]]:
    """Every mart as sorted rows of text; provenance columns can be left out."""
    return {
        mart: mart_rows(connection, mart, () if with_provenance else PROVENANCE.get(mart, ()))
        for mart in mart_names(connection)
    }


def dicts(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, each by column name."""
    relation = connection.execute(query)
    names = [column[0] for column in relation.description or ()]
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]

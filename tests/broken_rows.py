"""For every rule of the raw contract one row that breaks it, made from the contract itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml
from shops import PROJECT

TextRow = dict[str, str]

VALID = {
    "string": "A",
    "timestamp": "2024-01-02T10:00:00Z",
    "date": "2024-01-01",
    "bigint": "1",
    "decimal": "1",
    "boolean": "true",
}
# Personal values that no mart may show, whole or broken; all are found by PRIVATE_PATTERN.
PRIVATE = {
    "email": "private.person@example.org",
    "birth_date": "1977-07-07",
    "postcode": "PRIVATE 77077",
    "comment": "a private comment",
}
PRIVATE_BREACHES = {"unparseable": "07/07/1977", "early": "1777-07-07", "future": "2977-07-07"}
PRIVATE_PATTERN = r"(?i)private|[127]977|1777|77077"


@dataclass(frozen=True)
class BrokenRow:
    """A row that breaks one rule of `column`; its reject_reason starts with `reason`."""

    table: str
    row: TextRow
    reason: str


def contract() -> dict[str, list[dict[str, Any]]]:
    """The columns of each raw table, as the YAML has them: name, data_type, meta."""
    tables = {}
    for path in sorted((PROJECT / "seeds" / "raw").glob("raw_*.yml")):
        (seed,) = yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]
        tables[seed["name"].removeprefix("raw_")] = [
            {
                "name": column["name"],
                "kind": column["data_type"].split("(")[0],
                "data_type": column["data_type"],
                "meta": column.get("config", {}).get("meta", {}),
            }
            for column in seed["columns"]
        ]
    return tables


def valid_value(column: dict[str, Any]) -> str:
    """A value that keeps the contract; all ids are A, so that all tables belong together."""
    name, meta = column["name"], column["meta"]
    if name in PRIVATE:
        return PRIVATE[name]
    if "currency" in name:
        return "EUR"
    accepted: list[str] = meta.get("accepted_values", [])
    return accepted[0] if accepted else VALID[column["kind"]]


def valid_rows() -> dict[str, TextRow]:
    """One row for each table, with a value in every column."""
    return {
        table: {column["name"]: valid_value(column) for column in columns}
        for table, columns in contract().items()
    }


def breaches(column: dict[str, Any]) -> list[tuple[str, str]]:
    """Values that break a rule of a column, each with the words of the rule."""
    name, kind, meta = column["name"], column["kind"], column["meta"]
    private = PRIVATE_BREACHES if name in PRIVATE else {}
    found = []
    if meta.get("required"):
        found.append(("", "is missing"))
    if kind != "string":
        found.append((private.get("unparseable", "never"), "is not "))
    if "accepted_values" in meta:
        found.append(("nonsense", "is none of "))
    if "min" in meta:
        found.append((str(Decimal(str(meta["min"])) - 1), "is below "))
    if "max" in meta:
        found.append((str(Decimal(str(meta["max"])) + 1), "is above "))
    if kind in ("timestamp", "date"):
        found.append((private.get("early", "1800-01-01"), "is before "))
        if not meta.get("may_be_future"):
            found.append((private.get("future", "2999-01-01"), "lies after "))
    return found


def broken_rows() -> list[BrokenRow]:
    """Every rule of every column of every table broken once, in a row that is valid otherwise."""
    valid = valid_rows()
    return [
        BrokenRow(table, valid[table] | {column["name"]: value}, f"{column['name']} {words}")
        for table, columns in contract().items()
        for column in columns
        for value, words in breaches(column)
    ]


def greatest_value(column: dict[str, Any]) -> str | None:
    """The greatest number that the contract allows in a column; None where it holds no number."""
    if column["kind"] == "bigint":
        return str(column["meta"].get("max", 2**63 - 1))
    if column["kind"] == "decimal":
        digits, scale = map(int, column["data_type"].split("(")[1].rstrip(")").split(","))
        return str(column["meta"].get("max", Decimal(10) ** (digits - scale) - 1))
    return None

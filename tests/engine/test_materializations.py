"""Tables, views and refreshes are made as dbt-duckdb makes them, but in place (decision 27).

A project of a few models with the macros of this one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from warehouses import PROJECT, invoke

MACROS = ("materializations", "relations", "slices")
DBT_PROJECT = {
    "name": "small",
    "version": "1.0",
    "profile": "small",
    "models": {"+persist_docs": {"relation": True, "columns": True}},
}
NUMBERS = "{{ config(materialized='%s') }} select 1 as number"
CONTRACT = {
    "name": "agreed",
    "config": {"materialized": "table", "contract": {"enforced": True}},
    "columns": [
        {"name": "letter", "data_type": "text", "description": "A letter."},
        {"name": "number", "data_type": "integer", "constraints": [{"type": "not_null"}]},
    ],
}
PYTHON = """
import pyarrow as pa


def model(dbt, session):
    dbt.config(materialized="{materialized}")
    return pa.table({{"number": [{number}]}})
"""


@dataclass(frozen=True)
class SmallProject:
    """A dbt project in a folder, and its warehouse."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        """A model, by its file name."""
        (self.folder / "models" / name).write_text(text)

    def build(self) -> str:
        """What dbt says of a build that is not well."""
        folder, target = str(self.folder), str(self.folder / "target")
        _, messages = invoke(
            *("--no-use-colors", "run", "--project-dir", folder, "--profiles-dir", folder),
            *("--target-path", target, "--log-path", folder),
        )
        return "\n".join(messages)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query of the warehouse."""
        with duckdb.connect(str(self.folder / "small.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def relations(self) -> dict[str, str]:
        """Every table and view of the warehouse, with its type."""
        found = self.rows("select table_name, table_type from information_schema.tables")
        return dict(found)


@pytest.fixture
def small(tmp_path: Path) -> SmallProject:
    """The project without models."""
    (tmp_path / "models").mkdir()
    (tmp_path / "macros").mkdir()
    (tmp_path / "dbt_project.yml").write_text(json.dumps(DBT_PROJECT))
    outputs = {"dev": {"type": "duckdb", "path": str(tmp_path / "small.duckdb")}}
    profiles = {"small": {"target": "dev", "outputs": outputs}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profiles))
    for name in MACROS:
        shutil.copy(PROJECT / "macros/engine" / f"{name}.sql", tmp_path / "macros")
    return SmallProject(tmp_path)


def test_a_model_may_become_another_kind(small: SmallProject) -> None:
    """View, table, incremental table, view again: each in the other's place, and nothing beside."""
    for kind, expected in (
        ("view", "VIEW"),
        ("table", "BASE TABLE"),
        ("incremental", "BASE TABLE"),
        ("view", "VIEW"),
    ):
        small.write("numbers.sql", NUMBERS % kind)
        small.build()
        assert small.relations() == {"numbers": expected}
        assert small.rows("from numbers") == ([(1,), (1,)] if kind == "incremental" else [(1,)])


def test_a_contract_is_kept_or_told(small: SmallProject) -> None:
    """Columns come in its order, with its constraints; a breach is told, and changes nothing."""
    properties = {"version": 2, "models": [CONTRACT]}
    small.write("agreed.yml", json.dumps(properties))
    small.write("agreed.sql", "select 1 as number, 'a' as letter -- the last line")
    small.build()
    assert small.rows("from agreed") == [("a", 1)]
    assert small.rows("select comment from duckdb_columns() where column_name = 'letter'") == [
        ("A letter.",)
    ]
    for broken, word in (
        ("select 1.5 as number, 'a' as letter", "data type mismatch"),
        ("select 1 as number, 'a' as letter, 2 as more", "missing in contract"),
        ("select 1 as number", "missing in definition"),
        ("select cast(null as integer) as number, 'b' as letter", "NOT NULL constraint failed"),
        ("select cast('b' as integer) as number, 'b' as letter", "Could not convert"),
    ):
        small.write("agreed.sql", broken)
        assert word in small.build()
        assert small.rows("from agreed") == [("a", 1)]


@pytest.mark.parametrize("kind", ["table", "incremental"])
def test_a_model_in_python_leaves_its_rows_alone(small: SmallProject, kind: str) -> None:
    """What a killed build has left of them is in nobody's way."""
    small.write("counted.py", PYTHON.format(materialized=kind, number=1))
    small.build()
    small.rows("create table counted__rows as select 'left' as number")
    small.write("counted.py", PYTHON.format(materialized=kind, number=2))
    small.build()
    assert small.relations() == {"counted": "BASE TABLE"}
    assert small.rows("from counted order by 1") == ([(2,)] if kind == "table" else [(1,), (2,)])


def test_a_refresh_minds_what_a_schema_change_is_to_do(small: SmallProject) -> None:
    """Fail says which columns and leaves the rows; to append is done; to ignore is the default."""
    for on_change, columns, expected in (
        ("ignore", "1 as number", [(1,)]),
        ("ignore", "2 as number, 'b' as letter", [(1,), (2,)]),
        ("fail", "3 as number, 'c' as letter", [(1,), (2,)]),
        ("append_new_columns", "4 as number, 'd' as letter", [(1, None), (2, None), (4, "d")]),
    ):
        config = f"config(materialized='incremental', on_schema_change='{on_change}')"
        small.write("numbers.sql", f"{{{{ {config} }}}} select {columns}")
        told = small.build()
        assert ("out of sync" in told) == (on_change == "fail")
        assert small.rows("from numbers order by 1") == expected


def test_hooks_run_around_the_rows(small: SmallProject) -> None:
    """Before and after them; a failure takes back those within the transaction."""
    small.rows("create table told (word text)")
    hooks = {
        f"{when}_hook": [
            {"sql": f"insert into told values ('{when} {within}')", "transaction": within}
            for within in (True, False)
        ]
        for when in ("pre", "post")
    }
    for kind in ("table", "incremental"):
        small.write(
            "numbers.sql", f"{{{{ config(materialized='{kind}', **{hooks}) }}}} select 1 as n"
        )
        small.build()
    words = ["pre False", "pre True", "post True", "post False"]
    assert small.rows("select word from told order by rowid") == [(word,) for word in words * 2]
    small.write(
        "numbers.sql", f"{{{{ config(materialized='table', **{hooks}) }}}} select error('no')"
    )
    assert "no" in small.build()
    assert small.rows("select word from told order by rowid offset 8") == [("pre False",)]

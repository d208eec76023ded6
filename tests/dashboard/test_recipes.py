"""The recipes for BI tools work as they stand in the docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shops import PROJECT

TEXT = (PROJECT / "docs/connect-bi.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def _in_folder(demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "published").symlink_to(demo_folder)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_in_folder")
def test_every_recipe_gives_the_rows_of_its_mart(demo: duckdb.DuckDBPyConnection) -> None:
    """Whoever copies a recipe has their first numbers, and the right ones."""
    found: dict[str, Any] = {}
    orders_of_recipes: list[Any] = []
    for block in BLOCKS:
        exec(compile(block, "docs/connect-bi.md", "exec"), found)
        orders_of_recipes.append(found.get("orders"))

    def value(query: str) -> Any:
        row = demo.execute(query).fetchone()
        assert row is not None
        return row[0]

    orders = value("select count(*) from marts.fct_orders")
    net = value("select sum(net_amount) from marts.fct_orders")
    assert len(BLOCKS) == 5
    assert len(found["segments"]) == value(
        "select count(distinct segment) from marts.agg_rfm_segments"
    )
    assert float(sum(row[1] for row in found["revenue"])) == pytest.approx(float(net))
    assert len(orders_of_recipes[2]) == orders
    assert found["by_channel"]["sessions"].sum() == value("select count(*) from marts.fct_sessions")
    assert found["orders"] == (orders, net)


@pytest.mark.usefixtures("_in_folder")
def test_every_query_for_the_command_line_runs() -> None:
    """The same of what is typed into a shell."""
    queries = re.findall(r'duckdb -readonly published/marts\.duckdb -c "(.*?)"', TEXT, re.DOTALL)
    assert len(queries) == 2
    with duckdb.connect("published/marts.duckdb", read_only=True) as connection:
        for query in queries:
            assert connection.execute(query).fetchall()

"""Who goes by touched keys reads no column that touches nobody (meta.touched_but_for)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from warehouses import PROJECT, Dbt

MACRO = re.compile(r"{% macro .*?{%-? endmacro", re.DOTALL)


def kinds_made_of(kind: str) -> set[str]:
    """A kind of touched keys, and those that a macro notes by looking at it."""
    kinds = {kind}
    for file in (PROJECT / "macros").rglob("*.sql"):
        for macro in MACRO.findall(file.read_text(encoding="utf-8")):
            if f"touched('{kind}'" in macro:
                kinds |= set(re.findall(r"note_touched\('(\w+)'", macro))
    return kinds


def models_by(kind: str) -> list[Path]:
    """The models that are refreshed by a kind of keys, or by one that is made of it."""
    asks = [
        text
        for each in kinds_made_of(kind)
        for text in (f"touched('{each}'", f"touched_periods('{each}'")
    ]
    files = sorted((PROJECT / "models").rglob("*.sql"))
    return [file for file in files if any(ask in file.read_text(encoding="utf-8") for ask in asks)]


@pytest.fixture(scope="module")
def touching(dbt: Dbt) -> dict[str, dict[str, Any]]:
    """The meta of the models of which some columns touch nobody, by name."""
    nodes = dbt.parse().nodes.values()
    return {node.name: node.config.meta for node in nodes if "touched_but_for" in node.config.meta}


def test_columns_that_touch_nobody_are_read_by_nobody_who_goes_by_the_keys(
    touching: dict[str, dict[str, Any]],
) -> None:
    """Else a change of that column alone would leave a table stale."""
    compared = 0
    for name, meta in touching.items():
        for kind in meta["touches"]:
            for file in models_by(kind):
                code = re.sub(r"--.*", "", file.read_text(encoding="utf-8"))
                read = set(re.findall(r"\w+", code)) & set(meta["touched_but_for"])
                assert not read, f"{file.stem} goes by {kind} of {name} and reads {read}"
                compared += 1
    assert compared > 5

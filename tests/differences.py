"""Compares what was found with what was expected, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 5


def differences(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[str]:
    """The first keys whose values differ, readable; of rows only the columns that do."""
    wrong = []
    for key in sorted(found.keys() | expected.keys(), key=str):
        ours, theirs = found.get(key), expected.get(key)
        if ours == theirs:
            continue
        if isinstance(ours, dict) and isinstance(theirs, dict):
            columns = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
            ours = {name: ours.get(name) for name in columns}
            theirs = {name: theirs.get(name) for name in columns}
        wrong.append(f"{key}: found {ours}, expected {theirs}")
    return wrong[:SHOWN] + ([f"... {len(wrong)} in all"] if len(wrong) > SHOWN else [])

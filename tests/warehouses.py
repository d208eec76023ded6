"""Runs dbt for the tests: in this process, one parse for the whole session."""

from __future__ import annotations

import gc
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import yaml

PROJECT = Path(__file__).resolve().parent.parent
Build = Callable[..., duckdb.DuckDBPyConnection]
# Of `dbt build`: models and seeds alone, for speed.
NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


class BuildFailed(AssertionError):
    """A dbt invocation that did not succeed; the message is what dbt told."""


def invoke(*arguments: str, manifest: Any = None) -> tuple[Any, list[str]]:
    """Run dbt in this process; its result, and what it warned of and its errors."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    messages: list[str] = []

    def note(event: Any) -> None:
        if event.info.level in ("error", "warn"):
            messages.append(event.info.msg)

    # A line for each statement takes as long as some models do; messages are noted.
    quiet = ("--quiet", "--log-level", "none", "--log-level-file", "none")
    runner = dbtRunner(manifest=manifest, callbacks=[note])
    # dbt-duckdb leaves the event loops that it makes for models in Python open.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        result = runner.invoke([*quiet, *arguments])
        # dbt-duckdb keeps the file open for a next invocation: let others read it.
        close_all: Any = DuckDBConnectionManager.close_all_connections
        close_all()
        gc.collect()
    return result, messages


class Dbt:
    """dbt in this process: `parse` once, then each build takes a second or two."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest: Any = None
        self.messages: list[str] = []  # what the last run warned of, and its errors
        self.parse_messages: list[str] = []

    @property
    def target(self) -> Path:
        """Dbt's target folder, with the artifacts of the parse and the SQL of the last build."""
        return self._folder / "target"

    def run(self, *arguments: str, warehouse: Path, variables: dict[str, Any]) -> Any:
        """Run one dbt command on `warehouse`; raises BuildFailed with dbt's own messages."""
        os.environ["CARTWRIGHT_WAREHOUSE"] = str(warehouse)
        result, self.messages = invoke(
            *arguments,
            *("--project-dir", str(PROJECT), "--profiles-dir", str(self._profiles())),
            *("--target-path", str(self.target), "--log-path", str(self._folder / "logs")),
            # Parsing writes the artifacts; that builds write them again, nobody asks.
            "--write-json" if arguments[0] == "parse" else "--no-write-json",
            *("--vars", json.dumps(variables)),
            manifest=self._manifest,
        )
        if not result.success:
            raise BuildFailed("\n".join(self.messages) or str(result.exception))
        return result.result

    def _profiles(self) -> Path:
        """The project's profile on one thread of DuckDB: tests run side by side as it is."""
        file = self._folder / "profiles.yml"
        if not file.exists():
            profile = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))
            profile["cartwright"]["outputs"]["dev"]["settings"]["threads"] = 1
            file.write_text(yaml.safe_dump(profile), encoding="utf-8")
        return self._folder

    def parse(self) -> Any:
        """The manifest, parsed once."""
        if self._manifest is None:
            self._manifest = self.run(
                "parse", warehouse=self._folder / "cartwright.duckdb", variables={}
            )
            self.parse_messages = self.messages
        return self._manifest

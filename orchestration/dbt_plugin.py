"""dbt-duckdb plugin (profiles.yml): what dbt asks of the project's Python before a build."""

import atexit
import shutil
import sys
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection
from duckdb.sqltypes import VARCHAR

from orchestration.definition_digest import digest_definitions
from orchestration.funnels import funnel_faults_as_json
from orchestration.lock import Busy, WriterLock
from orchestration.raw_folder import inspect_to_json

LEAST_ROOM = 64  # MB; with less, not even the demo shop is built


def full_disk(file: Path) -> str | None:
    """A sentence where the disk of a file, whose folder is there, has next to no room left."""
    free = shutil.disk_usage(file.parent).free // 2**20
    if free >= LEAST_ROOM:
        return None
    return (
        f"The disk of {file.parent} is full: {free} MB are left, and a build needs about ten times "
        "the raw files as Parquet. Make room, or set CARTWRIGHT_WAREHOUSE to a file on another "
        "disk, and build again: it goes on from the last complete refresh."
    )


def tell_full_disk(file: Path) -> None:
    """Say so at the end, when the engine's own words, repeated for each model, have gone by."""
    if file.exists() and (sentence := full_disk(file)):
        print(sentence, file=sys.stderr)


class Plugin(BasePlugin):
    """Loaded by dbt-duckdb under the name `dbt_plugin`; holds the writer's lock while it lives."""

    lock: WriterLock | None = None

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Take the lock of the work file, in a folder that is made where there is none.

        DuckDB would say of a second writer what system call failed; this says who the first is.
        """
        if creds.path == ":memory:" or config.get("access_mode") == "READ_ONLY":
            return
        file = Path(creds.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if sentence := full_disk(file):
            raise DbtRuntimeError(sentence)
        if not self.lock:
            atexit.register(tell_full_disk, file)
        try:
            self.lock = self.lock or WriterLock(file)
        except Busy as busy:
            raise DbtRuntimeError(str(busy)) from None

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register `inspect_raw_folder(raw_path)`, `inspect_funnels()`, `digest_definitions()`."""
        conn.create_function(
            "inspect_raw_folder", inspect_to_json, [VARCHAR], VARCHAR, side_effects=True
        )
        conn.create_function(
            "inspect_funnels", funnel_faults_as_json, [], VARCHAR, side_effects=True
        )
        conn.create_function(
            "digest_definitions", digest_definitions, [], VARCHAR, side_effects=True
        )

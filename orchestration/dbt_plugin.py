"""dbt-duckdb plugin (profiles.yml): what dbt asks of the project's Python before a build."""

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


class Plugin(BasePlugin):
    """Loaded by dbt-duckdb under the name `dbt_plugin`; holds the writer's lock while it lives."""

    lock: WriterLock | None = None

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Take the lock of the work file, in a folder that is made where there is none.

        DuckDB would say of a second writer what system call failed; this says who the first is.
        """
        if creds.path == ":memory:" or config.get("access_mode") == "READ_ONLY":
            return
        Path(creds.path).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.lock = self.lock or WriterLock(Path(creds.path))
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

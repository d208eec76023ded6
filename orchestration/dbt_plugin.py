"""dbt-duckdb plugin (profiles.yml): what dbt asks of the project's Python before a build."""

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection
from duckdb.sqltypes import VARCHAR

from orchestration.definitions import digest_definitions
from orchestration.funnels import funnel_faults_as_json
from orchestration.raw_folder import inspect_to_json


class Plugin(BasePlugin):
    """Loaded by dbt-duckdb under the name `dbt_plugin`."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """DuckDB makes a file but no folder: make it, so that the first `dbt build` finds one."""
        if creds.path != ":memory:":
            Path(creds.path).parent.mkdir(parents=True, exist_ok=True)

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

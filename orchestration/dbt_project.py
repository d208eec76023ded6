"""The dbt project as Dagster sees it: its manifest, and what an asset of it is called and tells."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject

from orchestration.settings import PROJECT

# Apart from target/, whose manifest is of the last command and may be of another engine.
DBT_PROJECT = DbtProject(
    project_dir=PROJECT, profiles_dir=PROJECT, target_path=PROJECT / "target" / "dagster"
)
PARSED_FILES = ("models/**/*.*", "macros/**/*.*", "seeds/**/*.yml", "tests/**/*.sql", "*.yml")
RAW_GROUP = "raw"
PARTIAL_PARSE = "partial_parse.msgpack"


def dbt_resource() -> DbtCliResource:
    """The dbt beside this Python, whatever the PATH."""
    return DbtCliResource(
        project_dir=DBT_PROJECT, dbt_executable=str(Path(sys.executable).with_name("dbt"))
    )


@cache
def read_manifest() -> dict[str, Any]:
    """The project's manifest, parsed anew where a file of the project is newer.

    A test of several models is a check of the one that is furthest downstream, as it runs when that
    is built: dagster-dbt wants to be told so in the test's meta.
    """
    path = DBT_PROJECT.manifest_path
    if not path.exists() or path.stat().st_mtime < _changed_at():
        logging.getLogger(__name__).info("parsing the dbt project ...")
        _parse(path)
    manifest: dict[str, Any] = json.loads(path.read_text())
    depths = _depths(manifest)
    for node in manifest["nodes"].values():
        parents = [
            name for name in node["depends_on"].get("nodes", []) if name in manifest["nodes"]
        ]
        if node["resource_type"] == "test" and not node.get("attached_node") and parents:
            last = max(parents, key=lambda name: (depths[name], name))
            node["config"]["meta"] = {
                **node["config"].get("meta", {}),
                "dagster": {"ref": {"name": manifest["nodes"][last]["name"]}},
            }
    return manifest


def _parse(path: Path) -> None:
    """Write the manifest anew: renamed into place, as processes may start and parse at once."""
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        parsed = folder / PARTIAL_PARSE
        if parsed.exists():
            shutil.copy(parsed, scratch)
        dbt_resource().cli(["parse", "--quiet"], target_path=Path(scratch)).wait()
        for name in (PARTIAL_PARSE, path.name):
            if (Path(scratch) / name).exists():
                (Path(scratch) / name).replace(folder / name)


def _changed_at() -> float:
    files = (file for pattern in PARSED_FILES for file in PROJECT.glob(pattern))
    return max(file.stat().st_mtime for file in files)


def _depths(manifest: Mapping[str, Any]) -> dict[str, int]:
    """How many models are before each node, on the longest way to it."""
    depths: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depths:
            parents = manifest["nodes"][name]["depends_on"].get("nodes", [])
            depths[name] = 1 + max(
                (depth_of(parent) for parent in parents if parent in manifest["nodes"]), default=0
            )
        return depths[name]

    for name in manifest["nodes"]:
        depth_of(name)
    return depths


class Translator(DagsterDbtTranslator):
    """Assets are called like their models, and belong to whom models/groups.yml says."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The name alone for models and seeds; raw/<table> for the notes of a load."""
        name = dbt_resource_props["name"]
        is_source = dbt_resource_props["resource_type"] == "source"
        return dg.AssetKey([dbt_resource_props["source_name"], name] if is_source else [name])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What dbt's docs say; the SQL is a click away there."""
        return str(dbt_resource_props["description"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The dbt group; sources, which cannot have one, are of the raw one."""
        return dbt_resource_props["config"].get("group") or RAW_GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The team that owns the group."""
        groups = {group["name"]: group for group in read_manifest()["groups"].values()}
        group = groups[self.get_group_name(dbt_resource_props) or RAW_GROUP]
        return [f"team:{group['owner']['name']}"]


TRANSLATOR = Translator()


@dataclass(frozen=True)
class Facts:
    """What the work file says of a relation."""

    rows: int
    columns: list[tuple[str, str]]

    def metadata(self, descriptions: Mapping[str, Any]) -> dict[str, Any]:
        """The same as Dagster shows it."""
        schema = dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name, data_type, description=descriptions.get(name, {}).get("description")
                )
                for name, data_type in self.columns
            ]
        )
        return {"dagster/row_count": self.rows, "dagster/column_schema": schema}


def read_facts(warehouse: Path, nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Facts]:
    """Rows and columns of those nodes that are relations of the work file, by unique id."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for schema, name, column, data_type in connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
            " where not internal order by column_index"
        ).fetchall():
            columns.setdefault((schema, name), []).append((column, data_type))
        return dict(_facts(connection, nodes, columns))


def _facts(
    connection: duckdb.DuckDBPyConnection,
    nodes: Mapping[str, Mapping[str, Any]],
    columns: Mapping[tuple[str, str], list[tuple[str, str]]],
) -> Iterator[tuple[str, Facts]]:
    for unique_id, node in nodes.items():
        place = (node["schema"], node.get("alias") or node["name"])
        if place in columns:
            row = connection.execute(f'select count(*) from "{place[0]}"."{place[1]}"').fetchone()
            yield unique_id, Facts(row[0] if row else 0, columns[place])

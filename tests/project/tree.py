"""The project as the rules see it: plain values, read from dbt's manifest and from the files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

PROJECT_NAME = "cartwright"
# The files that rules read; everything else in a clone is none of theirs.
FILES = (
    "models/**/*.sql",
    "models/**/*.py",
    "models/**/*.yml",
    "models/**/*.md",
    "macros/**/*.sql",
    "macros/**/*.yml",
)
MORE_FILES = (
    "seeds/raw/*",
    "seeds/reference/*",
    "tests/**/*.sql",
    "orchestration/*.py",
    "dbt_project.yml",
)


@dataclass
class Column:
    name: str
    description: str = ""
    is_personal: bool = False


@dataclass
class Resource:
    """A model or a seed; `parents` are names, `real_columns` maps a name to DuckDB's type."""

    name: str
    path: str
    description: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    sql: str = ""
    is_public: bool = False
    has_contract: bool = False
    grain: tuple[str, ...] = ()
    yml_path: str = ""
    real_columns: dict[str, str] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that the file is in: ("models", "staging", "shop", "base")."""
        return tuple(self.path.split("/")[:-1])

    @property
    def layer(self) -> str:
        """The folder below models (staging, intermediate, marts), or seeds (raw, reference)."""
        return (*self.folders, "", "")[1]

    @property
    def group(self) -> str:
        """The folder below the layer: a source in staging, else a group."""
        return (*self.folders, "", "", "")[2]

    @property
    def is_base(self) -> bool:
        """Whether this holds rows as the shop brought them."""
        return self.name.startswith("base_")

    @property
    def is_python(self) -> bool:
        """Whether this is a model in Python."""
        return self.path.endswith(".py")

    @property
    def plain_sql(self) -> str:
        """The SQL, in Python that of strings, without Jinja, comments and content of strings."""
        return plain_sql(sql_of_python(self.sql) if self.is_python else self.sql)


@dataclass
class DataTest:
    """A data test; `kind` is unique, not_null, ..., or singular."""

    name: str
    kind: str
    model: str = ""
    columns: tuple[str, ...] = ()
    severity: str = "error"
    reason: str = ""
    path: str = ""


@dataclass
class UnitTest:
    name: str
    model: str
    description: str


@dataclass
class Macro:
    """A macro; `arguments` maps a name to (type, description)."""

    name: str
    path: str
    description: str = ""
    arguments: dict[str, tuple[str, str]] = field(default_factory=dict)
    sql: str = ""


@dataclass
class Project:
    """Everything by name; `files` maps a path to its text, `docs` a doc block to its text."""

    models: dict[str, Resource] = field(default_factory=dict)
    seeds: dict[str, Resource] = field(default_factory=dict)
    tests: list[DataTest] = field(default_factory=list)
    unit_tests: list[UnitTest] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    docs: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def in_layer(self, *layers: str) -> list[Resource]:
        """The models of some layers."""
        return [model for model in self.models.values() if model.layer in layers]

    def parents_of(self, model: Resource) -> list[Resource]:
        """The models that a model reads."""
        return [self.models[name] for name in sorted(model.parents) if name in self.models]

    def children_of(self, name: str) -> list[Resource]:
        """The models that read a model or seed."""
        return [model for model in self.models.values() if name in model.parents]

    def is_tested(self, model: str, kind: str, columns: Iterable[str]) -> bool:
        """Whether a model has a test of this kind on exactly these columns."""
        return any(
            test.model == model and test.kind == kind and set(test.columns) == set(columns)
            for test in self.tests
        )


def plain_sql(sql: str) -> str:
    """SQL without Jinja, comments and the content of strings."""
    sql = re.sub(r"\{#.*?#\}|\{%.*?%\}", " ", sql, flags=re.DOTALL)
    sql = re.sub(r"\{\{.*?\}\}", " jinja_value ", sql, flags=re.DOTALL)
    sql = re.sub(r"--[^\n]*", " ", sql)
    return re.sub(r"'[^']*'", "''", sql)


def sql_of_python(code: str) -> str:
    """What a Python model tells the engine: its strings, docstrings aside, a line each."""
    tree = ast.parse(code)
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    )


def read_project(manifest: Any, root: Path) -> Project:
    """The project of a parsed manifest whose files are in `root`; real columns stay empty."""
    nodes = [node for node in manifest.nodes.values() if node.package_name == PROJECT_NAME]
    names = {unique_id: node.name for unique_id, node in manifest.nodes.items()}
    return Project(
        models={
            node.name: _resource(node, names) for node in nodes if node.resource_type == "model"
        },
        seeds={node.name: _resource(node, names) for node in nodes if node.resource_type == "seed"},
        tests=[_data_test(node, names) for node in nodes if node.resource_type == "test"],
        unit_tests=[
            UnitTest(test.name, test.model, test.description)
            for test in manifest.unit_tests.values()
        ],
        macros={
            macro.name: _macro(macro)
            for macro in manifest.macros.values()
            if macro.package_name == PROJECT_NAME
        },
        docs={
            doc.name: doc.block_contents.strip()
            for doc in manifest.docs.values()
            if doc.package_name == PROJECT_NAME
        },
        files=read_files(root),
    )


def read_files(root: Path) -> dict[str, str]:
    """The text of the files that rules read, by path; of data files only that they are there."""
    paths = sorted({path for pattern in (*FILES, *MORE_FILES) for path in root.glob(pattern)})
    return {
        path.relative_to(root).as_posix(): "" if path.suffix == ".csv" else path.read_text("utf-8")
        for path in paths
        if path.is_file()
    }


def with_real_columns(project: Project, connection: duckdb.DuckDBPyConnection) -> Project:
    """The same project, each model with the columns that its relation has in a warehouse."""
    rows = connection.execute(
        "select table_name, column_name, data_type from information_schema.columns"
    ).fetchall()
    for table, column, data_type in rows:
        if table in project.models:
            project.models[table].real_columns[column] = data_type
    return project


def _resource(node: Any, names: Mapping[str, str]) -> Resource:
    config = node.config
    is_model = node.resource_type == "model"
    return Resource(
        name=node.name,
        path=node.original_file_path,
        description=node.description,
        columns={column.name: _column(column) for column in node.columns.values()},
        parents={names[parent] for parent in node.depends_on.nodes if parent in names}
        if is_model
        else set(),
        sql=node.raw_code,
        is_public=is_model and str(node.access) == "public",
        has_contract=is_model and bool(config.contract.enforced),
        grain=tuple(config.meta.get("grain", ())),
        yml_path=(node.patch_path or "").split("://")[-1],
    )


def _column(column: Any) -> Column:
    return Column(column.name, column.description, bool(column.config.meta.get("personal")))


def _data_test(node: Any, names: Mapping[str, str]) -> DataTest:
    metadata = getattr(node, "test_metadata", None)
    columns: tuple[str, ...] = (node.column_name,) if getattr(node, "column_name", None) else ()
    if metadata and "columns" in metadata.kwargs:
        columns = tuple(metadata.kwargs["columns"])
    return DataTest(
        name=node.name,
        kind=metadata.name if metadata else "singular",
        model=names.get(getattr(node, "attached_node", None) or "", ""),
        columns=columns,
        severity=str(node.config.severity).lower(),
        reason=str(node.config.meta.get("reason", "")),
        path=node.original_file_path,
    )


def _macro(macro: Any) -> Macro:
    return Macro(
        name=macro.name,
        path=macro.original_file_path,
        description=macro.description,
        arguments={
            argument.name: (argument.type or "", argument.description)
            for argument in macro.arguments
        },
        sql=macro.macro_sql,
    )

"""What a build on Spark needs of Python, as steps around dbt: `python -m orchestration.spark STEP`.

`prepare` checks the raw folder and the funnels as a build on DuckDB does, writes raw CSV as Parquet
(a table a file, all of it text), and leaves what it found beside it, where the macros read it.

`build` prepares, then runs dbt in parts: dbt-spark runs no models in Python, so that all models
that do not come from one are built first, then the Python is run here, over tables that the engine
has reduced, and so on. It needs Spark in this process (CARTWRIGHT_SPARK_METHOD=session).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from orchestration.definition_digest import digest_definitions
from orchestration.funnels import funnel_faults_as_json
from orchestration.raw_folder import inspect_to_json, load_contract
from orchestration.settings import PROJECT, raw_path, spark_raw_folder

MALFORMED_LINES = """
    create table malformed_lines (
        table_name varchar, file_name varchar, line_number bigint, fault varchar, line varchar
    )
"""


class PreparationFailed(Exception):
    """The raw data cannot be built from; the message says why, a sentence a line."""


def prepare(folder: Path, shop: Path | None) -> dict[str, str]:
    """Write raw Parquet and answers.json into `folder`; gives the path of each table's Parquet.

    `shop` is the shop's own folder of raw tables, None for the demo shop. Raises PreparationFailed.
    """
    report = json.loads(inspect_to_json(str(shop or "")))
    if report["faults"]:
        raise PreparationFailed("\n".join(report["faults"]))
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    paths = {}
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(MALFORMED_LINES)
        for found in report["tables"]:
            if found["file_format"] == "csv":
                _write_parquet(connection, found, Path(report["folder"]), new)
                paths[found["table_name"]] = str(folder / f"{found['table_name']}.parquet")
            elif found["file_format"] == "parquet":
                paths[found["table_name"]] = _path_of_parquet(found, Path(report["folder"]))
        connection.execute(f"copy malformed_lines to '{_quoted(new / 'malformed_lines.parquet')}'")
    answers = {
        "inspect_raw_folder": json.dumps(report),
        "inspect_funnels": funnel_faults_as_json(),
        "digest_definitions": digest_definitions(),
        "raw_paths": json.dumps(paths),
    }
    (new / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return paths


def _path_of_parquet(found: dict[str, Any], folder: Path) -> str:
    """The file, or the folder of parts, that Spark reads; parts must be alike."""
    if len(found["groups"]) > 1:
        raise PreparationFailed(
            f"{found['table_name']}: its Parquet files have columns of different types, which "
            "Spark does not read as one table. Write them with the same types."
        )
    if len(found["files"]) == 1:
        return str(folder / found["files"][0])
    return str(folder / found["table_name"])


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, found: dict[str, Any], folder: Path, target: Path
) -> None:
    """One table's CSV as one Parquet file of text; lines that are no rows are set aside."""
    columns = [column.name for column in load_contract()[found["table_name"]].columns]
    selects = []
    for group in found["groups"]:
        values = [
            f"nullif(trim(\"{name}\"), '') as {name}"
            if name in group["column_types"]
            else f"cast(null as varchar) as {name}"
            for name in columns
        ]
        file_name = f"replace(cartwright_file, '{_quoted(folder)}/', '') as file_name"
        selects.append(f"select {', '.join([*values, file_name])} from {group['reader']}")
    connection.execute(
        f"copy ({' union all '.join(selects)}) "
        f"to '{_quoted(target / found['table_name'])}.parquet' (format parquet, compression zstd)"
    )
    connection.execute(
        f"""
        insert into malformed_lines
        select
            '{found["table_name"]}',
            replace(scans.file_path, '{_quoted(folder)}/', ''),
            errors.line,
            arg_min(
                lower(cast(errors.error_type as varchar)) || ': ' || errors.error_message,
                errors.column_idx
            ),
            any_value(errors.csv_line)
        from reject_errors as errors
        inner join reject_scans as scans
            on errors.scan_id = scans.scan_id and errors.file_id = scans.file_id
        group by all
        """
    )
    connection.execute("drop table reject_errors; drop table reject_scans")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


class BuildFailed(Exception):
    """A dbt command of the build that did not succeed; dbt has said why."""


class ModelConfig:
    """What a model in Python asks of `dbt.config`; calling it sets what only a database needs."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = meta

    def __call__(self, **settings: Any) -> None:
        """Take the settings of the table, which this build makes anew each time."""

    def meta_get(self, name: str) -> Any:
        """A value of the model's `meta`."""
        return self._meta[name]


class ModelInputs:
    """dbt's `dbt` for a model in Python: its inputs are read from Spark as DuckDB relations."""

    is_incremental = False

    def __init__(self, spark: Any, node: Any, tables: Mapping[str, str]) -> None:
        self.config = ModelConfig(node.config.meta)
        self._spark = spark
        self._tables = tables
        self._connection = duckdb.connect()

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """The table of a model, in this process: it must be small, and those asked for are."""
        rows = self._spark.table(self._tables[name]).toArrow()
        return self._connection.from_arrow(rows)


def run_python_model(spark: Any, node: Any, tables: Mapping[str, str]) -> None:
    """Run a model in Python over tables of Spark, and write what it gives as a table of Spark."""
    specification = importlib.util.spec_from_file_location(
        node.name, PROJECT / node.original_file_path
    )
    if specification is None or specification.loader is None:
        raise BuildFailed(f"{node.original_file_path} is not there.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    rows = module.model(ModelInputs(spark, node, tables), spark)
    spark.createDataFrame(rows).write.mode("overwrite").format("parquet").saveAsTable(
        tables[node.name]
    )


def build(arguments: list[str]) -> None:
    """Build every seed and model on Spark; `arguments` are added to each dbt command."""
    from dbt.cli.main import dbtRunner
    from pyspark.sql import SparkSession

    runner = dbtRunner()

    def invoke(*command: str) -> Any:
        result = runner.invoke([*command, "--target", "spark", *arguments])
        if not result.success:
            raise BuildFailed(str(result.exception or "dbt build failed."))
        return result.result

    manifest = invoke("parse")
    nodes = {
        unique_id: node
        for unique_id, node in manifest.nodes.items()
        if node.resource_type in ("model", "seed")
    }
    tables = {node.name: f"{node.schema}.{node.alias}" for node in nodes.values()}
    done: set[str] = set()
    while len(done) < len(nodes):
        waiting = _waiting(nodes, done)
        names = sorted(nodes[unique_id].name for unique_id in set(nodes) - waiting - done)
        if names:
            invoke("build", "--exclude-resource-type", "test", "unit_test", "--select", *names)
        done = set(nodes) - waiting
        spark = SparkSession.builder.getOrCreate()
        for unique_id in sorted(waiting):
            parents = {parent for parent in nodes[unique_id].depends_on.nodes if parent in nodes}
            if nodes[unique_id].language == "python" and parents <= done:
                print(f"Running {nodes[unique_id].name} in Python ...")
                run_python_model(spark, nodes[unique_id], tables)
                done.add(unique_id)


def _waiting(nodes: Mapping[str, Any], done: set[str]) -> set[str]:
    """Models in Python that are not done, and all that come from them."""
    waiting = {
        unique_id
        for unique_id, node in nodes.items()
        if node.resource_type == "model" and node.language == "python" and unique_id not in done
    }
    while True:
        more = {
            unique_id
            for unique_id, node in nodes.items()
            if node.resource_type == "model" and waiting & set(node.depends_on.nodes)
        }
        if more <= waiting:
            return waiting
        waiting |= more


def _missing() -> str | None:
    """What a build lacks, as a sentence."""
    if os.environ.get("CARTWRIGHT_SPARK_METHOD", "session") != "session":
        return (
            "Models in Python run where Spark does: build with CARTWRIGHT_SPARK_METHOD=session, "
            "and CARTWRIGHT_SPARK_MASTER for a cluster."
        )
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        return "Java 17 is needed for Spark: install it, or set JAVA_HOME."
    return None


def main(arguments: Iterable[str] | None = None) -> int:
    """Run a step; exit 1 with a sentence per fault."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.spark", description=__doc__)
    parser.add_argument("step", choices=["prepare", "build"])
    options, rest = parser.parse_known_args(None if arguments is None else list(arguments))
    if options.step == "build" and (fault := _missing()):
        print(fault, file=sys.stderr)
        return 1
    os.environ["CARTWRIGHT_SPARK_RAW"] = str(spark_raw_folder())  # the macros know no other place
    try:
        paths = prepare(spark_raw_folder(), raw_path())
        print(f"{len(paths)} raw tables are ready for Spark in {spark_raw_folder()}")
        if options.step == "build":
            build(rest)
    except (PreparationFailed, BuildFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

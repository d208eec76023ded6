"""The warehouse on Apache Spark (docs/scale-out.md): `python -m orchestration.spark STEP`.

prepare  Check raw folder and funnels as a build on DuckDB does; write raw CSV as Parquet of text.
build    Prepare; refresh every table and test it; hand the marts over to a DuckDB file, which
         `orchestration.publish` publishes and the checks of orchestration/judgement.py read.

dbt-spark runs no models in Python. So dbt builds all that does not come from one; then the Python
is run here, over tables that the engine has reduced, and so on. What passes between the two is
Parquet in a folder that both see, whichever way Spark is reached: in this process, by a Thrift
server or by Spark Connect.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import yaml

from orchestration.lock import Busy, WriterLock
from orchestration.raw_files import sql_text
from orchestration.settings import (
    PROJECT,
    raw_path,
    spark_raw_folder,
    spark_warehouse_file,
    target_folder,
)
from orchestration.spark_raw import PreparationFailed, prepare

AS_OF = "stg_shop__as_of"  # which the publisher asks for the day that the marts are of


class BuildFailed(Exception):
    """A part of the build that did not succeed; dbt has said why."""


class ModelConfig:
    """What a model in Python asks of `dbt.config`; calling it sets what only a database needs."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._meta = meta

    def __call__(self, **settings: Any) -> None:
        """Take the settings of the table: `take_from_python` writes it."""

    def meta_get(self, name: str) -> Any:
        """A value of the model's `meta`."""
        return self._meta[name]


class ModelInputs:
    """dbt's `dbt` for a model in Python: its inputs are Parquet that the engine has written."""

    def __init__(self, node: Any, folder: Path) -> None:
        self.config = ModelConfig(node.config.meta)
        self._folder = folder
        self._connection = duckdb.connect()
        found = self.ref("is_incremental").fetchone()
        self.is_incremental = bool(found and found[0])

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """The rows of a model."""
        return self._connection.read_parquet(f"{self._folder}/{name}/*.parquet")


def run_python_model(node: Any, folder: Path) -> None:
    """Run a model in Python over Parquet in `folder`, and write what it gives there."""
    specification = importlib.util.spec_from_file_location(
        node.name, PROJECT / node.original_file_path
    )
    if specification is None or specification.loader is None:
        raise BuildFailed(f"{node.original_file_path} is not there.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    rows = module.model(ModelInputs(node, folder), None)
    pyarrow.parquet.write_table(rows, folder / f"{node.name}.parquet")


class SparkBuild:
    """One build of everything, in parts; what dbt says of each is kept for one report."""

    def __init__(self, variables: str, *, is_full: bool, is_tested: bool) -> None:
        self._manifest: Any = None
        self._variables = ["--vars", variables] if variables else []
        self._is_full, self._is_tested = is_full, is_tested
        self._started_at = datetime.now(UTC)
        self._python_folder = spark_raw_folder().with_name("python")
        self._marts_folder = spark_raw_folder().with_name("marts")
        self._report = target_folder() / "run_results.json"
        self._results: list[dict[str, Any]] = []
        self._metadata: dict[str, Any] = {}
        self._nodes: dict[str, Any] = {}

    def run(self) -> None:
        """Build, test, hand over; raises BuildFailed at the first part that fails."""
        self._manifest = self._invoke("parse")
        self._nodes = {
            unique_id: node
            for unique_id, node in self._manifest.nodes.items()
            if node.resource_type in ("model", "seed")
        }
        marts: list[Any] = []
        try:
            self._build()
            if self._is_tested:
                self._run_dbt("test", "--exclude-resource-type", "unit_test")
                marts = self._write_marts()
        finally:
            self._write_results()
            if self._is_tested:
                invocation_id = self._metadata.get("invocation_id", "")
                write_handover(spark_warehouse_file(), self._marts_folder, marts, invocation_id)

    def _invoke(self, *command: str) -> Any:
        from dbt.cli.main import dbtRunner

        runner = dbtRunner(manifest=self._manifest)  # so that the project is parsed once
        result = runner.invoke([*command, "--target", _target(), *self._variables])
        if not result.success:
            raise BuildFailed(str(result.exception or f"dbt {command[0]} failed."))
        return result.result

    def _keep_results(self, command: str) -> None:
        """The results of the last dbt command; a build's metadata tell which one it was."""
        if not self._report.exists():
            return
        report = json.loads(self._report.read_text(encoding="utf-8"))
        self._results += report["results"]
        if command == "build":
            self._metadata = report["metadata"]

    def _run_dbt(self, command: str, *arguments: str) -> None:
        self._report.unlink(missing_ok=True)  # of a command before, if this one comes to nothing
        try:
            self._invoke(command, *arguments)
        finally:
            self._keep_results(command)

    def _operate(self, macro: str, folder: str = "", **arguments: Any) -> None:
        values = {"folder": folder, **arguments} if folder else arguments
        self._invoke("--quiet", "run-operation", macro, "--args", json.dumps(values))

    def _build(self) -> None:
        done: set[str] = set()
        full = ["--full-refresh"] if self._is_full else []
        while len(done) < len(self._nodes):
            waiting = waiting_for_python(self._nodes, done)
            names = [self._nodes[key].name for key in sorted(set(self._nodes) - waiting - done)]
            if names:
                kinds = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
                self._run_dbt("build", *kinds, *full, "--select", *names)
            done = set(self._nodes) - waiting
            for unique_id in sorted(waiting):
                node = self._nodes[unique_id]
                parents = [key for key in node.depends_on.nodes if key in self._nodes]
                if node.language == "python" and done.issuperset(parents):
                    self._run_in_python(unique_id, [self._nodes[key] for key in parents])
                    done.add(unique_id)
        self._operate("close_refresh")

    def _run_in_python(self, unique_id: str, parents: Sequence[Any]) -> None:
        node = self._nodes[unique_id]
        print(f"Running {node.name} in Python ...", flush=True)
        started = time.monotonic()
        folder = emptied(self._python_folder)
        relations = {parent.name: f"{parent.schema}.{parent.alias}" for parent in parents}
        self._operate("write_for_python", str(folder), relations=relations, model=node.name)
        run_python_model(node, folder)
        self._operate("take_from_python", str(folder), model=node.name)
        self._results.append(result_of(unique_id, "success", time.monotonic() - started))

    def _write_results(self) -> None:
        """One report of all parts, as of one `dbt build`, which publishing asks for."""
        if not self._metadata:
            return
        now = datetime.now(UTC)
        told = {result["unique_id"] for result in self._results}
        self._results += [result_of(name, "skipped") for name in self._nodes if name not in told]
        report = {
            "metadata": {
                **self._metadata,
                "invocation_started_at": self._started_at.isoformat(),
                "generated_at": now.isoformat(),
            },
            "results": self._results,
            "elapsed_time": (now - self._started_at).total_seconds(),
            "args": {"which": "build"},
        }
        self._report.write_text(json.dumps(report), encoding="utf-8")

    def _write_marts(self) -> list[Any]:
        """The marts, and the day that they are of, as Parquet; gives the marts' nodes."""
        nodes = [node for node in self._nodes.values() if node.resource_type == "model"]
        marts = [node for node in nodes if node.config.access == "public"]
        print(f"Handing {len(marts)} marts over ...", flush=True)
        handed_over = [*marts, *(node for node in nodes if node.name == AS_OF)]
        relations = {node.name: f"{node.schema}.{node.alias}" for node in handed_over}
        folder = emptied(self._marts_folder)
        self._operate("write_for_python", str(folder), relations=relations, model="")
        return marts


def result_of(unique_id: str, status: str, seconds: float = 0) -> dict[str, Any]:
    """A result as dbt reports it, of a node that dbt itself did not run."""
    return {
        "unique_id": unique_id,
        "status": status,
        "execution_time": seconds,
        "failures": None,
        "message": None,
    }


def write_handover(file: Path, folder: Path, marts: Sequence[Any], invocation_id: str = "") -> None:
    """A DuckDB file that says whose build it is of, with views on the Parquet of marts in `folder`.

    `marts` are nodes of dbt, whose contracts say the types; none of them after a build that failed.
    """
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as connection:
        for schema in ("raw", "staging", "marts"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            f"create table raw.last_run as select {sql_text(invocation_id)} as invocation_id"
        )
        if marts:
            connection.execute(f"create table staging.{AS_OF} as from {_parquet(folder, AS_OF)}")
        for node in marts:
            columns = ", ".join(
                f"cast({_in_utc(name, column.data_type)} as {column.data_type}) as {name}"
                for name, column in node.columns.items()
            )
            connection.execute(
                f"create view marts.{node.alias} as select {columns} "
                f"from {_parquet(folder, node.name)}"
            )
    new.replace(file)


def emptied(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _parquet(folder: Path, name: str) -> str:
    return f"read_parquet({sql_text(f'{folder}/{name}/*.parquet')})"


def _in_utc(name: str, data_type: str) -> str:
    """Spark's times are UTC, and say so; the marts' are UTC without a word."""
    return f"timezone('UTC', {name})" if data_type == "timestamp" else name


def waiting_for_python(nodes: Mapping[str, Any], done: set[str]) -> set[str]:
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


def _target() -> str:
    """The target of profiles.yml by which Spark is reached."""
    return "spark_connect" if os.environ.get("SPARK_REMOTE") else "spark"


def _missing() -> str | None:
    """What a build lacks on this machine, as a sentence."""
    if importlib.util.find_spec("dbt.adapters.spark") is None:
        return "dbt-spark is not installed: run `make build-spark`, which sets it up."
    is_far = os.environ.get("SPARK_REMOTE") or os.environ.get("CARTWRIGHT_SPARK_METHOD") == "thrift"
    if not is_far and shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        return "Java 17 is needed for Spark: install it, or set JAVA_HOME."
    return None


def _shop(variables: str) -> Path | None:
    """The shop's raw folder: the variable `raw_path`, else CARTWRIGHT_RAW_PATH, as on DuckDB."""
    try:
        path = (yaml.safe_load(variables) or {}).get("raw_path")
    except (yaml.YAMLError, AttributeError) as fault:
        raise PreparationFailed(
            f"--vars takes a YAML dictionary, as `{{raw_path: my/folder}}`, not `{variables}`."
        ) from fault
    return Path(path).expanduser().resolve() if path else raw_path()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.spark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("step", choices=["prepare", "build"])
    parser.add_argument(
        "--full-refresh", action="store_true", help="build every table from nothing"
    )
    parser.add_argument(
        "--untested",
        action="store_true",
        help="leave out dbt's tests; what was built so is not handed over, nor published",
    )
    parser.add_argument("--vars", default="", metavar="YAML", help="variables, as dbt takes them")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; exit 1 with a sentence per fault."""
    options = _arguments(arguments)
    if options.step == "build" and (fault := _missing()):
        print(fault, file=sys.stderr)
        return 1
    os.environ["CARTWRIGHT_SPARK_RAW"] = str(spark_raw_folder())  # the macros know no other place
    try:
        with WriterLock(spark_warehouse_file()):
            paths = prepare(spark_raw_folder(), _shop(options.vars))
            print(f"{len(paths)} raw tables are ready for Spark in {spark_raw_folder()}")
            if options.step == "build":
                SparkBuild(
                    options.vars, is_full=options.full_refresh, is_tested=not options.untested
                ).run()
    except (PreparationFailed, BuildFailed, Busy) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

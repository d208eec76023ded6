"""Copies the public marts of a build that passed to where BI tools read them.

    published/marts.duckdb                            every mart as a table of schema main
    published/parquet/<build id>/<mart>.parquet       the same, a file a mart
    published/manifest.json                           build, rows, checks, checksums
    published/builds/<build id>/                      the last builds, to roll back to
    published/history/                                what became of each build (history.py)

Nothing half-written is ever seen: a file is written beside its place, checked, flushed to disk and
renamed over the one before. A reader that has the old file open keeps reading it; the next one that
connects sees the new one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import history
from orchestration.build_results import Build, PublishError, names_of, read_build
from orchestration.compact import CopyDiffers, compact
from orchestration.history import BuildRun, CheckResult
from orchestration.judgement import Judgement, judge
from orchestration.lock import Busy, WriterLock
from orchestration.published_folder import (
    MANIFEST,
    MARTS,
    current,
    flush,
    forget_old_builds,
    kept_builds,
    new_id,
    rollback,
    sha256,
    switch,
    tidy,
)
from orchestration.raw_files import sql_text
from orchestration.settings import published_folder, target_folder, warehouse_file

__all__ = ["KEPT_BUILDS", "PublishError", "main", "publish", "rollback"]

KEPT_BUILDS = 3
# Opens in every DuckDB since 1.0, so in the drivers of BI tools that lag behind.
STORAGE_VERSION = "v1.0.0"


@dataclass
class PublishedMart:
    """What the published manifest says of one mart."""

    name: str
    rows: int
    columns: int
    parquet: str
    sha256: str


def publish(
    warehouse: Path,
    target: Path,
    folder: Path,
    launched_by: str = "command",
    keep: int = KEPT_BUILDS,
) -> dict[str, Any]:
    """Publish the marts of the build whose artifacts are in `target`; returns the manifest written.

    `warehouse` is the work file, `target` dbt's target folder, `folder` where BI tools read, `keep`
    how many builds stay there. Raises PublishError where the last build did not pass, leaving what
    was published before as it is, and Busy where another process writes.
    """
    with WriterLock(folder / MARTS):
        tidy(folder)
        build = read_build(target)
        if not warehouse.exists():
            raise PublishError(f"There is no warehouse {warehouse}: run `dbt build` first.")
        # Nobody builds on while the marts are copied.
        with WriterLock(warehouse):
            manifest = _Publication(build, warehouse, folder, launched_by).run(keep)
            _tidy_warehouse(warehouse)
            return manifest


def _tidy_warehouse(warehouse: Path) -> None:
    """Give the room of what was replaced back; what is published is so without that as well."""
    try:
        compact(warehouse)
    except (duckdb.Error, OSError, CopyDiffers) as error:
        print(
            f"{warehouse} was not made smaller, the next time it may be: {error}", file=sys.stderr
        )


class _Publication:
    """One publication, from what dbt said of a build to what readers see."""

    def __init__(self, build: Build, warehouse: Path, folder: Path, launched_by: str) -> None:
        self.build, self.warehouse, self.folder = build, warehouse, folder
        self.launched_by = launched_by
        self.started_at = datetime.now(UTC)
        self.build_id = new_id(self.started_at)
        self.work = folder / f".{self.build_id}"
        self.as_of_date: date | None = None
        self.judgements: list[Judgement] = []

    def run(self, keep: int) -> dict[str, Any]:
        """Check, write, switch; what is refused is written down before the error goes on."""
        self.work.mkdir()
        try:
            self._look()
            refusal = self._refusal()
            if refusal:
                history.note(self.folder, self.work, self._run(refusal), self._checks())
                raise PublishError(refusal)
            manifest = self._write()
            switch(self.folder, self.work, manifest)
            history.keep(self.folder, self.work, self.build_id)
        finally:
            shutil.rmtree(self.work, ignore_errors=True)
        forget_old_builds(self.folder, keep)
        return manifest

    def _look(self) -> None:
        """Ask the work file whose build it holds; and, if it is this one, what to think of it."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            found = connection.execute(
                "select count(*) from duckdb_tables()"
                " where schema_name = 'raw' and table_name = 'last_run'"
            ).fetchone()
            ids = connection.execute("from raw.last_run").fetchall() if found != (0,) else []
            if ids != [(self.build.invocation_id,)]:
                raise PublishError(
                    f"{self.warehouse} was changed by another dbt command since the "
                    "last whole build, which may not have come to its end: run `dbt build` again, "
                    "then publish."
                )
            if not self.build.failed:
                row = connection.execute(
                    "select as_of_date from staging.stg_shop__as_of"
                ).fetchone()
                self.as_of_date = row[0] if row else None
                self.judgements = judge(connection)

    def _refusal(self) -> str:
        """Why the build is not published: the checks, and the rows that break them; or nothing."""
        failed, steps = self.build.failed, self.build.steps
        if failed:
            return (
                f"The last build did not pass, so nothing was published: {len(failed)} of "
                f"{len(steps)} steps failed, warned or were skipped "
                f"({names_of([step['unique_id'] for step in failed])}). Mend them and run "
                f"`dbt build` again.\n{self.build.complaint(self.warehouse)}"
            )
        broken = [judgement for judgement in self.judgements if judgement.status == "fail"]
        return " ".join(
            f"{judgement.question.mart}: {judgement.question.name} failed, so nothing was "
            f"published. {judgement.outcome.message}"
            for judgement in broken[:1]
        )

    def _checks(self) -> list[CheckResult]:
        return self.build.checks(self.build_id) + [
            CheckResult(
                run_id=self.build_id,
                check_id=f"judgement.{judgement.question.name}",
                check_name=judgement.question.name,
                check_kind="judgement",
                model_name=judgement.question.mart,
                status=judgement.status,
                failure_count=judgement.outcome.failure_count,
                seconds=None,
                message=judgement.outcome.message or None,
            )
            for judgement in self.judgements
        ]

    def _run(self, refusal: str | None, rows: int | None = None, schema: str = "") -> BuildRun:
        checks = self._checks()
        return BuildRun(
            run_id=self.build_id,
            run_kind="build",
            launched_by=self.launched_by,
            invocation_id=self.build.invocation_id,
            started_at=self.build.started_at,
            build_seconds=self.build.seconds,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
            is_published=not refusal,
            published_build_id=None if refusal else self.build_id,
            refusal=refusal,
            as_of_date=self.as_of_date,
            model_count=self.build.made_count,
            check_count=len(checks),
            failed_check_count=sum(
                check.status in ("fail", "error", "skipped") for check in checks
            ),
            mart_row_count=rows,
            schema_version=schema or None,
        )

    def _write(self) -> dict[str, Any]:
        """Write file, Parquet, history and manifest into the work folder; check and flush them."""
        file, parquet = self.work / MARTS, self.work / "parquet"
        parquet.mkdir()
        checks = self._checks()
        with duckdb.connect() as connection:
            connection.execute(f"attach {sql_text(str(self.warehouse))} as warehouse (read_only)")
            connection.execute(
                f"attach {sql_text(str(file))} as published"
                f" (storage_version {sql_text(STORAGE_VERSION)})"
            )
            connection.execute("use warehouse")
            connection.execute("begin")  # one commit, in place of one for each description
            counts = {}
            for mart in self.build.marts:
                order = ", ".join(f'"{column}"' for column in mart.order_by)
                self._finish(
                    connection,
                    mart.name,
                    f"from {mart.relation} order by {order}",
                    mart.description,
                    mart.column_descriptions,
                    order,
                )
                counts[mart.name] = _count(connection, mart.relation)
            schema = _schema_version(connection)
            run = self._run(None, sum(counts.values()), schema)
            history.write(self.work, run, checks)
            for past in history.MARTS:
                order = ", ".join(past.grain)
                self._finish(
                    connection,
                    past.name,
                    f"{history.query(past, self.folder, self.work)} order by {order}",
                    past.description,
                    {column.name: column.description for column in past.columns},
                    order,
                )
                counts[past.name] = _count(connection, f'published.main."{past.name}"')
            connection.execute("commit")
            connection.execute("detach published")
        _check_marts(file, counts)
        manifest = self._manifest(sorted(counts), counts, schema)
        (self.work / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        for path in sorted(self.work.rglob("*")):
            if path.suffix in (".duckdb", ".parquet"):
                path.chmod(0o444)  # for readers: nobody opens it for writing by mistake
            flush(path)
        return manifest

    def _finish(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        query: str,
        description: str,
        columns: dict[str, str],
        order: str,
    ) -> None:
        """One mart as a table with its descriptions, and as Parquet."""
        table = f'published.main."{name}"'
        connection.execute(f"create table {table} as {query}")
        connection.execute(f"comment on table {table} is {sql_text(description)}")
        for column, text in columns.items():
            connection.execute(f'comment on column {table}."{column}" is {sql_text(text)}')
        path = self.work / "parquet" / f"{name}.parquet"
        connection.execute(
            f"copy (from {table} order by {order}) to {sql_text(str(path))}"
            " (format parquet, compression zstd)"
        )

    def _manifest(
        self, names: Sequence[str], counts: dict[str, int], schema: str
    ) -> dict[str, Any]:
        columns = {mart.name: len(mart.column_descriptions) for mart in self.build.marts}
        columns |= {mart.name: len(mart.columns) for mart in history.MARTS}
        checks = self._checks()
        return {
            "build_id": self.build_id,
            "published_at": self.started_at.isoformat(timespec="seconds"),
            "as_of_date": str(self.as_of_date) if self.as_of_date else None,
            "invocation_id": self.build.invocation_id,
            "launched_by": self.launched_by,
            "schema_version": schema,
            "duckdb_version": duckdb.__version__,
            "storage_version": STORAGE_VERSION,
            "checks_passed": sum(check.status == "pass" for check in checks),
            "warnings": [check.message for check in checks if check.status == "warn"],
            "marts_sha256": sha256(self.work / MARTS),
            "marts": [
                asdict(
                    PublishedMart(
                        name=name,
                        rows=counts[name],
                        columns=columns[name],
                        parquet=f"parquet/{self.build_id}/{name}.parquet",
                        sha256=sha256(self.work / "parquet" / f"{name}.parquet"),
                    )
                )
                for name in names
            ],
        }


def _check_marts(file: Path, counts: dict[str, int]) -> None:
    """Open what was written as a reader would, and count it."""
    with duckdb.connect(str(file), read_only=True) as connection:
        for mart, expected in counts.items():
            written = _count(connection, f'"{mart}"')
            if written != expected:
                raise PublishError(f"{mart}: {written} rows were written, {expected} expected.")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"select count(*) from {relation}").fetchone()
    assert row is not None
    return int(row[0])


def _schema_version(connection: duckdb.DuckDBPyConnection) -> str:
    """A hash of every mart's columns and types: readers see by it that a column came or went."""
    columns = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = 'published' order by table_name, column_index"
    ).fetchall()
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:12]


def print_summary(manifest: dict[str, Any], folder: Path) -> None:
    """Say what was built, what was rejected and where to look next."""
    print(f"\nPublished build {manifest['build_id']}, as of {manifest['as_of_date']}, to {folder}")
    print(f"{manifest['checks_passed']} checks passed.\n")
    width = max(len(mart["name"]) for mart in manifest["marts"])
    for mart in manifest["marts"]:
        print(f"  {mart['name']:<{width}} {mart['rows']:>13,} rows")
    with duckdb.connect(str(folder / MARTS), read_only=True) as connection:
        rejected = connection.execute(
            "select table_name, rejected_row_count from agg_load_report"
            " where rejected_row_count > 0 order by rejected_row_count desc, table_name"
        ).fetchall()
    total = sum(count for _, count in rejected)
    tables = ", ".join(f"{count:,} of {table}" for table, count in rejected)
    print(f"\n{total:,} raw rows were rejected{': ' + tables if rejected else ''}.")
    for warning in manifest["warnings"]:
        print(f"Look at this: {warning}")
    print("Look next: fct_rejected_rows says why; docs/architecture.md where each number is made;")
    print(f"any DuckDB client opens {folder / MARTS} (read-only).")


def print_builds(folder: Path) -> None:
    """List the builds that are kept, the newest last."""
    now = current(folder)
    for build_id, manifest in kept_builds(folder).items():
        is_now = now is not None and now["build_id"] == build_id
        rows = sum(mart["rows"] for mart in manifest["marts"])
        print(
            f"{'*' if is_now else ' '} {build_id}  as of {manifest['as_of_date']}  {rows:>13,} rows"
            f"  {manifest['checks_passed']:,} checks  schema {manifest['schema_version']}"
        )


def print_status(folder: Path) -> None:
    """Say what readers have, and how the last tries to publish ended."""
    now = current(folder)
    if now is None:
        raise PublishError(f"Nothing was published to {folder} yet: run `make build`.")
    print(f"Readers have build {now['build_id']}, as of {now['as_of_date']}.")
    for run in history.last_runs(folder, 5):
        end = (
            f"published {run['published_build_id']}" if run["is_published"] else "nothing published"
        )
        print(f"  {run['run_id']}  {run['run_kind']} by {run['launched_by']}: {end}")
        if run["refusal"]:
            print(f"    {run['refusal']}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.publish",
        description="Publish the marts of the last `dbt build`, if it passed; or go back.",
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("publish", "rollback", "list", "status"),
        default="publish",
        help="publish (default); rollback: give readers a build published before; list: the builds "
        "kept, * the one that readers have; status: how the last tries ended",
    )
    parser.add_argument(
        "--to", metavar="BUILD", help="the build to roll back to; default: the one before"
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=KEPT_BUILDS,
        help="how many builds to keep (default: %(default)s)",
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        default=warehouse_file(),
        help="the work file (CARTWRIGHT_WAREHOUSE)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=published_folder(),
        help="where BI tools read (CARTWRIGHT_PUBLISH_DIR)",
    )
    parser.add_argument(
        "--target",
        type=Path,
        default=target_folder(),
        help="dbt's target folder (DBT_TARGET_PATH)",
    )
    options = parser.parse_args(arguments)
    if options.to and options.action != "rollback":
        parser.error("--to goes with rollback")
    if options.keep < 1:
        parser.error("--keep must be at least 1")
    return options


def _do_publish(options: argparse.Namespace) -> None:
    start = time.monotonic()
    manifest = publish(options.warehouse, options.target, options.folder, keep=options.keep)
    print_summary(manifest, options.folder)
    print(f"Written in {time.monotonic() - start:.1f} seconds.")


def _do_rollback(options: argparse.Namespace) -> None:
    manifest = rollback(options.folder, options.to)
    print(f"Readers have build {manifest['build_id']} again, as of {manifest['as_of_date']}.")


ACTIONS: dict[str, tuple[str, Callable[[argparse.Namespace], None]]] = {
    "publish": ("Not published", _do_publish),
    "rollback": ("Not rolled back", _do_rollback),
    "list": ("No list", lambda options: print_builds(options.folder)),
    "status": ("No status", lambda options: print_status(options.folder)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit 1 with one sentence where it cannot be done."""
    options = _arguments(arguments)
    failure, action = ACTIONS[options.action]
    try:
        action(options)
    except (PublishError, Busy, duckdb.Error, OSError) as error:
        print(f"{failure}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

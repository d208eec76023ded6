"""Copies the public marts of a build that passed to where BI tools read them.

    published/marts.duckdb                            every mart as a table of schema main
    published/parquet/<build id>/<mart>.parquet       the same, a file a mart
    published/manifest.json                           build, rows, checks, checksums

Nothing half-written is ever seen: a file is written beside its place, checked, flushed to disk and
renamed over the one before. A reader that has the old file open keeps reading it; the next one that
connects sees the new one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.raw_files import sql_text
from orchestration.raw_folder import PROJECT

KEPT_BUILDS = 3
# Opens in every DuckDB since 1.0, so in the drivers of BI tools that lag behind.
STORAGE_VERSION = "v1.0.0"


class PublishError(Exception):
    """The build cannot be published; the message says why and what to do."""


@dataclass(frozen=True)
class Mart:
    """A public mart of the dbt project, as its manifest describes it."""

    unique_id: str
    name: str
    relation: str
    description: str
    column_descriptions: dict[str, str]
    order_by: list[str]


@dataclass
class PublishedMart:
    """What the published manifest says of one mart."""

    name: str
    rows: int
    columns: int
    parquet: str
    sha256: str


def publish(warehouse: Path, target: Path, folder: Path) -> dict[str, Any]:
    """Publish the marts of the build whose artifacts are in `target`; returns the manifest written.

    `warehouse` is the work file, `target` dbt's target folder, `folder` where BI tools read. Raises
    PublishError where the last build did not pass, leaving what was published before as it is.
    """
    marts = _public_marts(target)
    checks = _passed_checks(target, marts)
    started_at = datetime.now(UTC)
    build_id = started_at.strftime("%Y%m%dT%H%M%S%fZ")
    parquet_folder = folder / "parquet" / build_id
    work_folder = folder / f".{build_id}"
    work_folder.mkdir(parents=True)
    try:
        file = work_folder / "marts.duckdb"
        as_of_date, counts = _write_marts(warehouse, file, work_folder / "parquet", marts)
        _check_marts(file, counts)
        manifest = {
            "build_id": build_id,
            "published_at": started_at.isoformat(timespec="seconds"),
            "as_of_date": as_of_date,
            "schema_version": _schema_version(file),
            "duckdb_version": duckdb.__version__,
            "storage_version": STORAGE_VERSION,
            "checks_passed": checks,
            "marts_sha256": _sha256(file),
            "marts": [
                asdict(
                    PublishedMart(
                        name=mart.name,
                        rows=counts[mart.name],
                        columns=len(mart.column_descriptions),
                        parquet=f"parquet/{build_id}/{mart.name}.parquet",
                        sha256=_sha256(work_folder / "parquet" / f"{mart.name}.parquet"),
                    )
                )
                for mart in marts
            ],
        }
        (work_folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        for path in sorted(work_folder.rglob("*")):
            _flush(path)
        parquet_folder.parent.mkdir(exist_ok=True)
        os.replace(work_folder / "parquet", parquet_folder)
        os.replace(file, folder / "marts.duckdb")
        os.replace(work_folder / "manifest.json", folder / "manifest.json")
        for path in (parquet_folder.parent, folder):
            _flush(path)
    finally:
        shutil.rmtree(work_folder, ignore_errors=True)
    _forget_old_builds(folder / "parquet")
    return manifest


def _passed_checks(target: Path, marts: Sequence[Mart]) -> int:
    """The number of dbt tests of the last build; PublishError unless it built all and passed."""
    path = target / "run_results.json"
    if not path.exists():
        raise PublishError("There is no build to publish: run `make build` or `dbt build` first.")
    results = json.loads(path.read_text())
    if results["args"]["which"] != "build":
        raise PublishError(
            f"The last dbt command was `dbt {results['args']['which']}`, which does not show that "
            "the marts are sound: run `dbt build`, then publish."
        )
    steps = results["results"]
    failed = [step for step in steps if step["status"] not in ("success", "pass", "no-op")]
    if failed:
        raise PublishError(
            f"The last build did not pass, so nothing was published: {len(failed)} of "
            f"{len(steps)} steps failed, warned or were skipped ({_names(failed)}). Mend them and "
            "run `dbt build` again."
        )
    built = {step["unique_id"] for step in steps}
    left_out = [{"unique_id": mart.unique_id} for mart in marts if mart.unique_id not in built]
    if left_out:
        raise PublishError(
            f"The last build left out {len(left_out)} of {len(marts)} marts ({_names(left_out)}), "
            "so nothing was published: run `dbt build` without a selection."
        )
    return sum(step["unique_id"].startswith(("test.", "unit_test.")) for step in steps)


def _names(steps: Sequence[dict[str, Any]]) -> str:
    names = [step["unique_id"].split(".")[2] for step in steps]
    return ", ".join(names[:5] + ["..."] * (len(names) > 5))


def _public_marts(target: Path) -> list[Mart]:
    path = target / "manifest.json"
    if not path.exists():
        raise PublishError("There is no build to publish: run `make build` or `dbt build` first.")
    manifest = json.loads(path.read_text())
    marts = []
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["config"]["access"] == "public":
            columns = node["columns"]
            dates = [name for name, column in columns.items() if column["data_type"] == "date"]
            marts.append(
                Mart(
                    unique_id=node["unique_id"],
                    name=node["name"],
                    relation=f'"{node["schema"]}"."{node["alias"]}"',
                    description=node["description"],
                    column_descriptions={name: c["description"] for name, c in columns.items()},
                    # By date first, so that a query on some days reads few blocks; then the
                    # grain, so that the same rows are the same bytes.
                    order_by=list(dict.fromkeys(dates[:1] + node["config"]["meta"]["grain"])),
                )
            )
    return sorted(marts, key=lambda mart: mart.name)


def _write_marts(
    warehouse: Path, file: Path, parquet: Path, marts: Sequence[Mart]
) -> tuple[str | None, dict[str, int]]:
    """Write each mart into the DuckDB file and as Parquet; gives as_of_date and rows by mart."""
    if not warehouse.exists():
        raise PublishError(f"There is no warehouse {warehouse}: run `dbt build` first.")
    parquet.mkdir()
    counts = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach {sql_text(str(warehouse))} as warehouse (read_only)")
        connection.execute(
            f"attach {sql_text(str(file))} as published"
            f" (storage_version {sql_text(STORAGE_VERSION)})"
        )
        connection.execute("use warehouse")
        for mart in marts:
            table = f'published.main."{mart.name}"'
            order = ", ".join(f'"{column}"' for column in mart.order_by)
            connection.execute(f"create table {table} as from {mart.relation} order by {order}")
            connection.execute(f"comment on table {table} is {sql_text(mart.description)}")
            for column, description in mart.column_descriptions.items():
                connection.execute(
                    f'comment on column {table}."{column}" is {sql_text(description)}'
                )
            path = parquet / f"{mart.name}.parquet"
            connection.execute(
                f"copy (from {table} order by {order}) to {sql_text(str(path))}"
                " (format parquet, compression zstd)"
            )
            counts[mart.name] = _count(connection, mart.relation)
        row = connection.execute("select as_of_date from staging.stg_shop__as_of").fetchone()
        connection.execute("detach published")
    return (str(row[0]) if row and row[0] else None), counts


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


def _schema_version(file: Path) -> str:
    """A hash of every mart's columns and types: readers see by it that a column came or went."""
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'main' order by table_name, ordinal_position"
        ).fetchall()
    return hashlib.sha256(repr(columns).encode()).hexdigest()[:12]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Make a written file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget_old_builds(folder: Path) -> None:
    for path in sorted(folder.iterdir())[:-KEPT_BUILDS]:
        shutil.rmtree(path, ignore_errors=True)


def print_summary(manifest: dict[str, Any], folder: Path) -> None:
    """Say what was built, what was rejected and where to look next."""
    print(f"\nPublished build {manifest['build_id']}, as of {manifest['as_of_date']}, to {folder}")
    print(f"{manifest['checks_passed']} checks passed.\n")
    width = max(len(mart["name"]) for mart in manifest["marts"])
    for mart in manifest["marts"]:
        print(f"  {mart['name']:<{width}} {mart['rows']:>13,} rows")
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as connection:
        rejected = connection.execute(
            "select table_name, rejected_row_count from agg_load_report"
            " where rejected_row_count > 0 order by rejected_row_count desc, table_name"
        ).fetchall()
    total = sum(count for _, count in rejected)
    tables = ", ".join(f"{count:,} of {table}" for table, count in rejected)
    print(f"\n{total:,} raw rows were rejected{': ' + tables if rejected else ''}.")
    print("Look next: fct_rejected_rows says why; docs/architecture.md where each number is made;")
    print(f"any DuckDB client opens {folder / 'marts.duckdb'} (read-only).")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit 1 with one sentence where the build cannot be published."""
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.publish",
        description="Publish the marts of the last `dbt build`, if it passed.",
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        default=environment("CARTWRIGHT_WAREHOUSE", str(PROJECT / "warehouse/cartwright.duckdb")),
        help="the work file (CARTWRIGHT_WAREHOUSE)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=environment("CARTWRIGHT_PUBLISH_DIR", str(PROJECT / "published")),
        help="where BI tools read (CARTWRIGHT_PUBLISH_DIR)",
    )
    parser.add_argument(
        "--target",
        type=Path,
        default=environment("DBT_TARGET_PATH", str(PROJECT / "target")),
        help="dbt's target folder (DBT_TARGET_PATH)",
    )
    options = parser.parse_args(arguments)
    try:
        manifest = publish(options.warehouse, options.target, options.folder)
    except (PublishError, duckdb.Error, OSError) as error:
        print(f"Not published: {error}", file=sys.stderr)
        return 1
    print_summary(manifest, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

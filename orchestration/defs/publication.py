"""What BI tools read: the published marts, and on demand those of past days."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration import alerts, history
from orchestration.dbt_project import TRANSLATOR, read_manifest
from orchestration.lock import WriterLock
from orchestration.publish import publish
from orchestration.settings import (
    first_day,
    is_on_spark,
    published_folder,
    reporting_timezone,
    target_folder,
    warehouse_file,
)
from orchestration.steps import BUILD, POOL, BuildFailed, step

GROUP, OWNERS = "published", ["team:data-engineering"]
MARTS = [
    TRANSLATOR.get_asset_key(node)
    for node in read_manifest()["nodes"].values()
    if node["resource_type"] == "model" and node["config"]["access"] == "public"
]
DAYS = dg.DailyPartitionsDefinition(start_date=first_day(), timezone=reporting_timezone())


def _history_spec(mart: history.HistoryMart) -> dg.AssetSpec:
    columns = [
        dg.TableColumn(column.name, str(column.type), description=column.description)
        for column in mart.columns
    ]
    return dg.AssetSpec(
        mart.name,
        description=mart.description,
        group_name=GROUP,
        owners=OWNERS,
        deps=["published_marts"],
        metadata={"dagster/column_schema": dg.TableSchema(columns)},
        kinds={"duckdb"},
    )


@dg.multi_asset(
    name="publish_marts",
    specs=[
        dg.AssetSpec(
            "published_marts",
            description="published/marts.duckdb, Parquet and manifest: every mart of a build that "
            "passed, swapped in one step (python -m orchestration.publish).",
            group_name=GROUP,
            owners=OWNERS,
            deps=MARTS,
            kinds={"duckdb", "parquet"},
        ),
        *(_history_spec(mart) for mart in history.MARTS),
    ],
    pool=POOL,
)
def published(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Publish the last build; tell of KPI alerts that readers see for the first time."""
    with step(context):
        folder = published_folder()
        manifest = publish(warehouse_file(), target_folder(), folder, context.run.job_name)
        rows = {mart["name"]: mart["rows"] for mart in manifest["marts"]}
        context.log.info(f"build {manifest['build_id']}: {sum(rows.values()):,} rows published")
        yield dg.MaterializeResult(
            asset_key="published_marts",
            metadata={
                "dagster/row_count": sum(rows.values()),
                **{
                    name: manifest[name] or "none"
                    for name in ("build_id", "as_of_date", "schema_version", "checks_passed")
                },
                "folder": dg.MetadataValue.path(folder),
                "marts": dg.MetadataValue.md(
                    "\n".join(f"- {name}: {count:,} rows" for name, count in rows.items())
                ),
            },
        )
        for mart in history.MARTS:
            yield dg.MaterializeResult(
                asset_key=mart.name, metadata={"dagster/row_count": rows[mart.name]}
            )
        alerts.tell_kpis(folder)


@dg.asset(
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    owners=OWNERS,
    deps=MARTS,
    kinds={"duckdb", "parquet"},
    pool=POOL,
)
def marts_of_past_days(
    context: dg.AssetExecutionContext, dbt: DbtCliResource
) -> dg.MaterializeResult[Any]:
    """The marts as each day of a range knew them: published/as_of/<day>, beside today's.

    They are built in a copy of the work file: readers and the next refresh see nothing of it.
    """
    rows = {}
    if is_on_spark():
        raise dg.Failure(
            "The marts of past days are built in a copy of DuckDB's work file, and there is none "
            "where the warehouse is on Spark: build it with --vars 'as_of_date: DAY' instead.",
            allow_retries=False,
        )
    with step(context), copy_of(warehouse_file()) as warehouse:
        first, last = context.partition_time_window
        day = first.date()
        while day < last.date():
            folder = published_folder() / "as_of" / day.isoformat()
            target = warehouse.parent / "target"
            arguments = [*BUILD, "--vars", f"{{as_of_date: {day}}}"]
            with environment(CARTWRIGHT_WAREHOUSE=str(warehouse)):
                invocation = dbt.cli(arguments, target_path=target, raise_on_error=False)
                for event in invocation.stream_raw_events():
                    if event.raw_event["info"]["name"] in ("LogModelResult", "LogTestResult"):
                        context.log.debug(f"{day}: {event}")
            if invocation.process.wait() and not (target / "run_results.json").exists():
                raise BuildFailed(str(invocation.get_error()))
            manifest = publish(warehouse, target, folder, context.run.job_name, keep=1)
            rows[day.isoformat()] = sum(mart["rows"] for mart in manifest["marts"])
            context.log.info(f"{day}: {rows[day.isoformat()]:,} rows in {folder}")
            day += timedelta(days=1)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": sum(rows.values()), "rows by day": rows}
    )


@contextmanager
def copy_of(file: Path) -> Iterator[Path]:
    """A copy of the work file under the same name, as views know it, in a folder of its own."""
    folder = file.parent / "backfill"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        if file.exists():
            with WriterLock(file):
                shutil.copyfile(file, folder / file.name)
        yield folder / file.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """What dbt is told by the environment alone, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


defs = dg.Definitions(assets=[published, marts_of_past_days])

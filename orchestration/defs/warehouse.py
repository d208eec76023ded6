"""The warehouse: every seed, model and source of the dbt project, with its tests as checks.

One `dbt build` makes all of it, as by command; what it loads and skips is dbt's and the project's
own affair (docs/decisions/0009-refreshes.md).
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from orchestration.build_results import PublishError
from orchestration.dbt_project import (
    DBT_PROJECT,
    TRANSLATOR,
    Facts,
    dbt_resource,
    read_facts,
    read_manifest,
)
from orchestration.judgement import QUESTIONS, judge_file
from orchestration.landing import digest, wait_until_landed
from orchestration.publish import publish
from orchestration.settings import (
    is_on_spark,
    published_folder,
    raw_path,
    target_folder,
    warehouse_file,
)
from orchestration.spark_assets import build_on_spark, results_of_spark
from orchestration.steps import BUILD, POOL, BuildFailed, step

MANIFEST = read_manifest()
NODES: dict[str, dict[str, Any]] = {**MANIFEST["nodes"], **MANIFEST["sources"]}
RAW_FILES_TAG = "cartwright/raw_files"


class BuildConfig(dg.Config):
    """How `dbt build` is run."""

    full_refresh: bool = False


@dbt_assets(
    manifest=MANIFEST,
    project=DBT_PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="dbt_build",
    pool=POOL,
)
def warehouse(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, config: BuildConfig
) -> Iterator[Any]:
    """`dbt build` on the work file, once the raw folder has landed; or the same on Spark."""
    with step(context):
        note_raw_files(context)
        full_refresh = ["--full-refresh"] if config.full_refresh else []
        started_at = time.time()
        if is_on_spark():
            error = build_on_spark(full_refresh, context.log.info)
            yield from results_of_spark(context, MANIFEST, started_at)
            if error:
                raise BuildFailed(complaint(context, error, started_at))
            return
        arguments = [*BUILD, *full_refresh]
        invocation = dbt.cli(
            arguments, context=context, target_path=target_folder(), raise_on_error=False
        )
        events = list(invocation.stream())
        is_good = invocation.process.wait() == 0
        facts = read_facts(warehouse_file(), NODES) if warehouse_file().exists() else {}
        for event in events:
            yield with_facts(context, event, facts)
        for unique_id, source in MANIFEST["sources"].items():
            if unique_id in facts:
                key = TRANSLATOR.get_asset_key(source)
                metadata = facts[unique_id].metadata(source["columns"])
                context.log_event(dg.AssetMaterialization(key, metadata=metadata))
        if not is_good:
            error = str(invocation.get_error()).rpartition("Errors parsed from dbt logs:")[2]
            raise BuildFailed(complaint(context, error.strip(), started_at))


def note_raw_files(context: dg.AssetExecutionContext) -> None:
    """Wait until the shop's files are whole, and note on the run which ones it reads."""
    folder = raw_path()
    if folder and folder.is_dir():
        found = wait_until_landed(folder)
        context.instance.add_run_tags(context.run.run_id, {RAW_FILES_TAG: digest(found)})
        size = sum(size for size, _ in found.values())
        context.log.info(f"{folder}: {len(found)} files, {size:,} bytes, whole")


def with_facts(context: dg.AssetExecutionContext, event: Any, facts: dict[str, Facts]) -> Any:  # noqa: ANN401
    """An event of dbt with rows and columns, and a line of the log for each model."""
    unique_id = event.metadata["unique_id"].text if "unique_id" in event.metadata else ""
    if unique_id not in facts:
        return event
    node, found = NODES[unique_id], facts[unique_id]
    seconds = event.metadata.get("Execution Duration")
    took = f" in {seconds.value:.2f} seconds" if seconds else ""
    context.log.info(f"{node['name']}: {found.rows:,} rows{took}")
    return event.with_metadata({**event.metadata, **found.metadata(node["columns"])})


def complaint(context: dg.AssetExecutionContext, error: str, started_at: float) -> str:
    """Why the build failed, as its publication is refused where it got so far."""
    results = target_folder() / "run_results.json"
    if results.exists() and results.stat().st_mtime >= started_at:
        try:
            publish(warehouse_file(), target_folder(), published_folder(), context.run.job_name)
        except PublishError as refusal:
            return str(refusal)
    return error


sources = [
    TRANSLATOR.get_asset_spec(MANIFEST, unique_id, DBT_PROJECT) for unique_id in MANIFEST["sources"]
]


@dg.multi_asset_check(
    name="judgements",
    specs=[
        dg.AssetCheckSpec(
            question.name,
            asset=[question.mart],
            description=question.reason,
            blocking=question.severity == "error",
        )
        for question in QUESTIONS
    ],
    pool=POOL,
)
def judgements(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """What the build's own marts say of load, models and KPIs."""
    with step(context):
        for judgement in judge_file(warehouse_file()):
            yield dg.AssetCheckResult(
                asset_key=[judgement.question.mart],
                check_name=judgement.question.name,
                passed=judgement.status == "pass",
                severity=dg.AssetCheckSeverity[judgement.question.severity.upper()],
                description=judgement.outcome.message or "As it should be.",
                metadata={"rows": judgement.outcome.failure_count, **judgement.outcome.facts},
            )


defs = dg.Definitions(
    assets=[warehouse, *sources], asset_checks=[judgements], resources={"dbt": dbt_resource()}
)

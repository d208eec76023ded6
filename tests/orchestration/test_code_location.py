"""What Dagster knows of the project is all of it, and its jobs, schedule and sensors do as told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest
from built_shop import Built
from dagster._core.launcher import WorkerStatus
from dagster._utils.schedules import schedule_execution_time_iterator
from dagster_dbt import DbtCliResource
from shops import PROJECT

from benchmarks.handmade import HandmadeBuild
from orchestration.build_results import PublishError
from orchestration.dbt_project import TRANSLATOR, read_manifest
from orchestration.judgement import QUESTIONS, Judgement, Outcome
from orchestration.landing import NotLanded, digest, stamps, wait_until_landed
from orchestration.lock import Busy
from orchestration.publish import publish
from orchestration.run_launcher import WatchedRunLauncher, lock_file
from orchestration.steps import BuildFailed, outcome_of


def dbt_nodes(*kinds: str) -> dict[str, dict[str, Any]]:
    manifest = read_manifest()
    nodes = {**manifest["nodes"], **manifest["sources"]}
    return {name: node for name, node in nodes.items() if node["resource_type"] in kinds}


def test_every_model_seed_and_source_is_an_asset(definitions: Any) -> None:
    """With its group, owner, description and columns: nobody has to look them up elsewhere."""
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    nodes = dbt_nodes("model", "seed", "source")
    assert len(nodes) > 200
    for node in nodes.values():
        spec = specs[TRANSLATOR.get_asset_key(node)]
        assert spec.group_name not in {"", "default"}
        assert spec.owners
        assert spec.description
        if node["columns"]:  # a base model has those of the raw contract, as its runs tell
            columns = {column.name for column in spec.metadata["dagster/column_schema"].columns}
            assert columns == set(node["columns"])


def test_every_data_test_is_a_check(definitions: Any) -> None:
    """Those of several models too; of severity error, it blocks what is downstream."""
    checks = {
        (check.asset_key, check.name): check
        for definition in definitions.assets
        if isinstance(definition, dg.AssetsDefinition)
        for check in definition.check_specs
    }
    tests = dbt_nodes("test")
    assert len(tests) > 500
    names = {name for _, name in checks}
    assert not [test["name"] for test in tests.values() if test["name"] not in names]
    assert all(check.blocking for check in checks.values())


def test_a_run_tells_rows_columns_checks_and_publishes(refreshed: Built) -> None:
    """One run of the daily job: every asset with its rows, every check passed, readers have it."""
    assert refreshed.run.success
    rows = {
        event.asset_key: event.step_materialization_data.materialization.metadata
        for event in refreshed.run.get_asset_materialization_events()
    }
    for node in dbt_nodes("model", "seed", "source").values():
        metadata = rows[TRANSLATOR.get_asset_key(node)]
        assert isinstance(metadata["dagster/row_count"].value, int)
        assert isinstance(metadata["dagster/column_schema"].value, dg.TableSchema)
    assert rows[dg.AssetKey("fct_orders")]["dagster/row_count"].value == 2
    evaluations = refreshed.run.get_asset_check_evaluations()
    assert {evaluation.check_name for evaluation in evaluations} >= {
        *(question.name for question in QUESTIONS),
        *(test["name"] for test in dbt_nodes("test").values()),
    }
    manifest = json.loads((refreshed.published / "manifest.json").read_text())
    assert manifest["launched_by"] == "daily_refresh"
    assert rows[dg.AssetKey("published_marts")]["build_id"].value == manifest["build_id"]
    with duckdb.connect(str(refreshed.published / "marts.duckdb"), read_only=True) as connection:
        runs = connection.execute("select launched_by, is_published from fct_build_runs").fetchall()
    assert runs == [("daily_refresh", True)]


@pytest.mark.parametrize("severity", ["error", "warn"])
def test_a_judgement_of_severity_error_stops_the_publication(
    definitions: Any,
    severity: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And one of severity warn is told, while readers get the build."""
    made_by_hand(tmp_path, monkeypatch)
    broken = next(question for question in QUESTIONS if question.severity == severity)
    monkeypatch.setattr(
        "orchestration.defs.warehouse.judge_file",
        lambda _: [Judgement(each, Outcome(int(each is broken), "so")) for each in QUESTIONS],
    )
    from orchestration.defs.warehouse import judgements

    (published,) = (
        definition
        for definition in definitions.assets
        if isinstance(definition, dg.AssetsDefinition)
        and dg.AssetKey("published_marts") in definition.keys
    )
    job = dg.Definitions(
        assets=[published], asset_checks=[judgements], executor=dg.in_process_executor
    ).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, raise_on_error=False)
    assert run.success == (severity == "warn")
    assert (tmp_path / "published" / "marts.duckdb").exists() == (severity == "warn")


def test_what_may_pass_is_tried_again_and_a_failed_check_is_not() -> None:
    """A lock or a full disk passes; that two rows have one key does not. Each time later."""
    for error in (
        BuildFailed("cartwright.duckdb is being written by process 7 (dbt build)"),
        duckdb.IOException("IO Error: Could not set lock on file"),
        OSError(28, "No space left on device"),
        Busy("marts.duckdb is being written"),
    ):
        tries = [outcome_of(error, number) for number in range(4)]
        waits = [each.seconds_to_wait for each in tries if isinstance(each, dg.RetryRequested)]
        assert waits == [30, 60, 120]
        assert isinstance(tries[-1], dg.Failure)
    for lasting in (BuildFailed("unique_fct_orders_order_id: 2 rows"), PublishError("no build")):
        assert isinstance(outcome_of(lasting, 0), dg.Failure)


def test_every_step_that_opens_the_work_file_is_in_the_pool(definitions: Any) -> None:
    """Whatever is launched, one of them runs at a time."""
    ops: list[Any] = [
        definition.node_def
        for definition in (*definitions.assets, *definitions.asset_checks)
        if isinstance(definition, dg.AssetsDefinition) and definition.is_executable
    ]
    assert {op.name for op in ops} == {
        *("dbt_build", "judgements", "publish_marts", "marts_of_past_days"),
    }
    assert {op.pool for op in ops} == {"warehouse"}


def test_the_schedule_is_on_at_five_by_the_shops_clock(definitions: Any) -> None:
    """Winter and summer."""
    schedule = definitions.resolve_schedule_def("daily_refresh_schedule")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    for day in (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)):
        ticks = schedule_execution_time_iterator(
            day.timestamp(), schedule.cron_schedule, schedule.execution_timezone
        )
        tick = next(iter(ticks)).astimezone(ZoneInfo("Europe/Paris"))
        assert (tick.hour, tick.minute) == (5, 0)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, datetime(2026, 1, 15, 4, tzinfo=UTC))
        requests = schedule.evaluate_tick(context).run_requests
    assert definitions.resolve_job_def("daily_refresh").name == schedule.job_name
    assert len(requests) == 1


@pytest.fixture
def tick(definitions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ticks of the sensor on a raw folder, one after the other."""
    monkeypatch.setenv("CARTWRIGHT_RAW_PATH", str(tmp_path))
    sensor = definitions.resolve_sensor_def("raw_files_landed")
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:

        def look() -> Any:
            nonlocal cursor
            context = dg.build_sensor_context(instance, cursor=cursor, definitions=definitions)
            found = sensor.evaluate_tick(context)
            cursor = context.cursor
            for request in found.run_requests:
                instance.create_run_for_job(
                    definitions.resolve_job_def("publish"), tags=dict(request.tags)
                )
            return found

        yield look


def test_new_files_start_a_refresh_once_they_are_whole(tick: Any, tmp_path: Path) -> None:
    """Not while one grows, not for one under a temporary name, and not twice for the same."""
    file = tmp_path / "orders.csv"
    assert not tick().run_requests
    file.write_text("order_id\n")
    assert not tick().run_requests
    file.write_text("order_id\nA\n")
    assert not tick().run_requests
    (request,) = tick().run_requests
    assert request.run_key == digest(stamps(tmp_path))
    assert "Nothing new" in tick().skip_message
    for name in ("orders.csv.part", ".orders.csv", "events.tmp", "_temporary/events.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
        assert "Nothing new" in tick().skip_message
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "day.csv").write_text("event_id\n")
    assert not tick().run_requests
    assert tick().run_requests


def test_a_refresh_waits_for_files_that_are_being_written(tmp_path: Path) -> None:
    """For a while; then it says which one does not come to rest."""
    file = tmp_path / "orders.csv"
    file.write_text("order_id\n")
    slept: list[float] = []

    def grow(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 3:
            file.write_text("order_id\n" * (len(slept) + 1))
        else:
            os.utime(file, (time.time() - 60, time.time() - 60))

    assert wait_until_landed(tmp_path, sleep=grow) == stamps(tmp_path)
    assert len(slept) == 3
    file.touch()
    with pytest.raises(NotLanded, match=r"orders\.csv is still being written"):
        wait_until_landed(tmp_path, patience_seconds=40, sleep=lambda _: file.touch())


def test_a_run_whose_process_is_gone_is_known_to_be(definitions: Any, tmp_path: Path) -> None:
    """Else it would be in progress forever, and in the way of every other run."""
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_launcher: {module: orchestration.run_launcher, class: WatchedRunLauncher}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, WatchedRunLauncher)
        run = instance.create_run_for_job(definitions.resolve_job_def("publish"))
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        worker = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from pathlib import Path; from orchestration.lock import WriterLock\n"
                f"lock = WriterLock(Path({str(lock_file(instance, run.run_id))!r}))\n"
                "print('held', flush=True); input()",
            ],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert worker.stdout
        worker.stdout.readline()
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        worker.kill()
        worker.communicate()
        assert launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND


FAKE_DBT = """#!{python}
import json, os, shutil, sys
if "--version" in sys.argv:
    print("installed: 1.12.0")
    sys.exit()
with open({log!r}, "a") as stream:
    print(json.dumps([sys.argv[1:], os.environ["CARTWRIGHT_WAREHOUSE"]]), file=stream)
shutil.copytree({target!r}, os.environ["DBT_TARGET_PATH"], dirs_exist_ok=True)
"""


def made_by_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> HandmadeBuild:
    """A build that no dbt has made, where the steps of a run look for one."""
    build = HandmadeBuild(folder, rows=10)
    build.make(0)
    monkeypatch.setenv("CARTWRIGHT_WAREHOUSE", str(build.warehouse))
    monkeypatch.setenv("CARTWRIGHT_PUBLISH_DIR", str(build.published))
    monkeypatch.setenv("DBT_TARGET_PATH", str(build.target))
    return build


def test_marts_of_past_days_are_beside_todays(
    definitions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range of days in one run: a copy is built, and neither readers nor the work file change."""
    build = made_by_hand(tmp_path / "build", monkeypatch)
    publish(build.warehouse, build.target, build.published)
    files = (build.published / "marts.duckdb", build.warehouse)
    before = [file.read_bytes() for file in files]
    fake, log = tmp_path / "dbt", tmp_path / "log"
    fake.write_text(FAKE_DBT.format(python=sys.executable, log=str(log), target=str(build.target)))
    fake.chmod(0o755)
    job = definitions.resolve_job_def("backfill")
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(
            instance=instance,
            resources={"dbt": DbtCliResource(project_dir=PROJECT, dbt_executable=str(fake))},
            tags={
                "dagster/asset_partition_range_start": "2024-01-01",
                "dagster/asset_partition_range_end": "2024-01-02",
            },
        )
    assert run.success
    days = ("2024-01-01", "2024-01-02")
    copy = build.warehouse.parent / "backfill" / build.warehouse.name
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert [warehouse for _, warehouse in said] == [str(copy)] * 2
    assert [arguments[-1] for arguments, _ in said] == [f"{{as_of_date: {day}}}" for day in days]
    assert sorted(path.name for path in (build.published / "as_of").iterdir()) == [*days]
    for day in days:
        assert (build.published / "as_of" / day / "marts.duckdb").exists()
    assert [file.read_bytes() for file in files] == before
    assert not copy.parent.exists()

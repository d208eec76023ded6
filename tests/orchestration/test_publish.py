"""What BI tools read: whole, checked, swapped in one step, and only from a build that passed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from built_shop import Built
from shops import PROJECT

from orchestration import history
from orchestration.lock import Busy, WriterLock
from orchestration.publish import KEPT_BUILDS, PublishError, main, publish, rollback
from orchestration.published_folder import current, show

HISTORY = {mart.name for mart in history.MARTS}


@pytest.fixture
def artifacts(refreshed: Built, tmp_path: Path) -> Path:
    """A copy of dbt's artifacts that a test may change."""
    return Path(shutil.copytree(refreshed.target, tmp_path / "target"))


def change_results(target: Path, **changes: Any) -> None:
    """Rewrite run_results.json with other values at its top."""
    path = target / "run_results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def results_of(target: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = json.loads((target / "run_results.json").read_text())["results"]
    return results


def test_every_mart_is_published_row_by_row(refreshed: Built, tmp_path: Path) -> None:
    """The file, the Parquet and the work file hold the same rows of every mart."""
    manifest = publish(refreshed.warehouse, refreshed.target, tmp_path)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{refreshed.warehouse}' as work (read_only)")
        connection.execute(f"attach '{tmp_path / 'marts.duckdb'}' as published (read_only)")
        marts = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'work'"
            " and schema_name = 'marts' order by 1"
        ).fetchall()
        names = {mart["name"] for mart in manifest["marts"]}
        assert names == {name for (name,) in marts} | HISTORY
        for mart in manifest["marts"]:
            if mart["name"] in HISTORY:
                continue
            made = f"from work.marts.{mart['name']}"
            for copy in (
                f"from published.main.{mart['name']}",
                f"from '{tmp_path / mart['parquet']}'",
            ):
                for left, right in ((made, copy), (copy, made)):
                    rest = connection.execute(f"({left}) except all ({right})").fetchall()
                    assert not rest, mart["name"]


def test_manifest_tells_what_was_published(refreshed: Built, tmp_path: Path) -> None:
    """A reader can check by the manifest that it has what was published, and all of it."""
    returned = publish(refreshed.warehouse, refreshed.target, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == returned
    assert manifest["checks_passed"] > 100
    assert manifest["marts_sha256"] == sha256(tmp_path / "marts.duckdb")
    for mart in manifest["marts"]:
        assert mart["sha256"] == sha256(tmp_path / mart["parquet"])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_publishing_twice_gives_the_same_parquet_bytes(refreshed: Built, tmp_path: Path) -> None:
    """The same rows are the same bytes, so that an unchanged mart is seen to be unchanged."""
    first, second = (publish(refreshed.warehouse, refreshed.target, tmp_path) for _ in range(2))
    assert first["build_id"] != second["build_id"]
    for before, after in zip(first["marts"], second["marts"], strict=True):
        if before["name"] in HISTORY:
            continue
        assert before["sha256"] == after["sha256"], before["name"]


def test_descriptions_travel_with_the_tables(refreshed: Built, tmp_path: Path) -> None:
    """A BI tool shows what a column means without the docs at hand."""
    publish(refreshed.warehouse, refreshed.target, tmp_path)
    with duckdb.connect(str(tmp_path / "marts.duckdb"), read_only=True) as connection:
        undescribed = connection.execute(
            "select table_name, column_name from duckdb_columns()"
            " where not internal and coalesce(comment, '') = ''"
        ).fetchall()
    assert not undescribed


def test_a_reader_keeps_its_version_and_the_next_one_sees_the_new(
    refreshed: Built, tmp_path: Path
) -> None:
    """A swap under an open connection disturbs nobody, and is seen by who connects afterwards."""
    publish(refreshed.warehouse, refreshed.target, tmp_path)
    changed = copy_of(refreshed.warehouse, tmp_path)
    with duckdb.connect(str(changed)) as connection:
        connection.execute("delete from marts.fct_orders")
    count = "select count(*) from fct_orders"
    # In a process of its own, as a BI tool is: one process shares its handles.
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys\n"
            f"connection = duckdb.connect({str(tmp_path / 'marts.duckdb')!r}, read_only=True)\n"
            "for _ in sys.stdin:\n"
            f"    print(connection.execute({count!r}).fetchone()[0], flush=True)\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    asked, answered = reader.stdin, reader.stdout
    assert asked is not None
    assert answered is not None

    def ask() -> int:
        asked.write("\n")
        asked.flush()
        return int(answered.readline())

    before = ask()
    publish(changed, refreshed.target, tmp_path)
    assert before > 0
    assert ask() == before
    reader.communicate()
    with duckdb.connect(str(tmp_path / "marts.duckdb"), read_only=True) as connection:
        assert connection.execute(count).fetchone() == (0,)


def what_readers_see(folder: Path) -> dict[Path, bytes]:
    """Every published file but the history of builds, which refused ones are part of."""
    paths = [folder / "marts.duckdb", folder / "manifest.json"]
    paths += [path for name in ("builds", "parquet") for path in (folder / name).rglob("*.*")]
    return {path: path.read_bytes() for path in paths if path.is_file()}


def fail(target: Path) -> None:
    """As if one test had failed."""
    results = results_of(target)
    next(step for step in results if step["unique_id"].startswith("test."))["status"] = "fail"
    change_results(target, results=results)


def leave_out(target: Path) -> None:
    """As if a selection had been built."""
    results = [step for step in results_of(target) if "fct_orders" not in step["unique_id"]]
    change_results(target, results=results)


def only_run(target: Path) -> None:
    """As if the last command had been `dbt run`, without tests."""
    change_results(target, args={"which": "run"})


def never_built(target: Path) -> None:
    """As if nothing had been built."""
    (target / "run_results.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (fail, "did not pass, so nothing was published: 1 of"),
        (leave_out, "left out 1 of"),
        (only_run, "last dbt command was `dbt run`"),
        (never_built, "no build to publish"),
    ],
)
def test_a_build_that_did_not_pass_publishes_nothing(
    refreshed: Built, artifacts: Path, tmp_path: Path, spoil: Any, sentence: str
) -> None:
    """What was published before stays, byte by byte, and one sentence says why."""
    folder = tmp_path / "published"
    publish(refreshed.warehouse, refreshed.target, folder)
    before = what_readers_see(folder)
    spoil(artifacts)
    with pytest.raises(PublishError, match=sentence):
        publish(refreshed.warehouse, artifacts, folder)
    assert what_readers_see(folder) == before


def fail_one(target: Path, parents: str | tuple[str, ...], code: str) -> str:
    """As if a test of models whose names begin so had found rows; gives the test's name."""
    manifest = json.loads((target / "manifest.json").read_text())
    results = results_of(target)
    for step in results:
        node = manifest["nodes"].get(step["unique_id"])
        if node and node["resource_type"] == "test":
            names = [parent.split(".")[2] for parent in node["depends_on"]["nodes"]]
            if names and all(name.startswith(parents) for name in names):
                step |= {"status": "fail", "failures": 3, "compiled_code": code}
                change_results(target, results=results)
                return str(node["name"])
    raise AssertionError(f"no test of {parents} alone")


def test_a_failed_check_is_told_with_its_rows(
    refreshed: Built, artifacts: Path, tmp_path: Path
) -> None:
    """Which check, how many rows, a few of them: and history has it, though nobody can see it."""
    code = "select order_id, status from marts.fct_orders order by order_id"
    name = fail_one(artifacts, "fct_orders", code)
    folder = tmp_path / "published"
    with pytest.raises(PublishError) as refused:
        publish(refreshed.warehouse, artifacts, folder)
    assert f"{name}: 3 rows, such as" in str(refused.value)
    assert '{"order_id": "A", "status": "paid"}' in str(refused.value)
    assert not (folder / "marts.duckdb").exists()
    publish(refreshed.warehouse, refreshed.target, folder)
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as connection:
        runs = connection.execute(
            "select is_published, failed_check_count, refusal is not null from fct_build_runs"
        ).fetchall()
        assert runs == [(False, 1, True), (True, 0, False)]
        query = "select check_name, failure_count from fct_check_results where status = 'fail'"
        assert connection.execute(query).fetchall() == [(name, 3)]


def test_rows_of_staging_are_not_told(refreshed: Built, artifacts: Path, tmp_path: Path) -> None:
    """Personal data ends in staging: of a check there, how many rows break it is all."""
    code = "select 'ann@example.com' as email"
    name = fail_one(artifacts, ("stg_", "base_"), code)
    folder = tmp_path / "published"
    with pytest.raises(PublishError, match=f"{name}: 3 rows") as refused:
        publish(refreshed.warehouse, artifacts, folder)
    assert "ann@" not in str(refused.value)
    (file,) = (folder / "history/fct_build_runs").iterdir()
    assert b"ann@" not in file.read_bytes()


def test_a_build_that_was_killed_is_not_taken_for_the_one_before(
    refreshed: Built, tmp_path: Path
) -> None:
    """The artifacts are then of the last build that ended; the work file is half a new one."""
    changed = copy_of(refreshed.warehouse, tmp_path)
    with duckdb.connect(str(changed)) as connection:
        connection.execute("update raw.last_run set invocation_id = 'of one that was killed'")
    with pytest.raises(PublishError, match="may not have come to its end"):
        publish(changed, refreshed.target, tmp_path / "published")


def copy_of(warehouse: Path, folder: Path) -> Path:
    copy = folder / "work" / warehouse.name
    copy.parent.mkdir()
    return Path(shutil.copy(warehouse, copy))


def test_nobody_publishes_while_somebody_writes(refreshed: Built, tmp_path: Path) -> None:
    """Neither of a work file that is being built, nor into a folder that is being published to."""
    changed = copy_of(refreshed.warehouse, tmp_path)
    folder = tmp_path / "published"
    for file in (changed, folder / "marts.duckdb"):
        with WriterLock(file), pytest.raises(Busy, match=f"process {os.getpid()} .* since"):
            publish(changed, refreshed.target, folder)
    assert publish(changed, refreshed.target, folder) == current(folder)


def test_a_second_writer_is_told_who_the_first_is(refreshed: Built, tmp_path: Path) -> None:
    """In one sentence, and dbt has not touched anything."""
    changed = copy_of(refreshed.warehouse, tmp_path)
    with WriterLock(changed):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "orchestration.publish", "--warehouse", str(changed)),
                *("--target", str(refreshed.target), "--folder", str(tmp_path / "published")),
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert f"is being written by process {os.getpid()}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_killed_writer_holds_no_lock(tmp_path: Path) -> None:
    """The operating system takes it back: nobody removes a file by hand."""
    file = tmp_path / "file"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from pathlib import Path; from orchestration.lock import WriterLock\n"
            f"lock = WriterLock(Path({str(file)!r})); print('held', flush=True); input()",
        ],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Busy):
        WriterLock(file)
    holder.kill()
    holder.communicate()
    with WriterLock(file):
        pass


def test_a_publish_that_breaks_leaves_no_trace(
    refreshed: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written files are never in the place of whole ones, nor left beside them."""
    publish(refreshed.warehouse, refreshed.target, tmp_path)
    before = what_readers_see(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        publish(refreshed.warehouse, refreshed.target, tmp_path)
    assert what_readers_see(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


def test_only_the_last_builds_are_kept(refreshed: Built, tmp_path: Path) -> None:
    """Old builds do not fill the disk; of which there were ones is known all the same."""
    builds = [
        publish(refreshed.warehouse, refreshed.target, tmp_path)["build_id"] for _ in range(5)
    ]
    for name in ("builds", "parquet"):
        kept = sorted(path.name for path in (tmp_path / name).iterdir())
        assert kept == builds[-KEPT_BUILDS:]
    shutil.rmtree(tmp_path / "builds")  # history is in none of them
    publish(refreshed.warehouse, refreshed.target, tmp_path)
    with duckdb.connect(str(tmp_path / "marts.duckdb"), read_only=True) as connection:
        query = "select published_build_id from fct_build_runs order by run_id"
        found = [build_id for (build_id,) in connection.execute(query).fetchall()]
    assert found[:5] == builds
    assert len(found) == 6


def test_a_rollback_gives_readers_what_they_had(refreshed: Built, tmp_path: Path) -> None:
    """File, manifest and Parquet of the build before; the next publication goes on from there."""
    first, second = (publish(refreshed.warehouse, refreshed.target, tmp_path) for _ in range(2))
    assert rollback(tmp_path) == first
    assert current(tmp_path) == first
    assert sha256(tmp_path / "marts.duckdb") == first["marts_sha256"]
    assert all((tmp_path / mart["parquet"]).exists() for mart in first["marts"])
    with pytest.raises(PublishError, match="no build before this one"):
        rollback(tmp_path)
    assert rollback(tmp_path, second["build_id"]) == second
    third = publish(refreshed.warehouse, refreshed.target, tmp_path)
    assert current(tmp_path) == third
    kinds = [run["run_kind"] for run in history.last_runs(tmp_path, 9)]
    assert kinds == ["build", "build", "rollback", "rollback", "build"]


def test_a_damaged_build_is_not_rolled_back_to(refreshed: Built, tmp_path: Path) -> None:
    """What is not what was published is never given to readers."""
    first, second = (publish(refreshed.warehouse, refreshed.target, tmp_path) for _ in range(2))
    file = tmp_path / "builds" / first["build_id"] / "marts.duckdb"
    file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"damage")
    with pytest.raises(PublishError, match="not what was published"):
        rollback(tmp_path)
    assert current(tmp_path) == second


def test_a_switch_that_was_killed_is_ended(refreshed: Built, tmp_path: Path) -> None:
    """Between the renames of file and manifest: the next command makes both of one build."""
    first, second = (publish(refreshed.warehouse, refreshed.target, tmp_path) for _ in range(2))
    show(tmp_path, first["build_id"])
    os.replace(
        shutil.copy(tmp_path / "builds" / second["build_id"] / "marts.duckdb", tmp_path / "new"),
        tmp_path / "marts.duckdb",
    )
    (tmp_path / ".20260101T000000000000Z").mkdir()
    assert current(tmp_path) == first
    assert rollback(tmp_path) == first  # after it had been made the second
    assert [run["run_kind"] for run in history.last_runs(tmp_path, 1)] == ["rollback"]
    assert not list(tmp_path.glob(".*"))


def test_command_says_what_was_published(
    refreshed: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary names marts, rows and rejects; a refusal exits non-zero with one sentence."""
    options = ["--warehouse", str(refreshed.warehouse), "--folder", str(tmp_path / "published")]
    assert main([*options, "--target", str(refreshed.target)]) == 0
    told = capsys.readouterr().out
    assert "fct_orders" in told
    assert "raw rows were rejected" in told
    assert main([*options, "--target", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("Not published: There is no build to publish")
    for action, told in (("list", "* 2"), ("status", "Readers have build 2")):
        assert main([action, *options]) == 0
        assert told in capsys.readouterr().out
    assert main(["rollback", *options]) == 1
    assert capsys.readouterr().err.startswith("Not rolled back: There is no build before this one")


def test_command_has_help() -> None:
    """Every command tells how it is used."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.publish", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "CARTWRIGHT_PUBLISH_DIR" in done.stdout

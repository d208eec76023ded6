"""What BI tools read: whole, checked, swapped in one step, and only from a build that passed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shops import PROJECT, small_shop, write_tables
from warehouses import Dbt

from orchestration.publish import KEPT_BUILDS, PublishError, main, publish


@dataclass(frozen=True)
class Built:
    """A warehouse that passed, and dbt's artifacts of that build."""

    warehouse: Path
    target: Path


@pytest.fixture(scope="module")
def built(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A small shop, built with all tests; the next build would replace its artifacts."""
    folder = tmp_path_factory.mktemp("built")
    raw = write_tables(folder / "raw", small_shop())
    warehouse = folder / "cartwright.duckdb"
    dbt.run("build", warehouse=warehouse, variables={"raw_path": str(raw)})
    shutil.copytree(dbt.target, folder / "target", ignore=shutil.ignore_patterns("compiled", "run"))
    return Built(warehouse, folder / "target")


@pytest.fixture
def artifacts(built: Built, tmp_path: Path) -> Path:
    """A copy of dbt's artifacts that a test may change."""
    return Path(shutil.copytree(built.target, tmp_path / "target"))


def change_results(target: Path, **changes: Any) -> None:
    """Rewrite run_results.json with other values at its top."""
    path = target / "run_results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def results_of(target: Path) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = json.loads((target / "run_results.json").read_text())["results"]
    return results


def test_every_mart_is_published_row_by_row(built: Built, tmp_path: Path) -> None:
    """The file, the Parquet and the work file hold the same rows of every mart."""
    manifest = publish(built.warehouse, built.target, tmp_path)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{built.warehouse}' as work (read_only)")
        connection.execute(f"attach '{tmp_path / 'marts.duckdb'}' as published (read_only)")
        marts = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'work'"
            " and schema_name = 'marts' order by 1"
        ).fetchall()
        assert [mart["name"] for mart in manifest["marts"]] == [name for (name,) in marts]
        for mart in manifest["marts"]:
            made = f"from work.marts.{mart['name']}"
            for copy in (
                f"from published.main.{mart['name']}",
                f"from '{tmp_path / mart['parquet']}'",
            ):
                for left, right in ((made, copy), (copy, made)):
                    rest = connection.execute(f"({left}) except all ({right})").fetchall()
                    assert not rest, mart["name"]


def test_manifest_tells_what_was_published(built: Built, tmp_path: Path) -> None:
    """A reader can check by the manifest that it has what was published, and all of it."""
    returned = publish(built.warehouse, built.target, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == returned
    assert manifest["checks_passed"] > 100
    assert manifest["marts_sha256"] == sha256(tmp_path / "marts.duckdb")
    for mart in manifest["marts"]:
        assert mart["sha256"] == sha256(tmp_path / mart["parquet"])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_publishing_twice_gives_the_same_parquet_bytes(built: Built, tmp_path: Path) -> None:
    """The same rows are the same bytes, so that an unchanged mart is seen to be unchanged."""
    first, second = (publish(built.warehouse, built.target, tmp_path) for _ in range(2))
    assert first["build_id"] != second["build_id"]
    for before, after in zip(first["marts"], second["marts"], strict=True):
        assert before["sha256"] == after["sha256"], before["name"]


def test_descriptions_travel_with_the_tables(built: Built, tmp_path: Path) -> None:
    """A BI tool shows what a column means without the docs at hand."""
    publish(built.warehouse, built.target, tmp_path)
    with duckdb.connect(str(tmp_path / "marts.duckdb"), read_only=True) as connection:
        undescribed = connection.execute(
            "select table_name, column_name from duckdb_columns()"
            " where not internal and coalesce(comment, '') = ''"
        ).fetchall()
    assert not undescribed


def test_a_reader_keeps_its_version_and_the_next_one_sees_the_new(
    built: Built, tmp_path: Path
) -> None:
    """A swap under an open connection disturbs nobody, and is seen by who connects afterwards."""
    publish(built.warehouse, built.target, tmp_path)
    changed = tmp_path / "work" / "cartwright.duckdb"
    changed.parent.mkdir()
    shutil.copy(built.warehouse, changed)
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
    publish(changed, built.target, tmp_path)
    assert before > 0
    assert ask() == before
    reader.communicate()
    with duckdb.connect(str(tmp_path / "marts.duckdb"), read_only=True) as connection:
        assert connection.execute(count).fetchone() == (0,)


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
    built: Built, artifacts: Path, tmp_path: Path, spoil: Any, sentence: str
) -> None:
    """What was published before stays, byte by byte, and one sentence says why."""
    folder = tmp_path / "published"
    publish(built.warehouse, built.target, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spoil(artifacts)
    with pytest.raises(PublishError, match=sentence):
        publish(built.warehouse, artifacts, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_publish_that_breaks_leaves_no_trace(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written files are never in the place of whole ones, nor left beside them."""
    publish(built.warehouse, built.target, tmp_path)
    before = sha256(tmp_path / "marts.duckdb")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        publish(built.warehouse, built.target, tmp_path)
    assert sha256(tmp_path / "marts.duckdb") == before
    assert not list(tmp_path.glob(".2*"))


def test_only_the_last_builds_are_kept(built: Built, tmp_path: Path) -> None:
    """Parquet of old builds does not fill the disk."""
    builds = [publish(built.warehouse, built.target, tmp_path)["build_id"] for _ in range(5)]
    kept = sorted(path.name for path in (tmp_path / "parquet").iterdir())
    assert kept == builds[-KEPT_BUILDS:]


def test_command_says_what_was_published(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary names marts, rows and rejects; a refusal exits non-zero with one sentence."""
    options = ["--warehouse", str(built.warehouse), "--folder", str(tmp_path / "published")]
    assert main([*options, "--target", str(built.target)]) == 0
    told = capsys.readouterr().out
    assert "fct_orders" in told
    assert "raw rows were rejected" in told
    assert main([*options, "--target", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("Not published: There is no build to publish")


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

"""A work file that is refreshed for long stays as small as its data, and is never half a one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.handmade import HandmadeBuild
from orchestration import compact as module
from orchestration.compact import CopyDiffers, compact
from orchestration.publish import publish

ROWS = 100_000


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A work file of which half is free, with a view that names the database."""
    warehouse = tmp_path / "cartwright.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema marts; create schema staging")
        for table in ("before", "first"):
            connection.execute(
                f"create table marts.{table} as"
                f" select range as row_id, md5(range::text) as content from range({ROWS})"
            )
            connection.execute("checkpoint")
        connection.execute(
            "create view staging.seen as"
            " select row_id from cartwright.marts.first where row_id < 10"
        )
        connection.execute("drop table marts.before; checkpoint")
    return warehouse


def contents(warehouse: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(
            "select count(*), sum(row_id), min(content), (select count(*) from staging.seen)"
            " from marts.first"
        ).fetchall()


def grow(warehouse: Path) -> None:
    """Replace the table so that the file holds it and room for another."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table marts.other as from marts.first")
        connection.execute("checkpoint; drop table marts.first; checkpoint")
        connection.execute("alter table marts.other rename to first; checkpoint")


def test_a_file_that_has_grown_is_written_anew_once(grown: Path) -> None:
    before, size = contents(grown), grown.stat().st_size
    assert compact(grown)
    assert contents(grown) == before
    assert before[0][0] == ROWS
    assert before[0][3] == 10
    assert grown.stat().st_size < 0.7 * size
    assert not compact(grown)
    assert [path.name for path in grown.parent.iterdir()] == [grown.name]


def test_replacing_tables_for_long_does_not_make_the_file_grow(grown: Path) -> None:
    compact(grown)
    smallest = grown.stat().st_size
    sizes = []
    for _ in range(5):
        grow(grown)
        compact(grown)
        sizes.append(grown.stat().st_size)
    assert max(sizes) <= 1.3 * smallest


def test_what_a_killed_process_left_in_the_log_is_kept_and_counted_once(grown: Path) -> None:
    """The log of the old file must not be played onto the new one, nor be lost."""
    insert = (
        "import duckdb, os, sys; connection = duckdb.connect(sys.argv[1]);"
        " connection.execute(\"insert into marts.first values (-1, '')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", insert, str(grown)], check=True)
    assert grown.with_name(f"{grown.name}.wal").exists()
    assert compact(grown)
    assert contents(grown)[0][0] == ROWS + 1
    assert not grown.with_name(f"{grown.name}.wal").exists()


@pytest.mark.parametrize(("where", "moment"), [(os, "replace"), (Path, "chmod")])
def test_a_failure_leaves_the_file_as_it_was(
    where: object, moment: str, grown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, size = contents(grown), grown.stat().st_size

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, moment, fail)
    with pytest.raises(OSError, match="No space left"):
        compact(grown)
    monkeypatch.undo()
    assert contents(grown) == before
    assert grown.stat().st_size == size
    assert [path.name for path in grown.parent.iterdir()] == [grown.name]


def test_a_copy_that_misses_rows_is_never_the_work_file(
    grown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(grown)
    told: Iterator[dict[tuple[str, str], int]] = iter(({("a", "b"): 1}, {("a", "b"): 0}))
    monkeypatch.setattr(module, "_contents", lambda *_: next(told))
    with pytest.raises(CopyDiffers):
        compact(grown)
    assert contents(grown) == before


def test_publication_makes_the_file_smaller_and_succeeds_where_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader of the work file, from another process, keeps it from being written anew."""
    build = HandmadeBuild(tmp_path, rows=100_000)
    for number in range(4):
        build.make(number)
    grown = build.warehouse.stat().st_size
    read = (
        "import duckdb, sys; connection = duckdb.connect(sys.argv[1], read_only=True);"
        " print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", read, str(build.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        reader.stdout.readline()
        assert publish(build.warehouse, build.target, build.published)["marts"]
        reader.communicate()
    assert "was not made smaller" in capsys.readouterr().err
    assert build.warehouse.stat().st_size == grown
    publish(build.warehouse, build.target, build.published)
    assert build.warehouse.stat().st_size < 0.8 * grown
    with duckdb.connect(str(build.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.fct_first").fetchall() == [(100_000,)]

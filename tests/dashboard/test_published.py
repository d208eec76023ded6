"""The dashboard follows what is published, and is in nobody's way."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import duckdb
import pytest
from dashboard.app_runs import faults, run, run_page

from dashboards.published import Replaced, Unpublished, open_published


def write_file(path: Path, number: int) -> Path:
    """A published file with one mart of one number, renamed into place as publishing does."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    with duckdb.connect(str(new)) as connection:
        connection.execute(f"create table dim_number as select {number} as number")
        connection.execute("comment on column dim_number.number is 'What it''s about.'")
    os.replace(new, path)
    return path


def test_the_next_build_is_read_as_soon_as_it_is_published(tmp_path: Path) -> None:
    """A reader must not go on with the old file, as a connection to it would."""
    path = write_file(tmp_path / "it's" / "marts.duckdb", 1)
    before = open_published(path)
    assert before.query("select number from dim_number")["number"].tolist() == [1]
    write_file(path, 2)
    after = open_published(path)
    assert after.identity != before.identity
    assert after.query("select number from dim_number")["number"].tolist() == [2]
    assert after.definition("dim_number", "number") == "What it's about."


def test_a_page_never_mixes_two_builds(tmp_path: Path) -> None:
    """What a page has begun to read it ends with, or begins again: two builds add up to nothing."""
    path = write_file(tmp_path / "marts.duckdb", 1)
    begun = open_published(path)
    assert begun.query("select number from dim_number")["number"].tolist() == [1]
    not_begun = open_published(path)
    write_file(path, 2)
    assert not_begun.query("select number + 0 as number from dim_number")["number"].tolist() == [1]
    open_published(path).query("select 1")
    with pytest.raises(Replaced):
        begun.query("select number * 1 as number from dim_number")


def test_a_reader_with_an_open_page_does_not_hold_up_publishing(tmp_path: Path) -> None:
    """Publishing waits for nobody: it writes and renames beside any number of readers."""
    path = write_file(tmp_path / "marts.duckdb", 0)
    for number in range(1, 20):
        assert open_published(path).query("from dim_number")["number"].tolist() == [number - 1]
        began = time.perf_counter()
        write_file(path, number)
        assert time.perf_counter() - began < 5


def test_nothing_published_yet_is_said_with_what_to_do(tmp_path: Path) -> None:
    """The first thing a newcomer sees may be this page; it opens by itself once there is a file."""
    with pytest.raises(Unpublished):
        open_published(tmp_path / "marts.duckdb")
    app = run_page(tmp_path, "overview")
    assert not faults(app)
    assert "make build" in app.warning[0].value


def test_a_file_that_cannot_be_read_is_said_with_what_to_do(tmp_path: Path) -> None:
    """Half a copy, or a file of another kind, is no reason for a page of Python."""
    (tmp_path / "marts.duckdb").write_bytes(b"no database" * 1000)
    app = run_page(tmp_path, "funnel", lang="fr")
    assert not app.exception
    assert "make build" in app.error[0].value


def test_a_file_of_an_older_version_is_said_with_what_to_do(tmp_path: Path) -> None:
    """After an upgrade the file of before lacks marts until the next build."""
    write_file(tmp_path / "marts.duckdb", 1)
    app = run_page(tmp_path, "carts")
    assert not app.exception
    assert "older version" in app.error[0].value


def test_a_page_of_another_build_shows_its_numbers(demo_folder: Path, tmp_path: Path) -> None:
    """A reader who waits on a page sees the new numbers there, with what was chosen kept."""
    shutil.copy(demo_folder / "marts.duckdb", tmp_path / "marts.duckdb")
    shutil.copy(demo_folder / "manifest.json", tmp_path / "manifest.json")
    app = run_page(tmp_path, "carts", device="mobile")
    before = {tile.label: tile.value for tile in app.metric}
    new = tmp_path / "new.duckdb"
    shutil.copy(tmp_path / "marts.duckdb", new)
    with duckdb.connect(str(new)) as connection:
        connection.execute("delete from agg_cart_abandonment_daily where country = 'FR'")
    os.replace(new, tmp_path / "marts.duckdb")
    run(app, tmp_path)
    after = {tile.label: tile.value for tile in app.metric}
    assert after["Carts"] != before["Carts"]
    assert app.query_params["device"] in ("mobile", ["mobile"])

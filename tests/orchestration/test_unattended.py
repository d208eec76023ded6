"""The proofs of benchmarks/readers.py and benchmarks/crashes.py, in small."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt_common.exceptions import DbtRuntimeError

from benchmarks import crashes, readers
from orchestration import dagster_home, dbt_plugin


def test_readers_see_whole_builds_while_others_are_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of file and Parquet: no error, no mixed build; and who never lets go delays nobody."""
    options = argparse.Namespace(
        readers=4,
        publications=4,
        versions=[duckdb.__version__],
        rows=1000,
        quiet=0.5,
        pause=0.0,
        refresh=False,
    )
    assert readers.run(options, tmp_path) == 0
    assert "errors of readers: 0; reads of mixed builds: 0" in capsys.readouterr().out


def test_a_publication_may_be_killed_at_any_moment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Readers have a whole build, and the next publication leaves no trace of the killed one."""
    crashes.kill_publications(tmp_path, 4, random.Random(1))
    assert "always a whole one" in capsys.readouterr().out


def test_a_full_disk_and_a_read_only_folder_publish_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence each; and when there is room again, it goes on."""
    crashes.deny_room_and_writing(tmp_path)
    told = capsys.readouterr().out
    if "not tried" in told:
        pytest.skip(told)
    assert "with room again: published" in told


def test_dagster_can_be_ended_wherever_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell's background job ignores SIGINT, and Dagster makes SIGTERM what SIGINT is."""
    served: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, arguments: served.append(arguments))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        dagster_home.serve(3000)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert served[0][1:] == ["dev", "--host", "127.0.0.1", "--port", "3000"]


def test_a_full_disk_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a build, which then does not begin; and at the end of one that filled the disk."""
    file = tmp_path / "warehouse" / "cartwright.duckdb"
    room = {"free": 10 * 2**30}
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(**room))
    plugin = dbt_plugin.Plugin("dbt_plugin", {})
    plugin.update_connection_config(DuckDBCredentials(path=str(file)), {})
    file.touch()
    dbt_plugin.tell_full_disk(file)
    assert capsys.readouterr().err == ""
    room["free"] = 3 * 2**20
    dbt_plugin.tell_full_disk(file)
    sentence = f"The disk of {file.parent} is full: 3 MB are left"
    assert capsys.readouterr().err.startswith(sentence)
    with pytest.raises(DbtRuntimeError, match=sentence):
        plugin.update_connection_config(DuckDBCredentials(path=str(file)), {})

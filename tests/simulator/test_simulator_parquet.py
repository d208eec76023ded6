"""The Parquet mode: the same shop at any size, partitioned by arrival, the same bytes each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from simulated import ROOT, Made

from seeds.simulator.__main__ import parquet
from seeds.simulator.contract import TABLES
from seeds.simulator.damage import TYPED


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.parquet"))
    }


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    small: Made, tmp_path: Path
) -> None:
    parquet(42, 60_000, 40, tmp_path / "again", tmp_path / "again_truth")
    parquet(43, 60_000, 40, tmp_path / "other", None)
    assert _bytes(tmp_path / "again") == _bytes(small.out)
    assert _bytes(tmp_path / "again_truth") == _bytes(small.truth)
    assert _bytes(tmp_path / "other")["orders.parquet"] != _bytes(small.out)["orders.parquet"]


def test_every_table_has_the_contract_columns_and_types(small: Made) -> None:
    sql_types = {
        "string": "VARCHAR", "timestamp[us]": "TIMESTAMP", "date32[day]": "DATE",
        "int32": "INTEGER", "bool": "BOOLEAN", "decimal128(18, 2)": "DECIMAL(18,2)",
        "decimal128(18, 4)": "DECIMAL(18,4)", "decimal128(18, 6)": "DECIMAL(18,6)",
    }  # fmt: skip
    for table, schema in TABLES.items():
        columns = [tuple(row[:2]) for row in small.query(f"describe {table}")]
        wanted = [(field.name, sql_types[str(field.type)]) for field in schema]
        assert columns[: len(wanted)] == wanted, table
        assert columns[len(wanted) :] == ([("event_date", "DATE")] if table == "events" else [])


def test_partitions_are_arrival_dates_and_nothing_arrives_after_three_days(small: Made) -> None:
    count, misplaced, longest, late, shortest = small.query(
        "select count(*), count(*) filter (received_at::date <> event_date),"
        " max(received_at - event_at),"
        " count(*) filter (received_at - event_at > interval 5 minutes),"
        " min(received_at - event_at) filter (event_at < timestamp '2099-01-01') from events"
    )[0]
    assert misplaced == 0
    assert longest.days < 3
    assert shortest.total_seconds() > 0
    assert 0.01 <= late / count <= 0.02
    assert count == pytest.approx(60_000, rel=0.06)


def test_rates_hold_at_another_size(small: Made) -> None:
    told: dict[str, float] = dict(small.query("select name, value from truth_summary"))
    assert 0.02 <= told["conversion_rate"] <= 0.04
    assert 0.20 <= told["bounce_rate"] <= 0.40
    assert 0.62 <= told["cart_abandonment_rate"] <= 0.78


def test_broken_rows_that_types_can_hold_are_there(small: Made) -> None:
    listed = {row[0] for row in small.query("select distinct kind from truth_injected")}
    assert listed == {b.kind for b in TYPED} | {"exact_duplicate"}
    assert small.query("select count(*) from events where event_id is null") == [(1,)]
    read, distinct = small.query(
        "select count(*), (select count(*) from (select distinct * from events)) from events"
    )[0]
    duplicates = small.query(
        "select row_count from truth_injected"
        " where table_name = 'events' and kind = 'exact_duplicate'"
    )
    assert read - distinct == duplicates[0][0]


def test_truth_counts_every_event_once(small: Made) -> None:
    counted = small.query("select sum(event_count)::bigint from truth_sessions")[0][0]
    ids = small.query(
        "select count(distinct event_id) from events where event_id not like 'oops%'"
    )[0][0]
    assert counted == ids


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["parquet", "--events", "5", "--out", "x"], "--events must be"),
        (["parquet", "--events", "5000", "--days", "2", "--out", "x"], "--days must be"),
        (["parquet", "--events", "5000", "--out", "."], "is not empty"),
        (["demo", "--seed", "-1"], "--seed must be"),
    ],
)
def test_bad_arguments_end_in_one_clear_sentence(arguments: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "seeds.simulator", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1

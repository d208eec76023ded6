"""The numbers hang on the rows alone: not on their order, their files, or the format of these."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_sample import RAGGED_LINES, TextRow, demo_sample
from shops import marts, write_csv
from warehouses import Build

LOAD_DATE = "2026-07-02"
Sample = dict[str, list[TextRow]]
Writer = Callable[[Path, Sample], Path]


@pytest.fixture(scope="module")
def sample() -> Sample:
    """The demo's sample, read once."""
    return demo_sample()


def append_ragged_lines(path: Path, table: str) -> None:
    """Lines that are no rows, at the end of a CSV whose columns are in the demo's order."""
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.writelines(f"{line}\n" for line in RAGGED_LINES.get(table, ()))


def write_plain(folder: Path, sample: Sample) -> Path:
    """One CSV a table, rows as they are."""
    for table, rows in sample.items():
        path = folder / f"{table}.csv"
        write_csv(path, rows)
        append_ragged_lines(path, table)
    return folder


def shuffled(rows: Sequence[TextRow], seed: str) -> list[TextRow]:
    """The rows in another order."""
    return random.Random(seed).sample(list(rows), len(rows))


def write_shuffled_parts(folder: Path, sample: Sample) -> Path:
    """CSV parts at two depths, rows shuffled; every other part has its columns in another order."""
    for table, rows in sample.items():
        mixed = shuffled(rows, table)
        for part in range(3):
            path = folder / table / ("deep" * (part % 2)) / f"part {2 - part}.csv"
            columns = list(rows[0])
            write_csv(path, mixed[part::3], columns[::-1] if part else columns)
        append_ragged_lines(folder / table / "part 2.csv", table)
    return folder


def write_parquet_parts(folder: Path, sample: Sample) -> Path:
    """Parquet parts of text columns, rows shuffled; tables with ragged lines stay CSV."""
    for table, rows in sample.items():
        mixed = shuffled(rows, f"{table} again")
        if table in RAGGED_LINES:
            write_csv(folder / f"{table}.csv", mixed, list(rows[0]))
            append_ragged_lines(folder / f"{table}.csv", table)
            continue
        for part in range(2):
            part_rows = [
                {name: value or None for name, value in row.items()} for row in mixed[part::2]
            ]
            schema = pa.schema([(name, pa.string()) for name in rows[0]])
            path = folder / table / f"part-{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(part_rows, schema=schema), path, row_group_size=100)
    return folder


@pytest.fixture(scope="module")
def plain_folder(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as plain CSV files."""
    return write_plain(tmp_path_factory.mktemp("plain"), sample)


def build_folder(build: Build, folder: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse of a folder, without dbt's own tests."""
    return build(tests=False, raw_path=str(folder), load_date=LOAD_DATE)


@pytest.fixture(scope="module")
def plain(build: Build, plain_folder: Path) -> duckdb.DuckDBPyConnection:
    """The warehouse that all others are compared with."""
    return build_folder(build, plain_folder)


def different_marts(
    left: dict[str, list[str]], right: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Of each mart that differs: the first rows that only one of the two has."""
    assert left.keys() == right.keys()
    return {
        mart: sorted(set(left[mart]) ^ set(right[mart]))[:4] or ["another number of equal rows"]
        for mart in left
        if left[mart] != right[mart]
    }


def test_the_sample_has_what_is_awkward(plain: duckdb.DuckDBPyConnection) -> None:
    """Copies, conflicts, broken rows, ragged lines and sessions are there to be mixed."""
    duplicates, rejected = plain.execute(
        "select sum(duplicate_row_count), sum(rejected_row_count) from marts.agg_load_report"
    ).fetchall()[0]
    reasons = plain.execute(
        "select count(*) filter (where reject_reason like 'another row has the same%'),"
        " count(*) filter (where reject_reason like 'malformed line%') from marts.fct_rejected_rows"
    ).fetchall()[0]
    matched = plain.execute(
        "select count(*) from marts.fct_orders where session_id is not null"
    ).fetchall()[0][0]
    assert duplicates >= 50
    assert rejected >= 50
    assert reasons[0] >= 30
    assert reasons[1] == sum(map(len, RAGGED_LINES.values()))
    assert matched >= 50


def test_building_twice_gives_the_same_bytes(
    build: Build, plain: duckdb.DuckDBPyConnection, plain_folder: Path
) -> None:
    """No mart hangs on chance: threads, hashes or the clock."""
    again = build_folder(build, plain_folder)
    assert not different_marts(marts(plain), marts(again))


@pytest.mark.parametrize("write", [write_shuffled_parts, write_parquet_parts])
def test_marts_do_not_hang_on_order_files_or_format(
    build: Build, plain: duckdb.DuckDBPyConnection, sample: Sample, tmp_path: Path, write: Writer
) -> None:
    """The same rows in another order, in other files, as Parquet instead of CSV: the same marts."""
    other = build_folder(build, write(tmp_path, sample))
    assert not different_marts(
        marts(plain, with_provenance=False), marts(other, with_provenance=False)
    )

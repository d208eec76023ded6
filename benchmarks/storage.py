"""What many refreshes end in, against one build: the same tables, in a file as large.

    python -m benchmarks.storage                           100 days, 27,000 events each
    python -m benchmarks.storage --refreshes 10 --events-per-day 300
    python -m benchmarks.storage --raw-path my/folder      Parquet, with events/event_date=*/ parts

One warehouse begins with the days of `--history`, in full, and gets the next days one by one, a
`dbt build` each. Of simulated events one in twenty is late: it comes 1, 3 or 20 days after the
others of its day. After each refresh the work file is made smaller if it has grown, as publication
does (orchestration/compact.py). Then all days are built from nothing in a new work file. Each table
must have the same rows in both files, and the sizes of the two are compared: 1 is no growth at all,
1.3 the aim.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.costs import PROJECT, say, simulate
from benchmarks.crashes import differences
from benchmarks.refresh import LATE, Shop, parts
from orchestration.compact import compact

BUILD = ("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
DELAYS = (1, 3, 20)  # days after their own that late events come
ONE_IN = 60  # events, of each delay


@dataclass(frozen=True)
class FileSize:
    """The bytes of a work file, and of it those of blocks that hold nothing."""

    total: int
    free: int


@dataclass(frozen=True)
class Growth:
    """The work file after each refresh, and that of a build from nothing of the same days."""

    history: int
    refreshed: Sequence[FileSize]  # after the first build, then after each refresh
    compacted: int  # how many times it was written anew
    fresh: FileSize

    @property
    def ratio(self) -> float:
        """How many times as large as a freshly built file it is after the last refresh."""
        return self.refreshed[-1].total / self.fresh.total


def file_size(warehouse: Path) -> FileSize:
    """The size of a work file that nobody has open; its log, which is empty then, is none of it."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        row = connection.execute(
            "select block_size * free_blocks from pragma_database_size()"
        ).fetchone()
    return FileSize(warehouse.stat().st_size, row[0] if row else 0)


def hold_back(source: Path) -> None:
    """Take late events out of each day's part, into files that come later (refresh.arrival)."""
    with duckdb.connect() as connection:
        for folder, day in parts(source):
            (file,) = folder.iterdir()
            rows = connection.from_parquet(str(file)).project(f"*, hash(event_id) % {ONE_IN} as h")
            rows.create("part")
            for number, delay in enumerate(DELAYS):
                late = folder / f"{LATE}{day + timedelta(delay)}.parquet"
                write_part(connection, f"h = {number}", late)
            write_part(connection, f"h >= {len(DELAYS)}", file)
            connection.execute("drop table part")


def write_part(connection: duckdb.DuckDBPyConnection, condition: str, file: Path) -> None:
    """Write those rows of the table `part`, without the column `h`, if there are any."""
    rows = connection.sql(f"select * exclude (h) from part where {condition}")
    if len(rows):
        rows.write_parquet(str(file))


def measure_growth(
    scratch: Path, raw_path: Path | None, history: int, per_day: int, refreshes: int
) -> Growth:
    """Refresh one warehouse day by day, then build another of the same days.

    Raises ValueError where the folder has too few days or the two end in different rows,
    AssertionError, with dbt's words, where a build fails.
    """
    needed = history + refreshes
    source = raw_path or simulate(scratch / "source", per_day * (needed + 1), needed + 1)
    days = [day for _, day in parts(source)][:-1]  # the last one is not complete
    if len(days) < needed:
        raise ValueError(
            f"{source} has {len(days)} complete days of events, which is too few for {history} days"
            f" and {refreshes} refreshes"
        )
    sys.path[:0] = [str(PROJECT / "tests")]
    from warehouses import Dbt  # noqa: PLC0415 - of the tests' folder

    dbt = Dbt(scratch)  # one process for all builds, as none is timed
    dbt.parse()

    def load(shop: Shop, day: date) -> None:
        shop.receive(source, day)
        dbt.run(*BUILD, warehouse=shop.warehouse, variables={"raw_path": str(shop.raw)})

    shop = Shop(history, days[-needed], scratch / "refreshed")
    sizes, compacted = [], 0
    if not raw_path:
        hold_back(source)
    for number, day in enumerate(days[-refreshes - 1 :]):
        load(shop, day)
        built = file_size(shop.warehouse)
        compacted += compact(shop.warehouse)
        sizes.append(file_size(shop.warehouse))
        say(
            f"refresh {number} of {refreshes}, {day}: {built.total / 2**20:,.1f} MB, then "
            f"{sizes[-1].total / 2**20:,.1f} MB"
        )
    fresh = Shop(needed, days[-needed], scratch / "fresh")
    load(fresh, days[-1])
    found = differences(shop.warehouse, fresh.warehouse)
    if found:
        raise ValueError(
            f"after {refreshes} refreshes other rows than one build has: {', '.join(found)}"
        )
    return Growth(history, sizes, compacted, file_size(fresh.warehouse))


def report(growth: Growth) -> None:
    """Print some of the sizes on the way, and the ratio at its end."""
    print(f"{'':<44}{'MB':>10}{'free MB':>10}")
    last = len(growth.refreshed) - 1
    for number in sorted({*range(0, last + 1, max(1, last // 10)), last}):
        print_row(f"after {number} refreshes", growth.refreshed[number])
    print_row("all the days in one build from nothing", growth.fresh)
    print("all tables of both have the same rows")
    print(f"written anew {growth.compacted} times; refreshed / fresh: {growth.ratio:.2f}")


def print_row(title: str, size: FileSize) -> None:
    """One row of the table."""
    print(f"{title:<44}{size.total / 2**20:>10,.1f}{size.free / 2**20:>10,.1f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails or there are too few days."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storage",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--refreshes", type=int, default=100, help="days one by one (100)")
    parser.add_argument("--history", type=int, default=30, help="days in the first build (30)")
    parser.add_argument("--events-per-day", type=int, default=27_000, help="to simulate (27000)")
    parser.add_argument("--raw-path", type=Path, help="take this folder instead of simulating")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            report(
                measure_growth(
                    Path(scratch),
                    options.raw_path,
                    options.history,
                    options.events_per_day,
                    options.refreshes,
                )
            )
        except (AssertionError, ValueError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

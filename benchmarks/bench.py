"""What a build costs, and the project's targets for it: one report of one run.

    python -m benchmarks.bench                                  a million simulated events
    python -m benchmarks.bench --events 10000000 100000000      two sizes, and how cost grows
    python -m benchmarks.bench --raw-path my/folder             a folder of raw tables, of your own
    python -m benchmarks.bench --folder bench                   keep what is simulated, use it again
    python -m benchmarks.bench --parts build                    of the parts below that one alone

Parts, each measured in one run on the same data:

    build       per size: a bare scan of the columns of events, dbt's parsing, a whole `dbt build`
                without tests; each model's seconds, rows, memory, spill and bytes written
    hand        after each build the plain SQL of its models by hand, which takes as long again
    funnel      sessions and a funnel against windows, pandas and Polars (benchmarks/funnel.py),
                at the largest size that is at most 10 million events
    refresh     a day's refresh after 30 and after 365 days (benchmarks/refresh.py)
    lifecycle   customers' lives at a million of them (benchmarks/lifecycle.py)
    storage     the work file after 100 refreshes against a new one (benchmarks/storage.py)

The report is bench.md with images/bench.svg, in docs or another folder, written anew after each
part. It has what this run measured and nothing else; targets stand beside it, met or not. All parts
at 10 million events take hours on two cores. Disk is needed for the raw files of each size and for
two work files of the largest.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks import bench_report, funnel
from benchmarks.bench_report import Bench, SizeRun
from benchmarks.by_hand import by_hand
from benchmarks.costs import (
    PROJECT,
    Cost,
    connect,
    machine,
    measure,
    metered,
    say,
    settings,
    simulate,
)
from benchmarks.dbt_nodes import build
from benchmarks.lifecycle import measure_lifecycle
from benchmarks.refresh import measure_refreshes
from benchmarks.storage import measure_growth
from orchestration.raw_folder import load_contract

LARGEST_FUNNEL = 10_000_000


class Source(NamedTuple):
    """A folder of raw tables and how many events it has."""

    folder: Path
    events: int


def scan_query(folder: Path) -> str:
    """A bare scan and aggregate of all columns of the events that the models are made of."""
    files = [f"{folder}/{name}" for name in ("events.parquet", "events/**/*.parquet")]
    found = [f"'{file}'" for file in files if list(folder.glob(file.removeprefix(f"{folder}/")))]
    if not found:
        raise ValueError(f"{folder} has no events as Parquet, so there is nothing to measure")
    reader = f"read_parquet([{', '.join(found)}], union_by_name = true, hive_partitioning = false)"
    with duckdb.connect() as connection:
        there = {row[0] for row in connection.execute(f"describe from {reader}").fetchall()}
    columns = [c.name for c in load_contract()["events"].columns if c.name in there]
    grouped = {"event_name", "event_at", "anonymous_id"}
    others = "".join(f", max({name})" for name in columns if name not in grouped)
    return (
        "select event_name, cast(event_at as date), count(*), count(distinct anonymous_id)"
        f"{others} from {reader} group by all"
    )


def scan(folder: Path, scratch: Path) -> tuple[int, Cost]:
    """How many events a folder has, and what the bare scan of them costs (files read before)."""
    query = scan_query(folder)
    with connect() as connection, metered(scratch) as meter:
        events = 0
        for _ in range(2):
            meter.lap()
            events = sum(row[2] for row in connection.execute(query).fetchall())
        lap = meter.lap()
    return events, Cost(lap.wall, lap.cpu, lap.peak)


def measure_size(
    source: Source, scan_cost: Cost, scratch: Path, select: Sequence[str], *, is_by_hand: bool
) -> SizeRun:
    """Everything of the parts build and hand, for one folder; `scratch` is emptied afterwards."""
    target, warehouse = scratch / "target", scratch / "dbt" / "cartwright.duckdb"
    place = {"CARTWRIGHT_WAREHOUSE": str(warehouse), "CARTWRIGHT_RAW_PATH": str(source.folder)}
    parse = [str(Path(sys.executable).with_name("dbt")), "--quiet", "parse"]
    artifacts = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(scratch / "logs")}
    say("dbt parse, from nothing and again ...")
    parses = [measure(parse, place | artifacts) for _ in range(2)]
    say(f"dbt build of {source.events:,} events ...")
    whole, nodes = build(place, target, *(("--select", *select) if select else ()))
    hands = {}
    if is_by_hand:
        say(f"the same by hand, {sum(node.is_model for node in nodes.values())} models ...")
        hands = by_hand(warehouse, target, scratch / "hand", nodes)
    run = SizeRun(
        events=source.events,
        raw_bytes=sum(file.stat().st_size for file in source.folder.rglob("*.parquet")),
        file_bytes=warehouse.stat().st_size,
        scan=scan_cost,
        cold_parse=parses[0],
        warm_parse=parses[1],
        whole=whole,
        nodes=nodes,
        hands=hands,
    )
    shutil.rmtree(scratch)
    return run


def sources(options: argparse.Namespace, kept: Path) -> list[Path]:
    """The folders to build, simulated where they are not there yet."""
    if options.raw_path:
        return [folder.resolve() for folder in options.raw_path]
    return [simulate(kept / f"events-{count}", count) for count in sorted(options.events)]


def run(options: argparse.Namespace, bench: Bench, scratch: Path) -> None:
    """Measure part by part; the report is written after each."""
    kept = options.folder.resolve() if options.folder else scratch
    found: list[Source] = []
    if {"build", "funnel"} & {*options.parts}:
        for folder in sources(options, kept):
            say(f"scanning {folder.name} ...")
            events, cost = scan(folder, scratch / "spilled")
            found.append(Source(folder, events))
            if "build" in options.parts:
                built = measure_size(
                    *(found[-1], cost, scratch / "build", options.select),
                    is_by_hand="hand" in options.parts,
                )
                bench.sizes.append(built)
                bench_report.write(bench, options.report)
    parts: dict[str, Callable[[], None]] = {
        "funnel": lambda: measure_funnel(bench, found, scratch / "funnel", options.repeat),
        "refresh": lambda: bench.refreshes.extend(
            measure_refreshes(
                scratch / "refresh", None, (30, 365), options.events_per_day, options.repeat
            )
        ),
        "lifecycle": lambda: bench.lifecycle.extend(
            measure_lifecycle(scratch / "lifecycle", options.customers)
        ),
        "storage": lambda: bench.growth.append(
            measure_growth(
                scratch / "storage", None, 30, options.events_per_day, options.storage_refreshes
            )
        ),
    }
    for part, do in parts.items():
        if part in options.parts:
            do()
            shutil.rmtree(scratch / part, ignore_errors=True)
            bench_report.write(bench, options.report)


def measure_funnel(bench: Bench, found: Sequence[Source], scratch: Path, repeat: int) -> None:
    """The part funnel, at the largest size that it is asked of."""
    fitting = [source for source in found if source.events <= LARGEST_FUNNEL * 1.1]
    if not fitting:
        raise ValueError(
            f"the part funnel holds all events in memory, so it needs a size of at most "
            f"{LARGEST_FUNNEL:,} events"
        )
    source = max(fitting, key=lambda source: source.events)
    bench.funnel.append(funnel.measure_funnel(source.folder, scratch, repeat))


PARTS = ("build", "hand", "funnel", "refresh", "lifecycle", "storage")


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        *("--events",), type=int, nargs="+", default=[1_000_000], help="sizes to simulate (1000000)"
    )
    parser.add_argument(
        *("--raw-path",), type=Path, nargs="+", help="build these folders instead of simulating"
    )
    parser.add_argument("--folder", type=Path, help="keep what is simulated here, and use it again")
    parser.add_argument(
        *("--parts",), nargs="+", choices=PARTS, default=PARTS, help="what to measure (all)"
    )
    parser.add_argument(
        *("--select",), nargs="+", default=(), help="build these models alone (dbt's selectors)"
    )
    parser.add_argument("--memory-limit", help="of DuckDB, as 4GB (that of profiles.yml)")
    parser.add_argument(
        *("--report",),
        type=Path,
        default=PROJECT / "docs",
        help="its folder (docs)",
    )
    parser.add_argument("--repeat", type=int, default=3, help="funnel's rounds, days refreshed (3)")
    parser.add_argument("--events-per-day", type=int, default=27_000, help="refreshed (27000)")
    parser.add_argument("--storage-refreshes", type=int, default=100, help="of part storage (100)")
    parser.add_argument("--customers", type=int, default=1_000_000, help="lifecycle's (1000000)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; exit 1 with a sentence where something fails."""
    options = options_of(arguments)
    if options.memory_limit:
        os.environ["CARTWRIGHT_MEMORY_LIMIT"] = options.memory_limit
    words = sys.argv[1:] if arguments is None else arguments
    bench = Bench(
        command=shlex.join(["python", "-m", "benchmarks.bench", *words]),
        machine=machine(),
        begun=time.strftime("%Y-%m-%d %H:%M"),
        load=os.getloadavg()[0],
        memory_limit=settings()["memory_limit"].upper(),
    )
    with tempfile.TemporaryDirectory() as scratch:
        try:
            run(options, bench, Path(scratch))
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\nnot measured: {error}", file=sys.stderr)
            return 1
        except (ValueError, AssertionError, OSError, duckdb.Error) as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 1
    print(bench_report.summary(bench))
    print(f"The whole report is {options.report / 'bench.md'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

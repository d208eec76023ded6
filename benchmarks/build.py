"""Whole-process time and peak memory of `dbt build`: on the demo shop, and on simulated events.

    python benchmarks/build.py                       the demo shop
    python benchmarks/build.py --events 10000000     that many simulated events as well

Beside the seconds, which are one machine's, it gives a ratio measured in the same run: the build
against a bare scan of the columns that sessions need most.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parent.parent
SCAN = """
    select
        count(distinct anonymous_id),
        min(event_at),
        count(*) filter (where event_name = 'purchase')
    from read_parquet('{folder}/events/*/*.parquet')
"""


@dataclass(frozen=True)
class Cost:
    """What one process cost: wall and processor seconds, peak resident memory in MB."""

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        """One row of the table."""
        return f"{self.wall:>9.1f} {self.cpu:>9.1f} {self.peak:>9,.0f}"


def measure(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a command in the project; raises CalledProcessError, with its output, where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command, output)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def node_seconds(target: Path) -> list[tuple[float, str]]:
    """Seconds by dbt node of the last build, the slowest first."""
    results = json.loads((target / "run_results.json").read_text())["results"]
    return sorted(((r["execution_time"], r["unique_id"]) for r in results), reverse=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=0, help="simulated events to build as well")
    parser.add_argument("--raw-path", type=Path, help="build this folder instead of simulating")
    parser.add_argument("--tests", action="store_true", help="run dbt's tests in the build as well")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            run(Path(scratch), options)
        except subprocess.CalledProcessError as error:
            print(error.output, file=sys.stderr)
            print(f"failed: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
    return 0


def run(scratch: Path, options: argparse.Namespace) -> None:
    """Build in `scratch` and print one row a build."""
    folders = {"demo": ""}
    if options.raw_path:
        folders = {options.raw_path.name: str(options.raw_path)}
    elif options.events:
        print(f"simulating {options.events:,} events ...", file=sys.stderr)
        simulate = [sys.executable, "-m", "seeds.simulator", "parquet", "--out"]
        cost = measure([*simulate, str(scratch / "raw"), "--events", str(options.events)], {})
        print(f"{'simulator':<28} {cost}")
        folders[f"{options.events:,} events"] = str(scratch / "raw")
    tests = [] if options.tests else ["--exclude-resource-type", "test", "unit_test"]
    dbt = str(Path(sys.executable).with_name("dbt"))
    target = scratch / "target"
    environment = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(scratch / "logs")}
    warehouse = {"CARTWRIGHT_WAREHOUSE": f"{scratch}/0/cartwright.duckdb"}
    print(f"{'':<28} {'wall s':>9} {'cpu s':>9} {'peak MB':>9}")
    parse = measure([dbt, "parse"], environment | warehouse)
    print(f"{'dbt parse, cold':<28} {parse}")
    for number, (name, folder) in enumerate(folders.items(), start=1):
        print(f"building {name} ...", file=sys.stderr)
        place = {
            "CARTWRIGHT_WAREHOUSE": f"{scratch}/{number}/cartwright.duckdb",
            "CARTWRIGHT_RAW_PATH": folder,
        }
        cost = measure([dbt, "build", *tests], environment | place)
        print(f"{'dbt build, ' + name:<28} {cost}")
        nodes = node_seconds(target)
        print(f"{'  of it in dbt nodes':<28} {sum(seconds for seconds, _ in nodes):>9.1f}")
        for seconds, node in nodes[:5]:
            print(f"    {node.split('.')[2]:<32} {seconds:>6.1f}")
        if folder:
            scan = bare_scan(folder)
            print(f"  build / bare scan of three columns, cpu: {cost.cpu / scan:.1f}")


def bare_scan(folder: str) -> float:
    """Processor seconds of a scan and aggregate over the three columns that sessions need most."""
    start = time.process_time()
    with duckdb.connect() as connection:
        connection.execute(SCAN.format(folder=folder)).fetchall()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())

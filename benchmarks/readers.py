"""Readers of several DuckDB versions, and of Parquet, while builds are published over and over.

    python -m benchmarks.readers                                     6 readers, 5 publications
    python -m benchmarks.readers --readers 20 --publications 30 --versions 1.0.0 1.1.3 1.2.2 1.5.5
    python -m benchmarks.readers --readers 20 --publications 30 --refresh --pause 5

Each reader connects anew in a loop, reads every mart and checks that all rows are of one build.
Builds are made by hand, a second each, or by `dbt build` of one more day of a small shop
(--refresh); then what tells a mixed build is that marts do not add up to one revenue, and in the
end all tables must be those of one load of all days.
Every fourth one reads Parquet, by the manifest, which names the files of one build. One more reader
opens the first build and never lets go. Reported: errors, mixed builds, a reader's seconds while
builds are published against those of a quiet time, and a publication's seconds without a reader,
with the one that never lets go, and with all of them (who share the processors with it); with
--refresh the refresh's seconds as well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from benchmarks.crashes import DBT, differences, must, place
from benchmarks.handmade import MARTS, HandmadeBuild
from orchestration.publish import publish

PROJECT = Path(__file__).resolve().parent.parent
# The days of the small shop, less the five builds before readers come.
MOST_REFRESHES = 30
# Runs in the reader's own Python, with its own DuckDB: nothing of this project is imported.
READER = """
import json, os, sys, time
import duckdb
folder, kind, pause, reads = sys.argv[1], sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4])
def once():
    if kind == "file":
        connection = duckdb.connect(folder + "/marts.duckdb", read_only=True)
        places = list(reads)
    else:
        connection = duckdb.connect()
        with open(folder + "/manifest.json") as stream:
            files = {mart["name"]: mart["parquet"] for mart in json.load(stream)["marts"]}
        places = [f"'{folder}/{files[mart]}'" for mart in reads]
    found = set()
    connection.execute("set enable_progress_bar = false")  # it would stand among the answers
    for place, read in zip(places, reads.values()):
        found.add(connection.execute(read.format(place)).fetchone())
    connection.close()
    return found
print("ready", flush=True)
for line in sys.stdin:
    stop = line.strip()
    seconds, builds, faults, mixed = [], set(), [], 0
    while not os.path.exists(stop):
        start = time.perf_counter()
        try:
            found = once()
            mixed += len(found) != 1 or any(low != high for low, high, *_ in found)
            builds |= {str(low) for low, *_ in found}
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}"[:300])
        seconds.append(time.perf_counter() - start)
        time.sleep(pause)
    print(json.dumps({"seconds": seconds, "builds": sorted(builds), "faults": faults,
                      "mixed": mixed}), flush=True)
"""
HOLDER = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1] + "/marts.duckdb", read_only=True)
connection.execute("set enable_progress_bar = false")
connection.execute("begin")
query = sys.argv[2]
for line in sys.stdin:
    print(*connection.execute(query).fetchone(), flush=True)
"""
# What is read of each mart: first the lowest and the highest mark of a build, which are all one.
OF_ONE_BUILD = (
    "select min(build_number), max(build_number), count(*), count(distinct content) from {}"
)
REVENUE = "select coalesce(sum({of}), 0), coalesce(sum({of}), 0) from {{}}"
OF_ONE_REVENUE = {
    "fct_orders": REVENUE.format(of="net_amount"),
    "fct_order_lines": REVENUE.format(of="net_amount"),
    "agg_channel_performance": REVENUE.format(of="net_amount"),
    "agg_attribution_daily": "select coalesce(min(net), 0), coalesce(max(net), 0) from ("
    "select attribution_model, sum(attributed_net_amount) as net from {} group by all)",
    "agg_kpi_daily": REVENUE.format(of="cast(numerator as decimal(18, 2))")
    + " where kpi = 'net_revenue' and dimension = 'total'",
}


class RefreshedShop:
    """A small shop of 35 days, of which each build loads one more."""

    reads = OF_ONE_REVENUE

    def __init__(self, folder: Path) -> None:
        sys.path[:0] = [str(PROJECT / "tests")]
        from refresh.months import make_month  # noqa: PLC0415 - of the tests' folder

        self.folder, self.month = folder, make_month(60, seed=7)
        self.environment = place(folder, "each day")
        self.warehouse = Path(self.environment["CARTWRIGHT_WAREHOUSE"])
        self.target = Path(self.environment["DBT_TARGET_PATH"])
        self.published = Path(self.environment["CARTWRIGHT_PUBLISH_DIR"])

    def make(self, number: int) -> None:
        """Load the day of a number."""
        self.month.write(self.folder / "raw", number)
        must(DBT, **self.environment)

    def is_as_built_at_once(self) -> bool:
        """Whether one load of all days gives the same tables; what differs is printed."""
        at_once = place(self.folder, "at once")
        must(DBT, **at_once)
        found = differences(self.warehouse, Path(at_once["CARTWRIGHT_WAREHOUSE"]))
        print(f"tables that one load of all days gives otherwise: {', '.join(found) or 'none'}")
        return not found


@dataclass
class Reader:
    """A process that reads, and what it told."""

    name: str
    process: subprocess.Popen[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    def go(self, stop: Path) -> None:
        """Let it read until there is a file of that name."""
        assert self.process.stdin
        self.process.stdin.write(f"{stop}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Its next line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"reader {self.name} ended: {self.process.wait()}")
        return line


def python_with(version: str, scratch: Path) -> Path:
    """A Python with that version of DuckDB, in an environment of its own."""
    if version == duckdb.__version__:
        return Path(sys.executable)
    folder = scratch / f"duckdb-{version}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", f"duckdb=={version}"]
        subprocess.run(command, check=True, capture_output=True)
    return python


def start(name: str, python: Path, code: str, *arguments: str) -> Reader:
    """Start a reader."""
    process = subprocess.Popen(
        [str(python), "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    return Reader(name, process)


@dataclass
class Published:
    """The seconds of some builds, and of their publications."""

    builds: list[float] = field(default_factory=list)
    publications: list[float] = field(default_factory=list)


def publish_all(build: HandmadeBuild | RefreshedShop, numbers: Sequence[int]) -> Published:
    """Make builds and publish them, one after the other."""
    done = Published()
    for number in numbers:
        begun = time.perf_counter()
        build.make(number)
        made = time.perf_counter()
        publish(build.warehouse, build.target, build.published)
        done.builds.append(made - begun)
        done.publications.append(time.perf_counter() - made)
        if isinstance(build, RefreshedShop):
            print(f"  {number} refreshed in {made - begun:.0f} s ...", file=sys.stderr)
    return done


def run(options: argparse.Namespace, scratch: Path) -> int:
    """Start readers, publish, report; gives the number of faults."""
    pythons = {version: python_with(version, scratch) for version in options.versions}
    build: HandmadeBuild | RefreshedShop
    if options.refresh:
        build, reads = RefreshedShop(scratch), OF_ONE_REVENUE
    else:
        build = HandmadeBuild(scratch / "build", options.rows)
        reads = dict.fromkeys(MARTS, OF_ONE_BUILD)
    publish_all(build, [0])  # the first one finds nothing, the others what was before
    alone = publish_all(build, range(1, 3))
    readers = []
    for number in range(options.readers):
        version = options.versions[number % len(options.versions)]
        kind = "parquet" if number % 4 == 3 else "file"
        arguments = (str(build.published), kind, str(options.pause), json.dumps(reads))
        readers.append(start(f"{version} {kind}", pythons[version], READER, *arguments))
    for reader in readers:
        reader.answer()
    mart, read = next(iter(reads.items()))
    query = read.format(mart)
    holder = start("held", pythons[options.versions[-1]], HOLDER, str(build.published), query)
    holder.go(scratch)
    held = holder.answer()
    beside_holder = publish_all(build, range(3, 5))
    busy = Published()
    for phase in ("quiet", "publishing"):
        stop = scratch / f"stop-{phase}"
        for reader in readers:
            reader.go(stop)
        if phase == "publishing":
            busy = publish_all(build, range(5, 5 + options.publications))
        else:
            time.sleep(options.quiet)
        stop.touch()
        for reader in readers:
            reader.told.append(json.loads(reader.answer()))
    holder.go(scratch)
    is_held = holder.answer() == held
    for reader in [*readers, holder]:
        assert reader.process.stdin
        reader.process.stdin.close()
        reader.process.wait()
    faults = report(readers, alone, beside_holder, busy, is_held)
    if isinstance(build, RefreshedShop):
        print(
            "a refresh, median seconds: "
            + told_of(alone.builds, beside_holder.builds, busy.builds, len(readers))
        )
        faults += not build.is_as_built_at_once()
    return faults


def report(
    readers: Sequence[Reader],
    alone: Published,
    held: Published,
    busy: Published,
    is_held: bool,
) -> int:
    """Print what was measured; gives the number of faults."""
    told = [each for reader in readers for each in reader.told]
    faults = [fault for each in told for fault in each["faults"]]
    mixed: int = sum(each["mixed"] for each in told)
    print(f"{'reader':<16}{'reads':>8}{'builds':>8}{'quiet s':>9}{'busy s':>9}{'busy p99':>10}")
    for name in sorted({reader.name for reader in readers}):
        ours = [reader for reader in readers if reader.name == name]
        quiet, publishing = ([s for r in ours for s in r.told[n]["seconds"]] for n in (0, 1))
        builds = {number for r in ours for t in r.told for number in t["builds"]}
        last = sorted(publishing)[int(len(publishing) * 0.99) - 1]
        print(
            f"{name:<16}{len(quiet) + len(publishing):>8,}{len(builds):>8}{median(quiet):>9.3f}"
            f"{median(publishing):>9.3f}{last:>10.3f}"
        )
    print(f"errors of readers: {len(faults)}; reads of mixed builds: {mixed}")
    for fault in sorted(set(faults))[:5]:
        print(f"  {fault}")
    print(
        f"the reader that never let go has the build that it opened: {'yes' if is_held else 'NO'}"
    )
    print(
        "a publication, median seconds: "
        + told_of(alone.publications, held.publications, busy.publications, len(readers))
    )
    return len(faults) + mixed + (not is_held)


def told_of(
    alone: Sequence[float], held: Sequence[float], busy: Sequence[float], readers: int
) -> str:
    """Medians, without a reader and with them."""
    return (
        f"{median(alone):.2f} alone, {median(held):.2f} beside the reader that never lets go,"
        f" {median(busy):.2f} beside {readers} more ({len(busy)} times)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a reader met an error or a mixed build."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.readers",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--readers", type=int, default=6, help="processes that read (default 6)")
    parser.add_argument("--publications", type=int, default=5, help="builds published (default 5)")
    parser.add_argument(
        "--versions",
        nargs="+",
        default=["1.1.3", "1.5.5"],
        help="of DuckDB, each installed from PyPI in an environment of its own (1.1.3 1.5.5)",
    )
    parser.add_argument("--rows", type=int, default=50_000, help="of each of four marts")
    parser.add_argument(
        "--refresh", action="store_true", help="builds by dbt, a day each, 30 publications at most"
    )
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between a reader's reads")
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds to read without builds")
    options = parser.parse_args(arguments)
    if options.refresh and options.publications > MOST_REFRESHES:
        parser.error(f"the shop has days for {MOST_REFRESHES} refreshes")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return int(run(options, Path(scratch)) > 0)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())

"""Readers of several DuckDB versions, and of Parquet, while builds are published over and over.

    python -m benchmarks.readers                                     6 readers, 5 publications
    python -m benchmarks.readers --readers 20 --publications 30 --versions 1.0.0 1.1.3 1.2.2 1.5.5

Each reader connects anew in a loop, reads every mart and checks that all rows are of one build.
Every fourth one reads Parquet, by the manifest, which names the files of one build. One more reader
opens the first build and never lets go. Reported: errors, mixed builds, a reader's seconds while
builds are published against those of a quiet time, and a publication's seconds without a reader,
with the one that never lets go, and with all of them (who share the processors with it).
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

from benchmarks.handmade import MARTS, HandmadeBuild
from orchestration.publish import publish

# Runs in the reader's own Python, with its own DuckDB: nothing of this project is imported.
READER = """
import json, os, sys, time
import duckdb
folder, kind, marts = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
def once():
    if kind == "file":
        connection = duckdb.connect(folder + "/marts.duckdb", read_only=True)
        places = marts
    else:
        connection = duckdb.connect()
        with open(folder + "/manifest.json") as stream:
            files = {mart["name"]: mart["parquet"] for mart in json.load(stream)["marts"]}
        places = [f"'{folder}/{files[mart]}'" for mart in marts]
    found = set()
    connection.execute("set enable_progress_bar = false")  # it would stand among the answers
    for place in places:
        found.add(connection.execute(
            "select min(build_number), max(build_number), count(*), count(distinct content)"
            f" from {place}"
        ).fetchone())
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
            builds |= {low for low, *_ in found}
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}"[:300])
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "builds": sorted(builds), "faults": faults,
                      "mixed": mixed}), flush=True)
"""
HOLDER = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1] + "/marts.duckdb", read_only=True)
connection.execute("set enable_progress_bar = false")
connection.execute("begin")
query = "select min(build_number), max(build_number), count(*) from " + sys.argv[2]
for line in sys.stdin:
    print(*connection.execute(query).fetchone(), flush=True)
"""


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


def publish_all(build: HandmadeBuild, numbers: Sequence[int]) -> list[float]:
    """Publish builds one after the other; gives the seconds of each publication."""
    seconds = []
    for number in numbers:
        build.make(number)
        begun = time.perf_counter()
        publish(build.warehouse, build.target, build.published)
        seconds.append(time.perf_counter() - begun)
    return seconds


def run(options: argparse.Namespace, scratch: Path) -> int:
    """Start readers, publish, report; gives the number of faults."""
    pythons = {version: python_with(version, scratch) for version in options.versions}
    build = HandmadeBuild(scratch / "build", options.rows)
    publish_all(build, [0])  # the first one finds nothing, the others what was before
    alone = publish_all(build, range(1, 3))
    readers = []
    for number in range(options.readers):
        version = options.versions[number % len(options.versions)]
        kind = "parquet" if number % 4 == 3 else "file"
        arguments = (str(build.published), kind, ",".join(MARTS))
        readers.append(start(f"{version} {kind}", pythons[version], READER, *arguments))
    for reader in readers:
        reader.answer()
    holder = start("held", pythons[options.versions[-1]], HOLDER, str(build.published), MARTS[0])
    holder.go(scratch)
    held = holder.answer()
    beside_holder = publish_all(build, range(3, 6))
    busy: list[float] = []
    for phase in ("quiet", "publishing"):
        stop = scratch / f"stop-{phase}"
        for reader in readers:
            reader.go(stop)
        if phase == "publishing":
            busy = publish_all(build, range(6, 6 + options.publications))
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
    return report(readers, alone, beside_holder, busy, is_held)


def report(
    readers: Sequence[Reader],
    alone: Sequence[float],
    held: Sequence[float],
    busy: Sequence[float],
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
        f"a publication, median seconds: {median(alone):.2f} alone, {median(held):.2f} beside the"
        f" reader that never lets go, {median(busy):.2f} beside {len(readers)} more"
        f" ({len(busy)} publications)"
    )
    return len(faults) + mixed + (not is_held)


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
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds to read without builds")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            return int(run(options, Path(scratch)) > 0)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())

"""What a piece of work costs: seconds, processor seconds, memory, spill, bytes written.

`measure` asks it of a process as a whole, `Meter` of one step after the other inside a process.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml
from jinja2 import Template

PROJECT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.05
PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Cost:
    """What one process cost: wall and processor seconds, peak resident memory in MB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Lap:
    """What one step cost: wall and processor seconds; peak memory, spill, bytes written in MB."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    spill: float = 0.0
    written: float = 0.0

    def __add__(self, other: Lap) -> Lap:
        """Both, one after the other."""
        return Lap(
            self.wall + other.wall,
            self.cpu + other.cpu,
            max(self.peak, other.peak),
            max(self.spill, other.spill),
            self.written + other.written,
        )


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command in the project; raises CalledProcessError, with its output, where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=os.environ | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def simulate(folder: Path, events: int, days: int | None = None) -> Path:
    """A simulated shop of about so many events in `folder`, unless a whole one is there already."""
    done = folder.with_name(f"{folder.name}.done")
    if not done.exists():
        say(f"simulating {events:,} events ...")
        command = [sys.executable, "-m", "seeds.simulator", "parquet", "--out", str(folder)]
        period = ["--days", str(days)] if days else []
        folder.parent.mkdir(parents=True, exist_ok=True)
        measure([*command, "--events", str(events), *period], {})
        done.touch()
    return folder


def say(what: str) -> None:
    """Tell how far it is, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def settings() -> dict[str, str]:
    """The settings of DuckDB that the profile has (profiles.yml)."""
    text = Template((PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    profile = yaml.safe_load(text.render(env_var=os.environ.get))
    outputs: dict[str, Any] = profile["cartwright"]["outputs"]
    return {name: str(value).lower() for name, value in outputs["dev"]["settings"].items()}


def connect(file: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A connection as dbt would have it; of a database in memory without a file."""
    connection = duckdb.connect(str(file) if file else ":memory:")
    for name, value in settings().items():
        connection.execute(f"set {name} = '{value}'")
    return connection


def row_counts(warehouse: Path) -> dict[str, int]:
    """The rows of each table of the warehouse, by its name."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall()
        return {table: len(connection.table(f'"{schema}"."{table}"')) for schema, table in tables}


class Meter:
    """Tells what each step of this process cost, one after the other.

    Peak memory and bytes written are Linux's to tell, and 0 elsewhere. Spill is what the folder
    that DuckDB spills to holds at its highest, looked at 20 times a second. Bytes written are all
    that the process handed to the system: tables and the log before them, spill as well.
    """

    def __init__(self, spilled: Path) -> None:
        """Measure from now on; DuckDB spills to the folder `spilled`."""
        self._spilled = spilled
        self._highest = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._peak()
        self._begun = self._now()

    def lap(self) -> Lap:
        """What it cost since this was last asked."""
        now = self._now()
        wall, cpu, written = (
            after - before for after, before in zip(now, self._begun, strict=True)
        )
        highest = max(self._highest, self._spill())
        self._highest = 0
        self._begun = now
        return Lap(wall, cpu, self._peak(), highest / 2**20, written / 2**20)

    def stop(self) -> None:
        """Look at the folder no more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self._highest = max(self._highest, self._spill())

    def _spill(self) -> int:
        size = 0
        try:
            for file in self._spilled.iterdir():
                size += file.stat().st_size
        except OSError:  # no folder, or a file that has just gone
            pass
        return size

    @staticmethod
    def _now() -> tuple[float, float, int]:
        written = 0
        if (PROCESS / "io").exists():
            fields = (PROCESS / "io").read_text().split()
            written = int(fields[fields.index("wchar:") + 1])
        return time.perf_counter(), time.process_time(), written

    @staticmethod
    def _peak() -> float:
        """The most memory held since this was last asked, in MB."""
        if not (PROCESS / "clear_refs").exists():
            return 0.0
        lines = (PROCESS / "status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        (PROCESS / "clear_refs").write_text("5")
        return peak / 1024


@contextmanager
def metered(spilled: Path) -> Iterator[Meter]:
    """A meter, which ends with the block."""
    meter = Meter(spilled)
    try:
        yield meter
    finally:
        meter.stop()


def machine() -> str:
    """What the machine is, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cores} cores ({models[0] if models else platform.processor() or platform.machine()}), "
        f"{memory:.0f} GB of memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )

"""The command line: `python -m seeds.simulator demo` and `python -m seeds.simulator parquet`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seeds.simulator import damage
from seeds.simulator.config import (
    DAY,
    DEMO_EVENTS,
    DEMO_TRACKING_START,
    LAST_DAY_END,
    Shop,
    Streams,
)
from seeds.simulator.contract import TABLES
from seeds.simulator.shop import Result, simulate
from seeds.simulator.write import PartitionWriter, as_text, csv_bytes, write_parquet


class _TruthSessions:
    """truth_sessions.parquet, one row group per block; nothing without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table) -> None:
        if self.folder is None:
            return
        if self.writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.writer = pq.ParquetWriter(
                self.folder / "truth_sessions.parquet", table.schema, compression="zstd",
                compression_level=1, store_schema=False,
            )  # fmt: skip
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _write_truth(folder: Path | None, result: Result) -> None:
    if folder is None:
        return
    for name, table in (result.truth | {"truth_injected": result.injected.to_table()}).items():
        write_parquet(table, folder / f"{name}.parquet")


def demo(seed: int, out: Path, truth: Path | None) -> None:
    """The demo shop as `raw_<table>.csv`, with the damage that only text can hold."""
    shop = Shop(seed, DEMO_EVENTS, DEMO_TRACKING_START)
    streams = Streams(seed)
    days: list[pa.Table] = []
    sessions = _TruthSessions(truth)
    tables: dict[str, pa.Table] = {}

    def keep_events(_day: int, table: pa.Table) -> None:
        days.append(table)

    result = simulate(shop, keep_events, tables.__setitem__, sessions.add, break_events=False)
    sessions.close()
    events = pa.concat_tables(days).combine_chunks()
    tables["events"] = damage.damage_table(
        "events", events, damage.TYPED, streams, result.injected,
        candidates=damage.event_candidates(events),
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        text = as_text(tables[name])
        candidates = damage.event_candidates(text) if name == "events" else None
        text = damage.damage_table(
            name, text, damage.UNTYPED, streams, result.injected, first_serial=50,
            candidates=candidates,
        )  # fmt: skip
        ragged: list[list[str]] = []
        if name == damage.RAGGED[0]:
            row = [value or "" for value in text.slice(0, 1).to_pylist()[0].values()]
            for number in range(damage.RAGGED[1]):
                line = [f"V99990{number}", *row[1:]]
                ragged.append(line[:3] if number == 0 else [*line, "one", "too many"][: 6 + number])
                detail = f"{len(ragged[-1])} columns instead of {len(row)}"
                result.injected.add(name, "ragged_line", line[0], detail)
        (out / f"raw_{name}.csv").write_bytes(csv_bytes(text, ragged))
    _write_truth(truth, result)


def parquet(seed: int, events: int, days: int, out: Path, truth: Path | None) -> None:
    """The shop at any size: `<table>.parquet`, and events by arrival date."""
    shop = Shop(seed, events, LAST_DAY_END - days * DAY)
    out.mkdir(parents=True, exist_ok=True)
    writer = PartitionWriter(out / "events")
    sessions = _TruthSessions(truth)

    def write_table(name: str, table: pa.Table) -> None:
        write_parquet(table, out / f"{name}.parquet")

    result = simulate(shop, writer.add, write_table, sessions.add, break_events=True)
    writer.close()
    sessions.close()
    _write_truth(truth, result)
    print(f"simulator: {result.events_written:,} events written", file=sys.stderr)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seeds.simulator", description="Simulate the demo shop's raw tables."
    )
    modes = parser.add_subparsers(dest="mode", required=True)
    small = modes.add_parser("demo", help="raw_<table>.csv for all 18 tables, at most 15 MB")
    small.add_argument("--out", type=Path, default=Path("seeds/raw"), help="default: seeds/raw")
    large = modes.add_parser("parquet", help="the same shop at any size, as Parquet")
    large.add_argument("--events", type=int, required=True, help="about how many events")
    large.add_argument("--days", type=int, default=365, help="days of web tracking (default 365)")
    large.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    for mode in (small, large):
        mode.add_argument("--seed", type=int, default=42, help="default: 42")
        mode.add_argument("--truth", type=Path, help="a folder for the truth (Parquet)")
    return parser


def _complaint(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the arguments, in one sentence, or None."""
    if arguments.seed < 0:
        return "--seed must be 0 or more."
    if arguments.out.exists() and not arguments.out.is_dir():
        return f"--out {arguments.out} is a file, not a folder."
    if arguments.mode == "parquet":
        if not 1_000 <= arguments.events <= 1_000_000_000:
            return "--events must be between 1,000 and 1,000,000,000."
        if not 7 <= arguments.days <= 1_096:
            return "--days must be between 7 and 1096."
        if arguments.out.exists() and any(arguments.out.iterdir()):
            return f"--out {arguments.out} is not empty: old partitions would mix with new ones."
    return None


def main() -> int:
    """Parse, complain or run. Exit code 2 for bad arguments."""
    arguments = _arguments().parse_args()
    complaint = _complaint(arguments)
    if complaint:
        print(f"simulator: {complaint}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        if arguments.mode == "demo":
            demo(arguments.seed, arguments.out, arguments.truth)
        else:
            parquet(
                arguments.seed, arguments.events, arguments.days, arguments.out, arguments.truth
            )
    except OSError as error:
        print(f"simulator: cannot write: {error}.", file=sys.stderr)
        return 1
    print(f"simulator: done in {time.monotonic() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

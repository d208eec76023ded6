"""Files: CSV as the contract has it, and Parquet with partitions written beside the generation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# One time in so many is written with an offset instead of Z. It depends on the time alone, so that
# an exact duplicate is one to the letter.
OFFSET_EVERY = 400


def as_text(table: pa.Table) -> pa.Table:
    """Every column as the text that a CSV holds: ISO 8601 times, true/false, plain decimals."""
    columns = []
    for name in table.column_names:
        column = table[name].combine_chunks()
        kind = column.type
        if pa.types.is_timestamp(kind):
            column = _times_as_text(column)
        elif pa.types.is_decimal(kind):
            text = column.cast(pa.string())
            # Prices have four decimals only where they need them.
            column = pc.replace_substring_regex(text, r"^(-?\d+\.\d\d)0+$", r"\1")
        elif not pa.types.is_string(kind):
            column = column.cast(pa.string())
        columns.append(column)
    return pa.Table.from_arrays(columns, names=table.column_names)


def _times_as_text(column: pa.Array) -> pa.Array:
    """2026-05-01T10:00:00Z; with milliseconds where there are any; some in +02:00."""
    milliseconds = column.cast(pa.int64()).fill_null(0).to_numpy() // 1000
    shifted = milliseconds // 1000 % OFFSET_EVERY == OFFSET_EVERY // 2
    local = pa.array(milliseconds + np.where(shifted, 2 * 3_600_000, 0)).view(pa.timestamp("ms"))
    whole = pc.strftime(local.cast(pa.timestamp("s"), safe=False), format="%Y-%m-%dT%H:%M:%S")
    exact = pc.strftime(local, format="%Y-%m-%dT%H:%M:%S")
    text = pc.if_else(pa.array(milliseconds % 1000 != 0), exact, whole)
    zone = pc.if_else(pa.array(shifted), "+02:00", "Z")
    text = pc.binary_join_element_wise(text, zone, "")
    return pc.if_else(column.is_valid(), text, pa.scalar(None, pa.string()))


def csv_bytes(table: pa.Table, ragged: Sequence[Sequence[str]] = ()) -> bytes:
    """UTF-8 CSV of a text table with a header, NULL as empty; `ragged` lines come last but one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    rows = list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
    writer.writerows(rows[:-1])
    writer.writerows(ragged)
    writer.writerows(rows[-1:])
    return out.getvalue().encode()


def write_parquet(table: pa.Table, path: Path, plain: Sequence[str] = ()) -> None:
    """One Parquet file; columns of unique values (`plain`) get no dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in table.column_names if name not in plain],
        store_schema=False,
    )


class PartitionWriter:
    """Writes daily partitions on a second thread; at most two tables wait."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pool = ThreadPoolExecutor(max_workers=1)
        self.pending: list[Future[None]] = []

    def add(self, day: int, table: pa.Table) -> None:
        """Queue a day (days since 1970) of events."""
        name = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        path = self.root / f"event_date={name}" / "part-0.parquet"
        while len(self.pending) > 2:
            self.pending.pop(0).result()
        self.pending.append(self.pool.submit(write_parquet, table, path, ("event_id",)))

    def close(self) -> None:
        """Wait for the last file."""
        for future in self.pending:
            future.result()
        self.pool.shutdown()

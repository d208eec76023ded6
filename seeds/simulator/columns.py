"""From NumPy arrays to Arrow columns, without a Python loop over the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seeds.simulator.config import Bools, Ints

BASE32 = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", dtype=np.uint8)


def _bitmap(valid: Bools | None) -> pa.Buffer | None:
    return None if valid is None else pa.array(valid).buffers()[1]


def _strings(characters: NDArray[np.uint8], valid: Bools | None) -> pa.Array:
    """Text from a matrix (valid rows, width) of bytes; rows that are not valid are NULL."""
    width = characters.shape[1]
    size = len(characters) if valid is None else len(valid)
    offsets = np.zeros(size + 1, dtype=np.int32)
    lengths = np.full(size, width) if valid is None else valid * width
    offsets[1:] = np.cumsum(lengths)
    buffers = [
        _bitmap(valid),
        pa.py_buffer(offsets),
        pa.py_buffer(np.ascontiguousarray(characters)),
    ]
    return pa.Array.from_buffers(pa.string(), size, buffers)


def numbered(prefix: str, numbers: Ints, width: int, valid: Bools | None = None) -> pa.Array:
    """Ids such as C00042: `prefix`, then the number with leading zeros to `width` digits."""
    numbers = numbers if valid is None else numbers[valid]
    if len(numbers) and len(str(numbers.max())) > width:
        raise ValueError(f"{prefix}{numbers.max()} has more than {width} digits")
    head = len(prefix)
    characters = np.empty((len(numbers), head + width), dtype=np.uint8)
    characters[:, :head] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    rest = numbers.astype(np.int64)
    for position in range(head + width - 1, head - 1, -1):
        characters[:, position] = 48 + rest % 10
        rest = rest // 10
    return _strings(characters, valid)


def serial(prefix: str, count: int, width: int) -> pa.Array:
    """The ids 1 to `count`, of `width` digits or as many as the last one needs."""
    return numbered(prefix, np.arange(count) + 1, max(width, len(str(count))))


def scrambled(prefix: str, numbers: Ints, width: int, valid: Bools | None = None) -> pa.Array:
    """Ids that look random and never collide: an odd factor permutes them modulo 2^(5 width)."""
    numbers = numbers if valid is None else numbers[valid]
    head = len(prefix)
    characters = np.empty((len(numbers), head + width), dtype=np.uint8)
    characters[:, :head] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    rest = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rest &= np.uint64((1 << (5 * width)) - 1)
    for position in range(head + width - 1, head - 1, -1):
        characters[:, position] = BASE32[(rest & np.uint64(31)).astype(np.intp)]
        rest >>= np.uint64(5)
    return _strings(characters, valid)


def pick(values: Sequence[str | None], codes: NDArray[np.integer]) -> pa.Array:
    """Text by code: `values[code]`, NULL where the code is negative or the value None."""
    present = np.array([value is not None for value in values] + [False])
    valid = present[codes]  # a negative code reads the False at the end
    indices = pa.array(np.where(valid, codes, 0).astype(np.int32), mask=~valid)
    return pa.DictionaryArray.from_arrays(indices, pa.array([v or "" for v in values], pa.string()))


def times(milliseconds: Ints, valid: Bools | None = None) -> pa.Array:
    """TIMESTAMP (UTC, microseconds) from ms since 1970."""
    mask = None if valid is None else ~valid
    return pa.array(milliseconds.astype(np.int64) * 1000, mask=mask).view(pa.timestamp("us"))


def dates(days: Ints, valid: Bools | None = None) -> pa.Array:
    """DATE from days since 1970."""
    mask = None if valid is None else ~valid
    return pa.array(days.astype(np.int32), mask=mask).view(pa.date32())


def decimals(units: Ints, scale: int, valid: Bools | None = None) -> pa.Array:
    """DECIMAL(18, scale) from whole units of 10^-scale."""
    words = np.empty((len(units), 2), dtype=np.int64)
    words[:, 0] = units
    words[:, 1] = words[:, 0] >> 63  # the sign, as the high half of 128 bits
    buffers = [_bitmap(valid), pa.py_buffer(words)]
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(units), buffers)


def integers(values: NDArray[np.integer], valid: Bools | None = None) -> pa.Array:
    """INTEGER."""
    return pa.array(values.astype(np.int32), mask=None if valid is None else ~valid)


def booleans(values: Bools) -> pa.Array:
    """BOOLEAN."""
    return pa.array(values)

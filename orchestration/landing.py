"""Whether a raw folder has landed: what is in it, and whether that is still changing.

A file counts as whole once its size and time of change stay as they are. Files that are being
written under another name (.part, .tmp, a dot in front, ...) are none of the shop's tables yet, and
do not count at all.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

SUFFIXES = (".csv", ".parquet")
# A folder that changed within so many seconds is waited for, at most so long.
QUIET_SECONDS = 20.0
PATIENCE_SECONDS = 1800.0

Stamps = dict[str, tuple[int, int]]


class NotLanded(Exception):
    """The folder went on changing; the message says which file did."""


def stamps(folder: Path) -> Stamps:
    """Size and time of change (nanoseconds) of each table's file, by its path in the folder."""
    found: Stamps = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix in SUFFIXES and not any(part.startswith((".", "_")) for part in name.parts):
            try:
                status = path.stat()
            except FileNotFoundError:  # renamed in the meantime
                continue
            found[name.as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def digest(found: Stamps) -> str:
    """A short name of a folder's content: another one when any file is another."""
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]


def wait_until_landed(
    folder: Path,
    quiet_seconds: float = QUIET_SECONDS,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Stamps:
    """Wait until no file has changed for a while, and say what is there; NotLanded if it never is.

    Files that lie there for longer cost no wait at all.
    """
    waited = 0.0
    while True:
        found = stamps(folder)
        newest = max((changed for _, changed in found.values()), default=0) / 1e9
        age = time.time() - newest
        # A time in the future is a clock's fault, and no sign of life.
        if not 0 <= age < quiet_seconds:
            return found
        if waited >= patience_seconds:
            name = max(found, key=lambda name: found[name][1])
            raise NotLanded(
                f"{folder / name} is still being written after {patience_seconds:.0f} seconds; the "
                "refresh starts when it is whole."
            )
        pause = quiet_seconds - age
        sleep(pause)
        waited += pause

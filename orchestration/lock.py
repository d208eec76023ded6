"""One writer at a time: a lock of the operating system that a process holds on a file's behalf.

A process that ends, however it ends, has let go of it: there is nothing to clean by hand. The
lock's file (`<file>.lock`) stays where it is and says who holds it, or held it last.
"""

from __future__ import annotations

import fcntl
import os
import sys
import weakref
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self


class Busy(Exception):
    """Somebody else writes; the message says who, and what to do."""


class WriterLock:
    """The right to write a file, from its making until `release`, or the end of the process."""

    def __init__(self, file: Path) -> None:
        """Take the lock of `file`, or raise Busy where another process has it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        path = file.with_name(f"{file.name}.lock")
        # Not inherited: what this process starts has no part in the lock, and cannot outlive it.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 1000).decode(errors="replace").strip()
            os.close(descriptor)
            raise Busy(
                f"{file} is being written by {holder or 'another process'}: one at a time, so wait "
                "until that is done, then run this again."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _this_process().encode())
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Let the next one write."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _this_process() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
    return f"process {os.getpid()} ({command}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)"

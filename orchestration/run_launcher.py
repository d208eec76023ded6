"""Dagster's run launcher, and how it knows that a run's process is gone.

Dagster finds out by itself that a run died while its server lived on. Where both died (a crash, a
power cut), the run would be in progress forever, and, being the one writer, in the way of all
others. A run therefore holds a lock of the operating system while its process lives.
"""

from __future__ import annotations

import time
from pathlib import Path

from dagster import DagsterInstance, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from orchestration.lock import Busy, WriterLock

# Until a run's first step has the lock.
START_SECONDS = 120
_held: dict[str, WriterLock] = {}


def lock_file(instance: DagsterInstance, run_id: str) -> Path:
    """The file whose lock a run holds."""
    return Path(instance.root_directory) / "runs_alive" / run_id


def hold(instance: DagsterInstance, run_id: str) -> None:
    """Say that a run lives, as long as this process does."""
    if instance.is_persistent and run_id not in _held:
        _held[run_id] = WriterLock(lock_file(instance, run_id))


class WatchedRunLauncher(DefaultRunLauncher):  # type: ignore[misc, unused-ignore]
    """The default launcher, whose runs are known to be dead when they are (dagster.yaml)."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's run monitoring asks."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run lives."""
        file = lock_file(self._instance, run.run_id)
        lock = file.with_name(f"{file.name}.lock")
        if not lock.exists():
            record = self._instance.get_run_record_by_id(run.run_id)
            started_at = (record.start_time if record else None) or time.time()
            is_new = time.time() - started_at < START_SECONDS
            return CheckRunHealthResult(WorkerStatus.RUNNING if is_new else WorkerStatus.NOT_FOUND)
        try:
            WriterLock(file).release()
        except Busy:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        lock.unlink(missing_ok=True)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "The run's process is gone.")

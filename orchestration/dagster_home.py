"""Makes Dagster's instance ready: its folder and settings, the one writer, the first run.

DAGSTER_HOME (default .dagster in the project) holds runs, logs, schedules; the settings are those
of orchestration/dagster.yaml, at every start anew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from orchestration.settings import PROJECT
from orchestration.steps import POOL

JOB = "daily_refresh"


def home() -> Path:
    """The folder of the instance."""
    return Path(os.environ.get("DAGSTER_HOME") or PROJECT / ".dagster")


def prepare(folder: Path) -> dg.DagsterInstance:
    """The instance in a folder, with its settings and with room for one writer."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "orchestration" / "dagster.yaml", folder / "dagster.yaml")
    instance = dg.DagsterInstance.from_config(str(folder))
    instance.event_log_storage.set_concurrency_slots(POOL, 1)
    return instance


def has_finished_run(instance: dg.DagsterInstance) -> bool:
    """Whether a refresh ever came to its end here."""
    filters = dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
    return bool(instance.get_runs(filters, limit=1))


def run_first(folder: Path) -> int:
    """Run the first refresh, here and now; gives its exit status, and its log where it failed."""
    log = folder / "first_run.log"
    print(f"First refresh, some minutes; its log is {log} ...", flush=True)
    with log.open("w") as stream:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("dg")), "launch", "--job", JOB],
            cwd=PROJECT,
            env={**os.environ, "DAGSTER_HOME": str(folder), "VIRTUAL_ENV": sys.prefix},
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        print(f"The first refresh failed: see {log}, or the run in the UI.", file=sys.stderr)
    return done.returncode


def serve(port: int) -> None:
    """Become `dg dev` on 127.0.0.1: the daemon, its schedule and sensors, and the UI.

    A shell starts what it sends to the background with SIGINT ignored, and Dagster takes for
    SIGTERM what SIGINT has: without a reset it could be ended by `kill -9` alone.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dg_command = str(Path(sys.executable).with_name("dg"))
    os.execv(dg_command, [dg_command, "dev", "--host", "127.0.0.1", "--port", str(port)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the instance ready; a first run that fails is told, and shown by the UI that follows."""
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.dagster_home",
        description="Make Dagster's instance ready in DAGSTER_HOME: settings, the limit of one "
        "writer, and a first finished run.",
    )
    parser.add_argument("--no-first-run", action="store_true", help="settings and limit alone")
    parser.add_argument("--serve", type=int, metavar="PORT", help="then open the UI, until ended")
    options = parser.parse_args(arguments)
    instance = prepare(home())
    if not options.no_first_run and not has_finished_run(instance):
        run_first(home())
    if options.serve:
        serve(options.serve)
    return 0


if __name__ == "__main__":
    sys.exit(main())

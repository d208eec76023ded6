"""Runs dbt in this process and notes what each node cost, processor seconds included.

    python -m benchmarks.dbt_nodes COSTS.json build --exclude-resource-type test unit_test

dbt's own run_results.json has wall seconds alone, which say little on a machine that does more.
The peak of a node is the most memory that the process held while it ran (Linux alone tells).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.build import Cost, measure

HOOKS = "hooks"
# dbt tells of a hook when it is over: it began when whatever came before it ended.
BOUNDARIES = {"ConcurrencyLine", "NodeStart", "NodeFinished", "LogHookEndLine"}


@dataclass(frozen=True)
class Node:
    """What one node of a build cost, and what it is; the hooks of dbt_project.yml are one node."""

    name: str
    folder: str
    materialized: str
    wall: float
    cpu: float
    peak: float = 0.0

    @property
    def is_of_funnels(self) -> bool:
        """Whether it is a model of the group funnel."""
        return self.folder.endswith("/funnel")

    @property
    def is_web(self) -> bool:
        """Whether it is made of events; else it is of the shop's own tables, built in full."""
        is_staged = "web__" in self.name or self.name == "raw_events"
        return is_staged or self.is_of_funnels or self.materialized == "incremental"


def build(
    environment: Mapping[str, str], target: Path, *arguments: str
) -> tuple[Cost, dict[str, Node]]:
    """Run `dbt build` without tests in a process of its own: the cost of it all, and of each node.

    Raises CalledProcessError, with dbt's output, where it fails.
    """
    file = target / "costs.json"
    command = [sys.executable, "-m", "benchmarks.dbt_nodes", str(file), "build", *arguments]
    settings = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target / "logs")}
    whole = measure(
        [*command, "--exclude-resource-type", "test", "unit_test"], settings | dict(environment)
    )
    known = json.loads((target / "manifest.json").read_text())["nodes"]
    nodes = {}
    for unique_id, (wall, cpu, peak) in json.loads(file.read_text()).items():
        node = known.get(unique_id, {"name": HOOKS, "original_file_path": "", "config": {}})
        nodes[node["name"]] = Node(
            name=node["name"],
            folder=Path(node["original_file_path"]).parent.as_posix(),
            materialized=node["config"].get("materialized", ""),
            wall=wall,
            cpu=cpu,
            peak=peak,
        )
    peak = max(whole.peak, *(node.peak for node in nodes.values()))
    return replace(whole, peak=peak), nodes


def peak_since_last() -> float:
    """The most memory held since this was last asked, in MB; 0 where the system does not tell."""
    process = Path("/proc/self")
    if not (process / "clear_refs").exists():
        return 0.0
    lines = (process / "status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    (process / "clear_refs").write_text("5")
    return peak / 1024


def main(arguments: list[str]) -> int:
    """Run dbt with all arguments but the first, the file to write to; exit 1 where it fails."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - seconds, which only this process needs

    costs: dict[str, tuple[float, float, float]] = {}
    begun = (time.perf_counter(), time.process_time())

    def note(event: Any) -> None:  # noqa: ANN401 - dbt's events are untyped
        nonlocal begun
        if event.info.name not in BOUNDARIES:
            return
        now = (time.perf_counter(), time.process_time())
        peak = peak_since_last()
        if event.info.name in {"NodeFinished", "LogHookEndLine"}:
            is_hook = event.info.name == "LogHookEndLine"
            node = HOOKS if is_hook else event.data.node_info.unique_id
            wall, cpu, before = costs.get(node, (0.0, 0.0, 0.0))
            costs[node] = (wall + now[0] - begun[0], cpu + now[1] - begun[1], max(before, peak))
        begun = now

    result = dbtRunner(callbacks=[note]).invoke(arguments[1:])
    Path(arguments[0]).write_text(json.dumps(costs))
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

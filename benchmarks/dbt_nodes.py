"""Runs dbt in this process and notes what each node cost, processor seconds included.

    python -m benchmarks.dbt_nodes COSTS.json build --exclude-resource-type test unit_test

dbt's own run_results.json has wall seconds alone, which say little on a machine that does more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.costs import Cost, Lap, measure, metered, row_counts
from orchestration.settings import warehouse_file

HOOKS = "hooks"
# dbt tells of a hook when it is over: it began when whatever came before it ended.
BOUNDARIES = {"ConcurrencyLine", "NodeStart", "NodeFinished", "LogHookEndLine"}


@dataclass(frozen=True)
class Node:
    """What one node of a build cost, and what it is; the hooks of dbt_project.yml are one node.

    `rows` are those of its table when the build was over; None for a view.
    """

    name: str
    kind: str
    group: str
    materialized: str
    lap: Lap
    rows: int | None

    @property
    def wall(self) -> float:
        """Wall seconds."""
        return self.lap.wall

    @property
    def cpu(self) -> float:
        """Processor seconds."""
        return self.lap.cpu

    @property
    def is_model(self) -> bool:
        """Whether it is a model: no seed, no hook."""
        return self.kind == "model"

    @property
    def is_web(self) -> bool:
        """Whether it is made of events: sessions, funnels, what they are credited with."""
        is_staged = self.group == "web" or self.name == "raw_events"
        is_incremental = self.materialized == "incremental"
        return (
            is_staged
            or self.group == "funnel"
            or (is_incremental and self.group in ("core", "acquisition"))
        )


def build(
    environment: Mapping[str, str], target: Path, *arguments: str
) -> tuple[Cost, dict[str, Node]]:
    """Run `dbt build` without tests in a process of its own: the cost of it all, and of each node.

    Nodes come in the order in which dbt ran them. Raises CalledProcessError, with dbt's output,
    where it fails.
    """
    file = target / "costs.json"
    command = [sys.executable, "-m", "benchmarks.dbt_nodes", str(file), "build", *arguments]
    settings = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target / "logs")}
    whole = measure(
        [*command, "--exclude-resource-type", "test", "unit_test"], settings | dict(environment)
    )
    known = json.loads((target / "manifest.json").read_text())["nodes"]
    rows = row_counts(Path(environment["CARTWRIGHT_WAREHOUSE"]))
    nodes = {}
    known[HOOKS] = {"name": HOOKS, "resource_type": "operation", "config": {}}
    for unique_id, lap in json.loads(file.read_text()).items():
        if unique_id not in known:  # an exposure or a saved query, of which nothing is built
            continue
        node = known[unique_id]
        nodes[node["name"]] = Node(
            name=node["name"],
            kind=node["resource_type"],
            group=node.get("group") or "",
            materialized=node["config"].get("materialized", ""),
            lap=Lap(**lap),
            rows=rows.get(node["name"]),
        )
    peak = max(whole.peak, *(node.lap.peak for node in nodes.values()))
    return replace(whole, peak=peak), nodes


def main(arguments: list[str]) -> int:
    """Run dbt with all arguments but the first, the file to write to; exit 1 where it fails."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - seconds, which only this process needs

    costs: dict[str, Lap] = {}
    warehouse = warehouse_file()
    # Where DuckDB spills to unless it is told otherwise.
    with metered(warehouse.with_name(f"{warehouse.name}.tmp")) as meter:

        def note(event: Any) -> None:  # noqa: ANN401 - dbt's events are untyped
            if event.info.name not in BOUNDARIES:
                return
            lap = meter.lap()
            if event.info.name in {"NodeFinished", "LogHookEndLine"}:
                is_hook = event.info.name == "LogHookEndLine"
                node = HOOKS if is_hook else event.data.node_info.unique_id
                costs[node] = costs.get(node, Lap()) + lap

        result = dbtRunner(callbacks=[note]).invoke(arguments[1:])
    Path(arguments[0]).write_text(json.dumps({node: asdict(lap) for node, lap in costs.items()}))
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A build on Spark as Dagster sees it: the command, then what its report says of each asset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration.build_results import GOOD
from orchestration.dbt_project import TRANSLATOR, read_facts
from orchestration.settings import PROJECT, target_folder, warehouse_file

SHOWN_LINES = 5


def build_on_spark(arguments: Sequence[str], tell: Callable[[str], object]) -> str:
    """Run `python -m orchestration.spark build`, a line at a time; its last lines if it failed."""
    command = [sys.executable, "-m", "orchestration.spark", "build", *arguments]
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "DBT_USE_COLORS": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    ) as process:
        for line in process.stdout or ():
            if line.strip():
                lines = [*lines[1 - SHOWN_LINES :], line.strip()]
                tell(line.rstrip())
    return "\n".join(lines) if process.returncode else ""


def results_of_spark(
    context: dg.AssetExecutionContext, manifest: Mapping[str, Any], started_at: float
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """What the build since `started_at` (a Unix time) made and checked, as its report has it."""
    report = target_folder() / "run_results.json"
    if not report.exists() or report.stat().st_mtime < started_at:
        return
    nodes = manifest["nodes"]
    facts = read_facts(warehouse_file(), nodes) if warehouse_file().exists() else {}
    checks = {key.name: key for key in context.selected_asset_check_keys}
    for step in json.loads(report.read_text(encoding="utf-8"))["results"]:
        node = nodes.get(step["unique_id"])
        is_good = step["status"] in GOOD
        if node is None:
            continue
        if node["resource_type"] in ("model", "seed") and is_good:
            found = facts.get(step["unique_id"])
            yield dg.MaterializeResult(
                asset_key=TRANSLATOR.get_asset_key(node),
                metadata={
                    "Execution Duration": step["execution_time"],
                    **(found.metadata(node["columns"]) if found else {}),
                },
            )
        elif node["resource_type"] == "test" and node["name"] in checks:
            key = checks[node["name"]]
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=is_good,
                severity=dg.AssetCheckSeverity["WARN" if step["status"] == "warn" else "ERROR"],
                metadata={"dagster_dbt/failed_row_count": step["failures"] or 0},
            )

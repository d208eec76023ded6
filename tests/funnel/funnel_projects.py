"""A copy of the project, for tests that build other funnels than those that are shipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from funnel.funnel_ledger import Funnel
from shops import PROJECT, write_csv
from warehouses import NO_TESTS, BuildFailed

# What dbt and its plugin read. The demo shop's rows are not among it: tests bring their own.
PARTS = (
    "dbt_project.yml",
    "profiles.yml",
    "macros",
    "models",
    "orchestration",
    "seeds",
    "tests/generic",
    "tests/singular",
)

Row = Mapping[str, Any]


def definitions_of(funnels: Iterable[Funnel]) -> dict[str, list[dict[str, Any]]]:
    """The funnels as rows of ref_funnels and ref_funnel_steps."""
    asked = list(funnels)
    return {
        "ref_funnels": [
            {
                "funnel": funnel.name,
                "funnel_name": funnel.name.title(),
                "funnel_name_fr": funnel.name.title(),
                "unit": funnel.unit,
                "mode": funnel.mode,
                "window_hours": funnel.window_hours,
            }
            for funnel in asked
        ],
        "ref_funnel_steps": [
            {
                "funnel": funnel.name,
                "step_number": number,
                "step_name": f"Step {number}",
                "step_name_fr": f"Étape {number}",
                "event_names": " ".join(step.event_names),
                "page_type": step.page_type,
            }
            for funnel in asked
            for number, step in enumerate(funnel.steps, 1)
        ],
    }


class FunnelProject:
    """The project in another folder; its reference seeds are the test's to change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = folder / "cartwright.duckdb"
        for part in PARTS:
            source, target = PROJECT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                left_out = shutil.ignore_patterns("__pycache__", "simulator")
                shutil.copytree(source, target, ignore=left_out)
            else:
                shutil.copy(source, target)

    def define(self, definitions: Mapping[str, Sequence[Row]]) -> None:
        """Write ref_funnels and ref_funnel_steps."""
        for name, rows in definitions.items():
            write_csv(self.folder / "seeds" / "reference" / f"{name}.csv", rows)

    def run(self, *arguments: str, raw_path: Path) -> str:
        """Run dbt as a user would, and give what it says; raises BuildFailed with the same."""
        environment = os.environ | {
            "CARTWRIGHT_WAREHOUSE": str(self.warehouse),
            "CARTWRIGHT_RAW_PATH": str(raw_path),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            # Before the project that the environment knows: its plugin reads its own seeds.
            "PYTHONPATH": str(self.folder),
        }
        told = subprocess.run(
            [Path(sys.executable).with_name("dbt"), "--no-use-colors", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise BuildFailed(told.stdout + told.stderr)
        return told.stdout

    def build(self, select: str, *, raw_path: Path, **variables: object) -> str:
        """Build some models without dbt's own tests."""
        asked = ("--select", select, "--vars", json.dumps(variables))
        return self.run("build", *NO_TESTS, *asked, raw_path=raw_path)

"""What tests of orchestration share: a small shop that the daily job has built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg


@dataclass(frozen=True)
class Built:
    """A warehouse that passed, dbt's artifacts of that build, and what was published of it."""

    warehouse: Path
    target: Path
    published: Path
    raw: Path
    run: dg.ExecuteInProcessResult

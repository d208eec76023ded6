"""The code location: all that defs/ defines, run in one process, as one writer needs no more."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by `dg` and `dagster` (pyproject.toml, [tool.dg.project])."""
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))

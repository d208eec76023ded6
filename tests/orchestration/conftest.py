"""A small shop, built by the job that refreshes it every day."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from built_shop import Built
from shops import small_shop, write_tables


@pytest.fixture(scope="session")
def definitions() -> Any:
    """The code location, loaded as `dg` does."""
    from orchestration.definitions import defs

    return defs()


@pytest.fixture(scope="session")
def refreshed(definitions: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The job daily_refresh on the small shop, with all tests, its places set."""
    folder = tmp_path_factory.mktemp("built")
    raw = write_tables(folder / "raw", small_shop())
    for path in raw.iterdir():
        os.utime(path, (0, 0))  # whole since long ago
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARTWRIGHT_RAW_PATH", str(raw))
        patch.setenv("CARTWRIGHT_WAREHOUSE", str(folder / "cartwright.duckdb"))
        patch.setenv("CARTWRIGHT_PUBLISH_DIR", str(folder / "published"))
        patch.setenv("DBT_TARGET_PATH", str(folder / "target"))
        job = definitions.resolve_job_def("daily_refresh")
        with dg.DagsterInstance.ephemeral() as instance:
            run = job.execute_in_process(instance=instance, raise_on_error=False)
            errors = [
                event.step_failure_data.user_failure_data or event.step_failure_data.error
                for event in run.get_step_failure_events()
            ]
            assert run.success, errors
            yield Built(
                folder / "cartwright.duckdb", folder / "target", folder / "published", raw, run
            )

"""One fresh demo and one small Parquet shop for all tests of the simulator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# `seeds` is a folder of the repository, not an installed package, and neither is this one.
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from simulated import Made, database  # noqa: E402

from seeds.simulator.__main__ import demo, parquet  # noqa: E402


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The demo, seed 42. Views hold the text as it is; ragged lines are left out."""
    folder = tmp_path_factory.mktemp("demo")
    out, truth = folder / "raw", folder / "truth"
    demo(42, out, truth)
    views = {
        path.stem: f"read_csv('{path}', all_varchar = true, ignore_errors = true, header = true)"
        for path in sorted(out.glob("*.csv"))
    }
    return Made(out, truth, database(views, truth))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A Parquet shop of 60,000 events in 40 days."""
    folder = tmp_path_factory.mktemp("parquet")
    out, truth = folder / "raw", folder / "truth"
    parquet(42, 60_000, 40, out, truth)
    views = {path.stem: f"'{path}'" for path in sorted(out.glob("*.parquet"))}
    views["events"] = f"read_parquet('{out}/events/*/*.parquet', hive_partitioning = true)"
    return Made(out, truth, database(views, truth))

"""Where things are, by the environment or by default; read anew at each call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent


def _place(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable) or default).expanduser()
    return path if path.is_absolute() else PROJECT / path


def is_on_spark() -> bool:
    """Whether the warehouse is built on Spark, by one of the targets of profiles.yml."""
    return os.environ.get("CARTWRIGHT_TARGET", "").startswith("spark")


def warehouse_file() -> Path:
    """The file that marts are published from: DuckDB's work file, as profiles.yml has it."""
    if is_on_spark():
        return spark_warehouse_file()
    return _place("CARTWRIGHT_WAREHOUSE", "warehouse/cartwright.duckdb")


def spark_raw_folder() -> Path:
    """Where raw data is Parquet for Spark, as macros/engine/statements.sql has it."""
    return _place("CARTWRIGHT_SPARK_RAW", "warehouse/spark/raw")


def spark_warehouse_file() -> Path:
    """The DuckDB file of views that a build on Spark hands its marts over in."""
    return spark_raw_folder().with_name("cartwright.duckdb")


def published_folder() -> Path:
    """Where BI tools read."""
    return _place("CARTWRIGHT_PUBLISH_DIR", "published")


def target_folder() -> Path:
    """The target folder of dbt, where the artifacts of the last command are."""
    return _place("DBT_TARGET_PATH", "target")


def raw_path() -> Path | None:
    """The shop's own folder of raw tables; None for the demo shop."""
    path = os.environ.get("CARTWRIGHT_RAW_PATH", "")
    return Path(path).expanduser().resolve() if path else None


def memory_limit() -> str:
    """The memory that DuckDB may take, as profiles.yml has it."""
    return os.environ.get("CARTWRIGHT_MEMORY_LIMIT") or "4GB"


def stale_days() -> int:
    """How many days ago the last day known may be."""
    return int(os.environ.get("CARTWRIGHT_STALE_DAYS") or 3)


def stale_hours() -> int:
    """How many hours ago the last publication may be."""
    return int(os.environ.get("CARTWRIGHT_STALE_HOURS") or 30)


def alert_file() -> Path:
    """The JSON lines of all alerts."""
    return _place("CARTWRIGHT_ALERT_FILE", str(published_folder() / "alerts.jsonl"))


def first_day() -> str:
    """The first day that marts of past days can be asked for."""
    return os.environ.get("CARTWRIGHT_FIRST_DAY") or "2020-01-01"


def refresh_cron() -> str:
    """When the daily refresh starts, by the clock of the reporting time zone."""
    return os.environ.get("CARTWRIGHT_REFRESH_CRON") or "0 5 * * *"


def reporting_timezone() -> str:
    """The zone whose midnight ends a day, and by whose clock the daily refresh starts."""
    return str(dbt_variable("reporting_timezone"))


def dbt_variable(name: str) -> Any:  # noqa: ANN401 - variables are of any type
    """The default of a variable of dbt_project.yml."""
    return yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"][name]

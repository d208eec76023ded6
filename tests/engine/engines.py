"""Runs one SQL text with macros on DuckDB and on Spark, so that their rows can be compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from warehouses import PROJECT

Row = tuple[Any, ...]
# Of a small shop nearly all of Spark's time is planning and compiling: what of it can be left out.
QUICK = {"spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false"}
# Files with tags that only dbt's own Jinja knows.
NOT_PLAIN_JINJA = ("{% materialization", "{% test")


class Macros:
    """The project's macros, rendered for one engine without dbt."""

    def __init__(self, engine: str, variables: Mapping[str, Any]) -> None:
        environment = jinja2.Environment(
            extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined, autoescape=False
        )
        environment.globals.update(
            {
                "return": lambda value: value,
                "var": lambda name, default="": variables.get(name, default),
                "adapter": {"dispatch": self._implementation},
                "execute": True,
                "config": {"meta": {"slices": "utc_date"}},
            }
        )
        texts = (path.read_text() for path in sorted((PROJECT / "macros").rglob("*.sql")))
        source = "\n".join(
            text for text in texts if not any(tag in text for tag in NOT_PLAIN_JINJA)
        )
        self._engine = engine
        self._environment = environment
        self._source = source

    def _implementation(self, name: str) -> Callable[..., str]:
        implementation: Callable[..., str] = getattr(self._module, f"{self._engine}__{name}")
        return implementation

    @cached_property
    def _module(self) -> Any:
        return self._environment.from_string(self._source).module

    def render(self, sql: str) -> str:
        """The SQL of a text with macros."""
        return self._environment.from_string(sql).render(vars(self._module)).strip()


class DuckDB:
    """DuckDB as profiles.yml sets it."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.macros = Macros("duckdb", variables)
        self._connection = duckdb.connect()
        self._connection.execute("set TimeZone = 'UTC'")

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query with macros, as plain values."""
        return [plain(row) for row in self._connection.execute(self.macros.render(sql)).fetchall()]


class Spark:
    """A Spark session as profiles.yml sets it."""

    def __init__(self, variables: Mapping[str, Any], session: Any) -> None:
        self.macros = Macros("spark", variables)
        self._session = session

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query with macros, as plain values."""
        return [plain(tuple(row)) for row in self._session.sql(self.macros.render(sql)).collect()]


def places_in(folder: Path) -> dict[str, str]:
    """The environment of a build on Spark that keeps all of its own in a folder."""
    return {
        "CARTWRIGHT_TARGET": "spark",
        "CARTWRIGHT_SPARK_RAW": str(folder / "raw"),
        "CARTWRIGHT_SPARK_WAREHOUSE": str(folder / "tables"),
        "CARTWRIGHT_SPARK_CATALOG": str(folder / "catalog"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def quick_build_in(folder: Path) -> dict[str, str]:
    """The environment of a build on Spark in a folder that is quick where there is little data."""
    conf = folder / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    (conf / "spark-defaults.conf").write_text(
        "".join(f"{name} {value}\n" for name, value in QUICK.items()), encoding="utf-8"
    )
    return {
        **places_in(folder),
        "SPARK_CONF_DIR": str(conf),
        "CARTWRIGHT_SPARK_PARTITIONS": "1",
    }


def plain(value: Any) -> Any:
    """A value without what one engine's driver adds: a float is told by 12 digits."""
    if hasattr(value, "asDict"):
        value = value.asDict()
    if isinstance(value, Mapping):
        value = {name: plain(item) for name, item in value.items()}
    elif isinstance(value, tuple):
        value = tuple(plain(item) for item in value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = [plain(item) for item in value]
    elif isinstance(value, float):
        value = f"{value:.11e}"
    elif isinstance(value, Decimal):
        value = value.normalize() + 0
    elif isinstance(value, dt.datetime):
        value = value.replace(tzinfo=None).isoformat()
    return value


def start_session(folder: Path) -> Any:
    """A Spark session on one core, in UTC; raises what pyspark does where it or Java is missing."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("engines")
    settings = {
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        **QUICK,
        "spark.sql.ansi.enabled": "false",  # as dbt-spark has it
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(folder),
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session

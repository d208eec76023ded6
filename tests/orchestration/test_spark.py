"""What a build on Spark leaves for publishing and Dagster, of marts that DuckDB wrote in its place.

Spark itself is tried in tests/engine.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest
from shops import small_shop, write_tables

from orchestration.spark import main, waiting_for_python, write_handover
from orchestration.spark_assets import results_of_spark

# Times, decimals, text, booleans, whole numbers, dates; and a mart without rows.
MARTS = ("fct_sessions", "fct_orders", "agg_funnel_daily")


def exported(demo: duckdb.DuckDBPyConnection, folder: Path) -> list[Any]:
    """Marts as Parquet as Spark writes it, where times are of a zone; their nodes."""
    nodes = []
    for name in (*MARTS, "stg_shop__as_of"):
        schema = "marts" if name in MARTS else "staging"
        types = {
            column: str(data_type).lower()
            for column, data_type, *_ in demo.execute(f"describe {schema}.{name}").fetchall()
        }
        columns = ", ".join(
            f"timezone('UTC', {column}) as {column}" if data_type == "timestamp" else column
            for column, data_type in types.items()
        )
        (folder / name).mkdir(parents=True)
        demo.execute(
            f"copy (select {columns} from {schema}.{name}) to '{folder}/{name}/part.parquet'"
        )
        if name in MARTS:
            properties = {key: SimpleNamespace(data_type=value) for key, value in types.items()}
            nodes.append(SimpleNamespace(name=name, alias=name, columns=properties))
    return nodes


def test_marts_handed_over_are_those_that_were_built(
    demo: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """The same rows, columns and types, whatever the zone of who reads."""
    file = tmp_path / "cartwright.duckdb"
    write_handover(file, tmp_path / "marts", exported(demo, tmp_path / "marts"), "some-id")
    with duckdb.connect(str(file), read_only=True) as handed_over:
        handed_over.execute("set TimeZone = 'America/New_York'")
        assert handed_over.execute("from raw.last_run").fetchall() == [("some-id",)]
        assert handed_over.execute("select as_of_date from staging.stg_shop__as_of").fetchone() == (
            demo.execute("select as_of_date from staging.stg_shop__as_of").fetchone()
        )
        for mart in MARTS:
            described = f"describe marts.{mart}"
            query = f"select * from marts.{mart} order by all"
            assert handed_over.execute(described).fetchall() == demo.execute(described).fetchall()
            assert handed_over.execute(query).fetchall() == demo.execute(query).fetchall()


def test_a_failed_build_hands_no_marts_over(tmp_path: Path) -> None:
    """But says that it was the last one: what is published must not be taken for it."""
    file = tmp_path / "cartwright.duckdb"
    write_handover(file, tmp_path, [], "failed-id")
    with duckdb.connect(str(file), read_only=True) as handed_over:
        assert handed_over.execute("from raw.last_run").fetchall() == [("failed-id",)]
        assert handed_over.execute("from duckdb_views() where not internal").fetchall() == []


def node(kind: str, *parents: str, language: str = "sql") -> Any:
    """A node of dbt."""
    return SimpleNamespace(
        resource_type=kind, language=language, depends_on=SimpleNamespace(nodes=list(parents))
    )


def test_models_wait_for_those_in_python() -> None:
    """All that comes from a model in Python that was not run, however far down."""
    nodes = {
        "seed": node("seed"),
        "before": node("model", "seed"),
        "fitted": node("model", "before", language="python"),
        "after": node("model", "fitted", "before"),
        "last": node("model", "after"),
        "beside": node("model", "before"),
    }
    assert waiting_for_python(nodes, set()) == {"fitted", "after", "last"}
    assert waiting_for_python(nodes, {"fitted"}) == set()


def test_dagster_is_told_what_was_built_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the report since the build began; an older one says nothing."""
    target = tmp_path / "target"
    target.mkdir()
    monkeypatch.setenv("DBT_TARGET_PATH", str(target))
    monkeypatch.setenv("CARTWRIGHT_TARGET", "spark")
    monkeypatch.setenv("CARTWRIGHT_SPARK_RAW", str(tmp_path / "raw"))
    steps = [
        {"unique_id": "model.cartwright.good", "status": "success"},
        {"unique_id": "model.cartwright.bad", "status": "error"},
        {"unique_id": "test.cartwright.holds", "status": "pass"},
        {"unique_id": "test.cartwright.breaks", "status": "fail"},
    ]
    report = {"results": [{"execution_time": 1.5, "failures": 3, **step} for step in steps]}
    (target / "run_results.json").write_text(json.dumps(report))
    manifest = {
        "nodes": {
            step["unique_id"]: {
                "name": step["unique_id"].split(".")[2],
                "resource_type": step["unique_id"].split(".")[0],
                "schema": "marts",
                "columns": {},
            }
            for step in steps
        }
    }
    checks = [dg.AssetCheckKey(dg.AssetKey(["good"]), name) for name in ("holds", "breaks")]
    context: Any = SimpleNamespace(selected_asset_check_keys=set(checks))
    told: list[Any] = list(results_of_spark(context, manifest, started_at=0))
    made, checked = told[0], told[1:]
    assert made.asset_key == dg.AssetKey(["good"])
    assert made.metadata == {"Execution Duration": 1.5}
    assert [(check.check_name, check.passed) for check in checked] == [
        ("holds", True),
        ("breaks", False),
    ]
    later = (target / "run_results.json").stat().st_mtime + 1
    assert list(results_of_spark(context, manifest, later)) == []


def test_a_missing_java_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Or a missing dbt-spark, where that is not there either."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("JAVA_HOME", "SPARK_REMOTE", "CARTWRIGHT_SPARK_METHOD"):
        monkeypatch.delenv(name, raising=False)
    assert main(["build"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert "Java 17 is needed" in told or "dbt-spark is not installed" in told


def test_the_raw_folder_may_be_a_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As on DuckDB, where it goes before CARTWRIGHT_RAW_PATH; what is no YAML is one sentence."""
    shop, other = tmp_path / "shop", tmp_path / "other"
    for folder, customer in ((shop, "mine"), (other, "others")):
        write_tables(folder, small_shop() | {"customers": [{"customer_id": customer}]})
    places = {"SPARK_RAW": tmp_path / "raw", "SPARK_WAREHOUSE": tmp_path, "RAW_PATH": other}
    for name, place in places.items():
        monkeypatch.setenv(f"CARTWRIGHT_{name}", str(place))
    assert main(["prepare", "--vars", f"raw_path: {shop}"]) == 0
    found = duckdb.sql(f"select customer_id from '{tmp_path}/raw/customers.parquet'").fetchall()
    assert found == [("mine",)]
    assert main(["prepare", "--vars", "raw_path"]) == 1
    assert capsys.readouterr().err.startswith("--vars takes a YAML dictionary")

"""Superset gets the marts as dbt describes them, and shows them, also while builds are published.

The last tests run Superset itself where `make superset` has set it up; its environment is 900 MB.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import duckdb
import pytest
import yaml
from dashboard.browser import Browser, answers, wait
from shops import PROJECT, dicts
from warehouses import Dbt

from dashboards.superset import assets

BIN = PROJECT / ".superset" / "venv" / "bin"
PASSWORD = "of a test"
START = 240  # seconds for Superset to make its database, and to start, on a busy machine


@pytest.fixture(scope="module")
def contents(dbt: Dbt, demo_folder: Path) -> dict[str, Any]:
    """What is imported into Superset, by its file."""
    dbt.parse()
    files = assets.assets(dbt.target, demo_folder)
    return {file: yaml.safe_load(text) for file, text in files.items()}


def of_kind(contents: dict[str, Any], kind: str) -> list[Any]:
    """The assets of a kind."""
    return [content for file, content in contents.items() if file.startswith(f"{kind}/")]


def test_every_mart_is_a_dataset_with_its_columns_and_their_descriptions(
    contents: dict[str, Any], demo_folder: Path
) -> None:
    """What the docs say of a column is what Superset shows of it."""
    datasets = {each["table_name"]: each for each in of_kind(contents, "datasets")}
    with duckdb.connect(str(demo_folder / "marts.duckdb"), read_only=True) as marts:
        rows = marts.execute(
            "select table_name, column_name, comment from duckdb_columns() where not internal"
        )
        published: dict[str, dict[str, str]] = {}
        for table, column, comment in rows.fetchall():
            published.setdefault(table, {})[column] = " ".join((comment or "").split())
    assert len(published) > 50
    for name, columns in published.items():
        found = {
            each["column_name"]: each["description"]
            for each in datasets[name]["columns"]
            if "expression" not in each
        }
        assert found == columns, name
        assert all(found.values()), name


def test_a_metric_of_superset_is_its_kpi(
    contents: dict[str, Any], demo: duckdb.DuckDBPyConnection
) -> None:
    """The SQL made of dbt's metrics gives what the KPI's own models give, period by period."""
    kpis = {row["kpi"]: row["shortest_period"] for row in dicts(demo, "from raw.ref_kpis")}
    compared = set()
    for dataset in of_kind(contents, "datasets"):
        if dataset["sql"]:
            continue
        for metric in dataset["metrics"]:
            name, period = metric["metric_name"], kpis.get(metric["metric_name"])
            if period is None:
                continue
            rows = demo.execute(
                f"select date_trunc('{period}', {dataset['main_dttm_col']}),"
                f" {metric['expression']} from marts.{dataset['table_name']} group by 1"
            ).fetchall()
            found = {start.date() if isinstance(start, datetime) else start: v for start, v in rows}
            expected = demo.execute(
                "select period_start_date, kpi_value from intermediate.int_kpis_measured"
                " where kpi = ? and period = ? and dimension = 'total'",
                [name, period],
            ).fetchall()
            assert expected, name
            for start, figure in expected:
                assert isinstance(start, date)
                value = float(found.get(start) or 0)
                assert value == pytest.approx(float(figure or 0), rel=1e-7), (name, start)
            compared.add(name)
    assert len(compared) >= 45, sorted(kpis.keys() - compared)


def test_every_chart_has_rows_and_every_filter_its_column(
    contents: dict[str, Any], demo: duckdb.DuckDBPyConnection
) -> None:
    """What a chart asks for is in its dataset, and something is drawn of the demo shop."""
    datasets = {each["uuid"]: each for each in of_kind(contents, "datasets")}
    demo.execute("use marts")
    try:
        for chart in of_kind(contents, "charts"):
            source, params = datasets[chart["dataset_uuid"]], chart["params"]
            known = {each["metric_name"]: each["expression"] for each in source["metrics"]}
            asked = [params["metric"]] if "metric" in params else params["metrics"]
            values = [known[m] if isinstance(m, str) else m["sqlExpression"] for m in asked]
            groups = params.get("groupby", [])
            groups = [params.get("x_axis"), *(groups if isinstance(groups, list) else [groups])]
            keys = [
                group if isinstance(group, str) else group["sqlExpression"]
                for group in groups
                if group
            ]
            own = {each["column_name"]: each.get("expression") for each in source["columns"]}
            keys = [own.get(key) or key for key in keys]
            filters = [f["sqlExpression"] for f in params["adhoc_filters"] if "sqlExpression" in f]
            rows = demo.execute(
                f"select {', '.join([*keys, *values])}"
                f" from ({source['sql'] or 'from ' + source['table_name']})"
                f" where {' and '.join(filters) or 'true'} {'group by ' if keys else ''}"
                + ", ".join(str(number) for number in range(1, len(keys) + 1))
            ).fetchall()
            assert rows, chart["slice_name"]
            assert any(value is not None for row in rows for value in row[len(keys) :])
    finally:
        demo.execute("use main")
    for page in of_kind(contents, "dashboards"):
        for filter_ in page["metadata"]["native_filter_configuration"]:
            for target in filter_["targets"]:
                if target:
                    columns = datasets[target["datasetUuid"]]["columns"]
                    assert target["column"]["name"] in {each["column_name"] for each in columns}


def test_an_exposure_is_what_its_dashboard_reads(dbt: Dbt) -> None:
    """Whoever changes a mart sees in the lineage which dashboards show it."""
    exposures = {exposure.name: exposure for exposure in dbt.parse().exposures.values()}
    for name in assets.DASHBOARDS:
        page = yaml.safe_load((assets.HERE / f"{name}.yaml").read_text(encoding="utf-8"))
        joined = page.get("datasets", {})
        read = {
            mart
            for entry in assets.entries(page)
            for mart in (
                (joined[entry["dataset"]]["mart"], joined[entry["dataset"]]["with"])
                if entry["dataset"] in joined
                else (entry["dataset"],)
            )
        }
        nodes = exposures[f"superset_{name}"].depends_on.nodes
        assert {node.split(".")[-1] for node in nodes} == read


def test_a_dashboard_that_asks_for_what_is_not_there_is_told_so(contents: dict[str, Any]) -> None:
    """Whoever changes a file reads which name is wrong."""
    source = next(d for d in of_kind(contents, "datasets") if d["table_name"] == "fct_orders")
    with pytest.raises(ValueError, match=r"fct_orders has no metric net_revenu$"):
        assets.expression("net_revenu", source)
    entry = {"name": "x", "dataset": "fct_order", "type": "table"}
    with pytest.raises(ValueError, match=r"shop.yaml: no mart fct_order is published"):
        assets.chart({"slug": "shop"}, entry, {"fct_orders": source})
    entry |= {"dataset": "fct_orders", "type": "tabel"}
    with pytest.raises(ValueError, match=r"shop.yaml: tabel is none of big_number, .*table"):
        assets.chart({"slug": "shop"}, entry, {"fct_orders": source})


class Superset:
    """A running Superset, and what its API answers to the user admin."""

    def __init__(self, address: str, published: Path) -> None:
        self.address, self.published = address, published
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))
        page = self.opener.open(f"{address}/login/", timeout=60).read().decode()
        token = re.search(r'csrf_token[^>]*?value="([^"]+)"|csrf_token&#34;: &#34;([^&]+)', page)
        found = next(filter(None, token.groups()), "") if token else ""
        form = {"username": "admin", "password": PASSWORD, "csrf_token": found}
        self.opener.open(f"{address}/login/", urlencode(form).encode(), timeout=60)
        self.token = self.api("security/csrf_token/")["result"]

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of a call."""
        headers = {"Content-Type": "application/json", "Referer": self.address}
        if body is not None:
            headers["X-CSRFToken"] = self.token
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/api/v1/{path}", data, headers)
        with self.opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def sql_lab(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query in SQL Lab."""
        identifier = self.api("database/")["result"][0]["id"]
        body = {"database_id": identifier, "sql": sql, "runAsync": False, "schema": "main"}
        rows: list[dict[str, Any]] = self.api("sqllab/execute/", body)["data"]
        return rows


def provision(environment: dict[str, str]) -> str:
    """What provisioning prints; it must succeed."""
    done = subprocess.run(
        [str(BIN / "python"), "-m", "dashboards.superset.provision"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@contextmanager
def served(environment: dict[str, str]) -> Iterator[str]:
    """Superset, as `make superset` starts it; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(BIN / "gunicorn"), "--bind", address, "--workers", "1"]
    command += ["--worker-class", "gthread", "--threads", "8", "superset.app:create_app()"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, **quiet) as server:  # type: ignore[call-overload]
        try:
            until = time.monotonic() + START
            while not answers(f"http://{address}/health"):
                assert time.monotonic() < until, "Superset does not answer"
                time.sleep(0.5)
            yield f"http://{address}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def superset(
    dbt: Dbt, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Superset]:
    """Superset over a copy of what is published of the demo shop, provisioned twice."""
    if not (BIN / "gunicorn").exists():
        pytest.skip("Superset is not set up: make .superset/.ready")
    dbt.parse()
    folder = tmp_path_factory.mktemp("superset")
    published = folder / "published"
    publish_copy(demo_folder, published, "one")
    environment = {
        **os.environ,
        "SUPERSET_HOME": str(folder / "home"),
        "SUPERSET_CONFIG_PATH": str(PROJECT / "dashboards/superset/superset_config.py"),
        "DBT_TARGET_PATH": str(dbt.target),
        "CARTWRIGHT_PUBLISH_DIR": str(published),
    }
    (folder / "home").mkdir()
    first = provision(environment)
    assert re.search(r"User admin, password \S{16}", first)
    again = provision(environment | {"CARTWRIGHT_SUPERSET_PASSWORD": PASSWORD})
    assert "password" not in again
    with served(environment) as address:
        yield Superset(address, published)


def publish_copy(source: Path, published: Path, build: str) -> None:
    """A build as publishing leaves it: its own file, the renamed one, and the manifest."""
    kept = published / "builds" / build
    kept.mkdir(parents=True)
    shutil.copy(source / "marts.duckdb", kept)
    if build != "one":
        with duckdb.connect(str(kept / "marts.duckdb")) as marts:
            marts.execute("delete from fct_orders where order_date < date '2026-01-01'")
    manifest = json.loads((source / "manifest.json").read_text()) | {"build_id": build}
    (published / "new").write_bytes((kept / "marts.duckdb").read_bytes())
    os.replace(published / "new", published / "marts.duckdb")
    (published / "new").write_text(json.dumps(manifest))
    os.replace(published / "new", published / "manifest.json")


def test_superset_has_each_asset_once(superset: Superset, contents: dict[str, Any]) -> None:
    """Provisioning again adds nothing."""
    for kind, path in (
        ("dashboards", "dashboard/"),
        ("charts", "chart/"),
        ("datasets", "dataset/"),
    ):
        assert superset.api(path)["count"] == len(of_kind(contents, kind))
    assert superset.api("database/")["count"] == 1


def is_drawn(browser: Browser, charts: int) -> bool:
    """Whether so many charts have been drawn, and none is waited for."""
    drawn = ".slice_container canvas, .slice_container table, .slice_container .header-line"
    waiting = browser.find("[data-test=loading-indicator]")
    return len(browser.find(drawn)) >= charts and not waiting


def test_superset_opens_its_dashboards_with_data(
    superset: Superset, contents: dict[str, Any], tmp_path: Path
) -> None:
    """Each chart of each dashboard is drawn, without an error."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("no chromium and chromedriver on the PATH: apt-get install chromium-driver")
    browser = Browser(tmp_path)
    try:
        browser.driver.set_window_size(1400, 3000)  # charts out of sight are not asked for
        browser.driver.get(f"{superset.address}/login/")
        wait(lambda: browser.find("#username"), "for the login")
        browser.find("#username")[0].send_keys("admin")
        browser.find("#password")[0].send_keys(PASSWORD)
        browser.find("button[type=submit]")[0].click()
        wait(lambda: "/login" not in browser.driver.current_url, "for the welcome")
        browser.hosts()
        for page in of_kind(contents, "dashboards"):
            charts = [key for key in page["position"] if key.startswith("CHART-")]
            browser.driver.get(f"{superset.address}/superset/dashboard/{page['slug']}/")
            wait(partial(is_drawn, browser, len(charts)), f"for the charts of {page['slug']}")
            assert not browser.find(".ant-alert-error, [data-test=error-message]"), page["slug"]
    finally:
        browser.driver.quit()


def test_superset_shows_a_new_build_at_once_and_writes_nothing(
    superset: Superset, demo_folder: Path
) -> None:
    """SQL Lab answers from the newest build, and can neither change it nor read other files."""
    count = "select count(*) as orders from fct_orders"
    before = superset.sql_lab(count)[0]["orders"]
    publish_copy(demo_folder, superset.published, "two")
    after = superset.sql_lab(count)[0]["orders"]
    assert 0 < after < before
    for refused in (
        "create table main.mine as select 1 as one",
        "delete from fct_orders",
        f"select * from read_csv('{PROJECT / 'pyproject.toml'}')",
    ):
        with pytest.raises(HTTPError):
            superset.sql_lab(refused)
    assert superset.sql_lab(count)[0]["orders"] == after

"""Superset's database, datasets, charts and dashboards, from dbt's manifests and the files here.

A mart becomes a dataset: its columns with the dbt docs' descriptions, the metrics of its semantic
models as SQL. A dashboard is a file of this folder (shop.yaml, ...): rows of charts, whose keys are
Superset's own parameters beside `name`, `dataset`, `type` and `width` (of twelve columns). Asset
ids are made from names, so that importing again changes what is there instead of adding to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import duckdb
import yaml

HERE = Path(__file__).resolve().parent
DASHBOARDS = ("shop", "acquisition", "customers")
VERSION = "1.0.0"
NAMESPACE = uuid5(NAMESPACE_DNS, "cartwright")

# d3's formats of the units that ref_kpis has.
FORMATS = {"share": ".1%", "count": ",d", "amount": ",.2f", "ratio": ",.2f"}
# SQL of a metric's aggregation over its expression.
AGGREGATIONS = {
    "sum": "sum({})",
    "sum_boolean": "count(*) filter (where {})",
    "count_distinct": "count(distinct {})",
}
TYPES = {"bigint": "BIGINT", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP"}


def asset_id(kind: str, name: str) -> str:
    """The id of an asset, the same whenever and wherever it is made."""
    return str(uuid5(NAMESPACE, f"{kind}/{name}"))


def assets(target: Path, published: Path) -> dict[str, str]:
    """Every asset as YAML, by its path in Superset's import format.

    `target` holds dbt's manifest.json and semantic_manifest.json, `published` the marts. Raises
    FileNotFoundError where one of them is not there, ValueError where a dashboard asks for what no
    mart has.
    """
    marts = _marts(json.loads((target / "manifest.json").read_text(encoding="utf-8")))
    models = json.loads((target / "semantic_manifest.json").read_text(encoding="utf-8"))
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    names = [mart["name"] for mart in manifest["marts"]]
    marts |= _written_by_publishing(published, [name for name in names if name not in marts])
    datasets = {name: dataset(name, marts[name], models) for name in names}
    pages = [_file(name) for name in DASHBOARDS]
    for page in pages:
        for name, joined in page.get("datasets", {}).items():
            datasets[name] = joined_dataset(name, joined, datasets, marts)
    files: dict[str, Any] = {
        "metadata.yaml": {"version": VERSION, "type": "assets"},
        "databases/cartwright.yaml": database(published),
    }
    for name, content in datasets.items():
        files[f"datasets/cartwright/{name}.yaml"] = content
    for page in pages:
        files[f"dashboards/{page['slug']}.yaml"] = dashboard(page)
        for entry in entries(page):
            content = chart(page, entry, datasets)
            files[f"charts/{content['uuid']}.yaml"] = content
    return {file: yaml.safe_dump(content, allow_unicode=True) for file, content in files.items()}


def database(published: Path) -> dict[str, Any]:
    """The connection: read-only, without DuckDB's own access to files, which SQL Lab would open."""
    connect = {
        "read_only": True,
        "config": {"enable_external_access": "false", "lock_configuration": "true"},
    }
    return {
        "database_name": "Cartwright",
        "sqlalchemy_uri": f"duckdb:///{(published / 'marts.duckdb').resolve()}",
        "expose_in_sqllab": True,
        **dict.fromkeys(("allow_ctas", "allow_cvas", "allow_dml", "allow_csv_upload"), False),
        "extra": {
            "engine_params": {"connect_args": connect},
            "allows_virtual_table_explore": True,
        },
        "uuid": asset_id("database", "cartwright"),
        "version": VERSION,
    }


def dataset(name: str, mart: Mapping[str, Any], models: Mapping[str, Any]) -> dict[str, Any]:
    """A mart: columns and descriptions of the dbt manifest, metrics of its semantic models."""
    ours = [each for each in models["semantic_models"] if each["node_relation"]["alias"] == name]
    columns = [column(each["name"], each["data_type"], each) for each in mart["columns"].values()]
    known = {each["column_name"] for each in columns}
    for model in ours:
        # What MetricFlow calls by another name than the mart does is a column of that name here.
        for part in (*model["entities"], *model["dimensions"]):
            if part["name"] not in known and part["expr"] and not part["name"].endswith("_id"):
                named = column(part["name"], "string", part)
                columns.append(named | {"expression": part["expr"]})
    dates = [each["column_name"] for each in columns if each["type"] == "DATE"]
    main = next((model["defaults"]["agg_time_dimension"] for model in ours), None)
    return {
        "table_name": name,
        "schema": "main",
        "catalog": None,
        "sql": None,
        "description": " ".join(mart["description"].split()),
        "main_dttm_col": main or next(iter(dates), None),
        "filter_select_enabled": True,
        "columns": columns,
        "metrics": [
            {
                "metric_name": "rows",
                "verbose_name": "Rows",
                "expression": "count(*)",
                "d3format": ",d",
            },
            *metrics([model["name"] for model in ours], models["metrics"]),
        ],
        "uuid": asset_id("dataset", name),
        "database_uuid": asset_id("database", "cartwright"),
        "version": VERSION,
    }


def joined_dataset(
    name: str,
    joined: Mapping[str, str],
    datasets: Mapping[str, dict[str, Any]],
    marts: Mapping[str, Any],
) -> dict[str, Any]:
    """A mart with columns of another one: the first one's dataset, by SQL."""
    base = datasets[joined["mart"]]
    adds = marts[joined["with"]]["columns"]
    added = [column(each, adds[each]["data_type"], adds[each]) for each in joined["columns"]]
    names = ", ".join(f"added.{each}" for each in joined["columns"])
    sql = (
        f"select base.*, {names} from {joined['mart']} as base"
        f" left join {joined['with']} as added using ({joined['using']})"
    )
    return base | {
        "table_name": name,
        "sql": sql,
        "columns": [*base["columns"], *added],
        "uuid": asset_id("dataset", name),
    }


def column(name: str, data_type: str, documented: Mapping[str, Any]) -> dict[str, Any]:
    """A column of a dataset."""
    kind = data_type.partition("(")[0].lower()
    return {
        "column_name": name,
        "verbose_name": name.replace("_", " ").capitalize(),
        "type": TYPES.get(kind, "VARCHAR" if kind == "string" else data_type.upper()),
        "is_dttm": kind in ("date", "timestamp"),
        "groupby": True,
        "filterable": True,
        "is_active": True,
        "description": " ".join((documented.get("description") or "").split()),
    }


def metrics(models: list[str], defined: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The metrics that one mart's rows alone can tell, as SQL.

    Not those of two marts, nor stocks (the last value of a period), which an aggregate cannot say.
    """
    simple = {}
    for metric in defined:
        how = metric["type_params"]["metric_aggregation_params"]
        if how and how["semantic_model"] in models and not how["non_additive_dimension"]:
            of = metric["type_params"]["expr"] or metric["name"]
            simple[metric["name"]] = AGGREGATIONS[how["agg"]].format(of)
    for metric in defined:
        expression = simple.get(metric["name"])
        if metric["type"] == "ratio":
            parts = [metric["type_params"][part]["name"] for part in ("numerator", "denominator")]
            if all(part in simple for part in parts):
                over, under = (simple[part] for part in parts)
                expression = f"cast({over} as double) / nullif({under}, 0)"
        if expression:
            meta = metric["config"]["meta"]
            yield {
                "metric_name": metric["name"],
                "verbose_name": metric["label"],
                "description": " ".join(metric["description"].split()),
                "expression": expression,
                "d3format": FORMATS.get(meta.get("unit", ""), ",.2~f"),
            }


def chart(
    page: Mapping[str, Any], entry: Mapping[str, Any], datasets: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """A chart: the parameters of its file over those of its kind."""
    source = datasets.get(entry["dataset"])
    if source is None:
        raise ValueError(f"{page['slug']}.yaml: no mart {entry['dataset']} is published")
    kind, kinds = entry["type"], _file("charts")
    if kind not in kinds:
        raise ValueError(f"{page['slug']}.yaml: {kind} is none of {', '.join(kinds)}")
    given = {
        key: value
        for key, value in entry.items()
        if key not in ("name", "dataset", "type", "width", "where", "description")
    }
    params: dict[str, Any] = kinds[kind] | given
    time = source["main_dttm_col"]
    if kind.startswith(("big_number", "echarts_timeseries")):
        params.setdefault("x_axis", time)
    for key in ("metric", "metrics", "timeseries_limit_metric"):
        if key in params:
            value = params[key]
            params[key] = (
                [expression(each, source) for each in value]
                if isinstance(value, list)
                else expression(value, source)
            )
    own = [each for each in entry.get("metrics", ()) if isinstance(each, dict)]
    if kind == "table":
        params["column_config"] = {
            each["label"]: {"d3NumberFormat": each["format"]} for each in own if "format" in each
        }
    used = params.get("metric") or next(iter(params.get("metrics") or []), None)
    format_ = next((m["d3format"] for m in source["metrics"] if m["metric_name"] == used), None)
    if format_:
        params.setdefault("y_axis_format", format_)
    filters = []
    if time:  # so that the dashboard's days reach the chart
        filters.append(
            {
                "clause": "WHERE",
                "expressionType": "SIMPLE",
                "operator": "TEMPORAL_RANGE",
                "subject": time,
                "comparator": "No filter",
            }
        )
    if "where" in entry:
        filters.append(
            {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": entry["where"]}
        )
    return {
        "slice_name": entry["name"],
        "description": entry.get("description"),
        "viz_type": kind,
        "params": params | {"viz_type": kind, "adhoc_filters": filters},
        "uuid": asset_id("chart", f"{page['slug']}/{entry['name']}"),
        "dataset_uuid": source["uuid"],
        "version": VERSION,
    }


def expression(metric: str | Mapping[str, str], source: Mapping[str, Any]) -> Any:
    """A metric of the dataset by its name, or one of the chart's own: label, SQL, d3's format."""
    if isinstance(metric, str):
        if metric not in {each["metric_name"] for each in source["metrics"]}:
            raise ValueError(f"{source['table_name']} has no metric {metric}")
        return metric
    return {
        "expressionType": "SQL",
        "sqlExpression": metric["sql"],
        "label": metric["label"],
        "hasCustomLabel": True,
        "optionName": f"metric_{asset_id('metric', metric['label'])[:8]}",
    }


def dashboard(page: Mapping[str, Any]) -> dict[str, Any]:
    """A dashboard: its rows of charts, and its filters above all of them."""
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": page["title"]}},
    }
    for number, row in enumerate(page["rows"], start=1):
        row_id = f"ROW-{number}"
        position["GRID_ID"]["children"].append(row_id)
        position[row_id] = {
            "type": "ROW",
            "id": row_id,
            "children": [],
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for entry in row["charts"]:
            uuid = asset_id("chart", f"{page['slug']}/{entry['name']}")
            chart_id = f"CHART-{uuid[:8]}"
            position[row_id]["children"].append(chart_id)
            position[chart_id] = {
                "type": "CHART",
                "id": chart_id,
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", row_id],
                "meta": {
                    "uuid": uuid,
                    "sliceName": entry["name"],
                    "chartId": 0,
                    "width": entry["width"],
                    "height": row["height"],
                },
            }
    return {
        "dashboard_title": page["title"],
        "description": page["description"],
        "slug": page["slug"],
        "published": True,
        "css": "",
        "position": position,
        "metadata": {
            "native_filter_configuration": [
                native_filter(page, name, target) for name, target in page["filters"].items()
            ],
            "cross_filters_enabled": True,
            "refresh_frequency": 0,
            "color_scheme": "supersetColors",
        },
        "uuid": asset_id("dashboard", page["slug"]),
        "version": VERSION,
    }


def native_filter(page: Mapping[str, Any], name: str, target: str | None) -> dict[str, Any]:
    """A filter of a dashboard: on days, or on a column (`dataset.column`)."""
    base = {
        "id": f"NATIVE_FILTER-{asset_id('filter', page['slug'] + name)[:8]}",
        "name": name,
        "type": "NATIVE_FILTER",
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}},
        "cascadeParentIds": [],
        "description": "",
    }
    if target is None:
        return base | {
            "filterType": "filter_time",
            "targets": [{}],
            "controlValues": {"enableEmptyFilter": False},
        }
    table, name_of_column = target.split(".")
    return base | {
        "filterType": "filter_select",
        "targets": [
            {"datasetUuid": asset_id("dataset", table), "column": {"name": name_of_column}}
        ],
        "controlValues": {
            "multiSelect": True,
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "inverseSelection": False,
            "searchAllOptions": False,
        },
    }


def entries(page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The charts of a dashboard, row by row."""
    for row in page["rows"]:
        yield from row["charts"]


def _written_by_publishing(published: Path, names: list[str]) -> dict[str, Any]:
    """The marts that no model makes (runs and their checks): the published file describes them."""
    found: dict[str, Any] = {}
    with duckdb.connect(str(published / "marts.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select tables.table_name, tables.comment, column_name, data_type, columns.comment"
            " from duckdb_columns() as columns join duckdb_tables() as tables using (table_oid)"
            " where list_contains(?, tables.table_name) order by table_name, column_index",
            [names],
        ).fetchall()
    for table, says, name, data_type, comment in rows:
        mart = found.setdefault(table, {"description": says or "", "columns": {}})
        mart["columns"][name] = {"name": name, "data_type": data_type, "description": comment}
    return found


def _file(name: str) -> Any:
    """A file of this folder."""
    return yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))


def _marts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The public marts of dbt's manifest, by name."""
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"].get("access") == "public"
    }

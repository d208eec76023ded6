"""Experiments: what a variant did, how sure that is, and whether the split went wrong."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import experiments
from dashboards.formats import NOTHING
from dashboards.layout import Context

MART = "agg_experiment_results"
COLOURS = {"better": charts.GREEN, "worse": charts.ORANGE}


def show(context: Context) -> None:
    """The page."""
    texts, write = context.texts, context.write
    found = context.need(experiments.experiments(context.published), "no_experiments")
    by_id = found.set_index("experiment_id")
    chosen = context.choices.one(
        "experiment", texts("experiment"), list(by_id.index), lambda code: code, width=420
    )
    experiment = by_id.loc[chosen]
    results = experiments.results(context.published, chosen)
    results["name"] = context.own(results, "metric_name")
    devices = results.drop_duplicates("variant")["device_count"].sum()
    context.tiles(
        [
            (
                texts("days"),
                f"{write.day(experiment['started_date'])} – {write.day(experiment['ended_date'])}",
                context.define(f"{MART}.started_date", f"{MART}.ended_date"),
            ),
            (texts("devices"), write.number(devices), context.define(f"{MART}.device_count")),
            (
                texts("split"),
                texts("split_wrong" if experiment["has_sample_ratio_mismatch"] else "split_right"),
                context.define(f"{MART}.has_sample_ratio_mismatch"),
            ),
        ]
    )
    if experiment["has_sample_ratio_mismatch"]:
        st.warning(texts("split_warning"), icon=":material/warning:")
    if not experiment["is_mature"]:
        st.info(texts("experiment_running"), icon=":material/hourglass_empty:")
    variants = results[~results["is_control"]]
    for variant in variants["variant"].unique():
        _lifts(context, variants[variants["variant"] == variant], variant)
    _table(context, results)


def _lifts(context: Context, rows: pd.DataFrame, variant: str) -> None:
    texts, write = context.texts, context.write
    st.subheader(
        texts("lift_of", variant=variant),
        help=context.define(
            f"{MART}.relative_lift", f"{MART}.relative_lift_low", f"{MART}.adjusted_p_value"
        ),
        anchor=False,
    )
    rows = rows[rows["relative_lift"].notna() & rows["relative_lift_low"].notna()].copy()
    if rows.empty:
        st.info(texts("no_lift"), icon=":material/info:")
        return
    rows["text"] = [
        f"{write.change(lift)}  ({write.change(low)} … {write.change(high)})"
        for lift, low, high in zip(
            rows["relative_lift"],
            rows["relative_lift_low"],
            rows["relative_lift_high"],
            strict=True,
        )
    ]
    rows["colour"] = [COLOURS.get(result, charts.BLUE) for result in rows["result"]]
    context.chart(
        charts.spans(
            rows,
            label="name",
            low="relative_lift_low",
            middle="relative_lift",
            high="relative_lift_high",
            text="text",
            percent=True,
            zero=True,
            colour="colour",
        ),
        texts("lift_of", variant=variant),
        wide=f"lift_{variant}",
    )
    st.caption(texts("lift_of_note"))


def _table(context: Context, results: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    context.section("in_numbers", MART, f"{MART}.result", f"{MART}.power")
    rows = results.copy()

    def value(row: pd.Series) -> str:
        if row["metric_kind"] == "rate":
            return write.percent(row["metric_value"], 2)
        return write.number(row["metric_value"], 2)

    rows["metric_value"] = [value(row) for _, row in results.iterrows()]
    rows["relative_lift"] = rows["relative_lift"].map(write.change)
    rows["adjusted_p_value"] = rows["adjusted_p_value"].map(lambda p: write.number(p, 3))
    rows["power"] = rows["power"].map(lambda power: write.percent(power, 0))
    for column in ("unit_count", "required_device_count"):
        rows[column] = rows[column].map(write.number)
    rows["result"] = [NOTHING if pd.isna(code) else texts.code(code) for code in rows["result"]]
    context.table(
        MART,
        rows,
        {
            "name": texts("metric"),
            "variant": texts("variant"),
            "unit_count": texts("units_measured"),
            "metric_value": texts("value"),
            "relative_lift": texts("lift_relative"),
            "adjusted_p_value": "p",
            "power": texts("power"),
            "required_device_count": texts("required_devices"),
            "result": texts("result"),
        },
    )
    context.download(results.drop(columns=["name"]), "experiment")

"""Data quality: what became of the raw rows, how fresh the numbers are, what was checked."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import quality
from dashboards.formats import NOTHING
from dashboards.layout import Context, tip

REPORT = "agg_load_report"
VERDICTS = {"kept": charts.BLUE, "duplicate": charts.GREY, "rejected": charts.ORANGE}


def show(context: Context) -> None:
    """The page."""
    texts, write, manifest = context.texts, context.write, context.published.manifest
    report = quality.load_report(context.published)
    rejected = int(report["rejected_row_count"].sum())
    read = int(report["read_row_count"].sum())
    as_of_date = manifest.get("as_of_date")
    published_at = str(manifest.get("published_at", NOTHING))
    context.tiles(
        [
            (
                texts("as_of_date"),
                write.day(pd.Timestamp(as_of_date)) if as_of_date else NOTHING,
                texts("as_of_date_help"),
            ),
            (
                texts("published_at"),
                published_at[:16].replace("T", " ") + (" UTC" if "T" in published_at else ""),
                texts("published_at_help"),
            ),
            (
                texts("checks_passed"),
                write.number(manifest.get("checks_passed")),
                texts("checks_help"),
            ),
            (
                texts("rejected_rows"),
                f"{write.number(rejected)} / {write.number(read)}",
                context.define(f"{REPORT}.rejected_row_count", f"{REPORT}.read_row_count"),
            ),
        ]
    )
    _report(context, report)
    left, right = st.columns([1.6, 1], gap="large")
    with left:
        _reasons(context)
    with right:
        _freshness(context)
    _marts(context)


def _report(context: Context, report: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    context.section(
        "load_report", REPORT, *(f"{REPORT}.{verdict}_row_count" for verdict in VERDICTS)
    )
    read = report[report["read_row_count"] > 0]
    if read.empty:
        st.info(texts("nothing_read"), icon=":material/info:")
    else:
        rows = read.melt(
            id_vars=["table_name", "read_row_count"],
            value_vars=[f"{verdict}_row_count" for verdict in VERDICTS],
            var_name="verdict",
            value_name="row_count",
        )
        rows["verdict"] = rows["verdict"].str.removesuffix("_row_count")
        rows["name"] = rows["verdict"].map(texts.code)
        rows["share"] = rows["row_count"] / rows["read_row_count"]
        rows["text"] = [
            f"{write.number(count)} ({write.percent(share, 2)})"
            for count, share in zip(rows["row_count"], rows["share"], strict=True)
        ]
        lost = rows[(rows["verdict"] != "kept") & (rows["row_count"] > 0)]
        if lost.empty:
            st.success(texts("nothing_lost"), icon=":material/check_circle:")
        else:
            names = [texts.code(verdict) for verdict in VERDICTS if verdict != "kept"]
            chart = (
                alt.Chart(lost)
                .mark_bar(height=16)
                .encode(
                    y=alt.Y(
                        "table_name:N",
                        sort="-x",
                        title=None,
                        axis=alt.Axis(domain=False, ticks=False),
                    ),
                    x=alt.X(
                        "share:Q",
                        title=texts("share_of_read"),
                        axis=alt.Axis(format=".1%", domain=False, ticks=False, tickCount=5),
                    ),
                    color=alt.Color(
                        "name:N",
                        scale=alt.Scale(
                            domain=names, range=[VERDICTS["duplicate"], VERDICTS["rejected"]]
                        ),
                    ),
                    tooltip=[tip("table_name"), tip("name"), tip("text")],
                )
            )
            context.chart(
                charts.finish(chart, 26 * lost["table_name"].nunique() + 40), texts("load_report")
            )
    shown = report.copy()
    for column in ("read", "kept", "duplicate", "rejected"):
        shown[f"{column}_row_count"] = shown[f"{column}_row_count"].map(write.number)
    for column in ("missing_columns", "unknown_columns", "files"):
        shown[column] = shown[column].fillna("").replace("", NOTHING)
    context.table(
        REPORT,
        shown,
        {
            "table_name": texts("raw_table"),
            "files": texts("files"),
            "read_row_count": texts("read"),
            "kept_row_count": texts("kept"),
            "duplicate_row_count": texts("duplicates"),
            "rejected_row_count": texts("rejected"),
            "missing_columns": texts("missing_columns"),
            "unknown_columns": texts("unknown_columns"),
        },
        height=330,
    )
    context.download(report, "load_report")


def _reasons(context: Context) -> None:
    texts, write = context.texts, context.write
    mart = "fct_rejected_rows"
    context.section("reject_reasons", mart, f"{mart}.reject_reason")
    rows = quality.reject_reasons(context.published)
    if rows.empty:
        st.success(texts("nothing_rejected"), icon=":material/check_circle:")
        return
    rows["count"] = rows["rejected_row_count"].map(write.number)
    context.table(
        mart,
        rows,
        {
            "table_name": texts("raw_table"),
            "reject_reason": texts("reason"),
            "count": texts("rows"),
            "row_content": texts("example"),
        },
        height=330,
    )


def _freshness(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section("freshness", "dim_dates.is_known")
    rows = quality.freshness(context.published)
    rows["last_date"] = rows["last_date"].map(write.day)
    context.table("", rows, {"mart": texts("mart"), "last_date": texts("last_day")})


def _marts(context: Context) -> None:
    texts, write = context.texts, context.write
    marts = context.published.manifest.get("marts", [])
    if not marts:
        return
    st.subheader(texts("marts"), help=texts("marts_help"), anchor=False)
    rows = pd.DataFrame(
        {
            "mart": [mart["name"] for mart in marts],
            "rows": [write.number(mart["rows"]) for mart in marts],
            "definition": [context.published.definition(mart["name"]) for mart in marts],
        }
    )
    context.table(
        "",
        rows,
        {"mart": texts("mart"), "rows": texts("rows"), "definition": texts("definition")},
        height=330,
    )

"""Cohorts: the retention triangle, with the months that are not over marked."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import cohorts
from dashboards.filters import Filters
from dashboards.layout import Context, tip

DIMENSIONS = ("all", "first_channel", "first_category")
# A triangle of a few months is none: shorter ranges show this many cohorts.
FEWEST_MONTHS = 12
SHOWN_MONTHS = 24


def show(context: Context) -> None:
    """The page."""
    texts, choices, published = context.texts, context.choices, context.published
    left, middle, right = st.columns([1.5, 2, 1.2], vertical_alignment="bottom")
    with left:
        measure = choices.one(
            "measure",
            texts("measure"),
            list(cohorts.MEASURES),
            lambda code: texts(f"measure_{code}"),
        )
    chosen = context.filters.of("channel")
    with middle:
        dimension = choices.one(
            "cohorts",
            texts("cohorts_of"),
            list(DIMENSIONS),
            lambda code: texts(f"cohorts_{code}"),
            default="first_channel" if chosen else "all",
            widget=partial(st.segmented_control, required=True),
        )
    value = ""
    if dimension != "all":
        values = cohorts.dimension_values(published, dimension)
        name = context.namer("channel" if dimension == "first_channel" else "")
        with right:
            value = choices.one(
                "cohort",
                texts(dimension),
                values,
                name,
                default=chosen[0] if chosen else "",
            )
    filters = _at_least_a_year(context.filters)
    rows = context.need(
        cohorts.triangle(published, measure, dimension, value, filters), "no_cohorts"
    )
    _triangle(context, rows, measure)
    _curve(context, rows, measure)
    context.download(rows, f"cohorts_{measure}")


def _at_least_a_year(filters: Filters) -> Filters:
    earliest = (pd.Timestamp(filters.last_date) - pd.DateOffset(months=FEWEST_MONTHS)).date()
    return Filters(min(filters.first_date, earliest), filters.last_date, filters.parts)


def _write_value(context: Context, measure: str, value: object) -> str:
    write = context.write
    return write.percent(value, 0) if measure.endswith("_rate") else write.money(value, 0)


def _triangle(context: Context, rows: pd.DataFrame, measure: str) -> None:
    texts, write = context.texts, context.write
    mart = cohorts.MEASURES[measure]
    context.section(f"measure_{measure}", mart, f"{mart}.{measure}", f"{mart}.is_mature")
    # Who comes back is counted from the month after the first order on.
    first = 1 if measure == "retention_rate" else 0
    rows = rows[rows["months_since"].between(first, SHOWN_MONTHS)].copy()
    if rows.empty:
        st.info(texts("not_mature"), icon=":material/hourglass_empty:")
        return
    sizes = rows.groupby("cohort_month_start_date")["cohort_customer_count"].max()
    names = {
        month: f"{write.period(month, 'month')} ({write.number(size)})"
        for month, size in sizes.items()
    }
    rows["cohort"] = rows["cohort_month_start_date"].map(names)
    rows["text"] = rows["value"].map(lambda value: _write_value(context, measure, value))
    rows["full_text"] = [
        texts("not_over") if not mature else text
        for text, mature in zip(rows["text"], rows["is_mature"], strict=True)
    ]
    rows["is_immature"] = ~rows["is_mature"]
    later = rows.loc[rows["months_since"] > 0, "value"]
    highest = float(later.max()) if later.notna().any() else 1.0
    context.chart(
        charts.grid(
            rows,
            x="months_since",
            y="cohort",
            value="value",
            text="text",
            tooltip=[
                tip("cohort"),
                tip("months_since", texts("months_since")),
                tip("full_text", texts(f"measure_{measure}")),
            ],
            x_sort=sorted(rows["months_since"].unique()),
            y_sort=[names[month] for month in sorted(names)],
            x_title=texts("months_since"),
            domain=[0, highest],
            immature="is_immature",
            row_height=26,
        ),
        texts(f"measure_{measure}"),
        wide="triangle",
    )
    st.caption(texts("triangle_note"))


def _curve(context: Context, rows: pd.DataFrame, measure: str) -> None:
    """All cohorts together, weighted by their size, over those that are that old."""
    texts = context.texts
    known = rows[rows["is_mature"] & rows["value"].notna()].copy()
    known["weighted"] = known["value"] * known["cohort_customer_count"]
    curve = known.groupby("months_since")[["weighted", "cohort_customer_count"]].sum().reset_index()
    if measure == "retention_rate":
        curve = curve[curve["months_since"] > 0]
    curve = curve[curve["months_since"] <= SHOWN_MONTHS]
    if curve.empty:
        return
    curve["value"] = curve["weighted"] / curve["cohort_customer_count"]
    curve["text"] = curve["value"].map(lambda value: _write_value(context, measure, value))
    curve["month"] = curve["months_since"].astype(str)
    mart = cohorts.MEASURES[measure]
    context.section("all_cohorts", f"{mart}.{measure}")
    context.chart(
        charts.columns(curve, "month", "value", "text", texts("months_since")),
        texts("all_cohorts"),
    )

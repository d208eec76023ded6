"""Carts: abandoned and recovered, at which stage, on which device."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import carts
from dashboards.layout import Context, tip

MART = "agg_cart_abandonment_daily"


def show(context: Context) -> None:
    """The page."""
    texts, choices, published = context.texts, context.choices, context.published
    sums = context.need(carts.cart_sums(published, context.filters), "no_carts").iloc[0]
    _tiles(context, sums)
    left, right = st.columns(2, gap="large")
    with left:
        _stages(context, sums)
    with right:
        context.section("abandonment_by_part", f"{MART}.abandonment_rate")
        part = choices.one(
            "part",
            texts("breakdown"),
            list(carts.PARTS),
            texts,
            default="device",
            widget=partial(st.segmented_control, required=True),
            label_visibility="collapsed",
        )
        _by_part(context, part)
    period = choices.one(
        "by",
        texts("by_period"),
        ["week", "month"],
        lambda code: texts(f"every_{code}"),
        widget=partial(st.segmented_control, required=True),
    )
    _over_time(context, period)


def _tiles(context: Context, sums: pd.Series) -> None:
    write, texts = context.write, context.texts
    context.tiles(
        [
            (
                texts("carts"),
                write.number(sums["cart_count"]),
                context.define(f"{MART}.cart_count"),
            ),
            (
                texts("abandonment_rate"),
                write.percent(sums["abandonment_rate"]),
                context.define(f"{MART}.abandonment_rate", f"{MART}.mature_cart_count"),
            ),
            (
                texts("abandoned_amount"),
                write.money(sums["abandoned_amount"], 0),
                context.define(f"{MART}.abandoned_amount"),
            ),
            (
                texts("recovery_rate"),
                write.percent(sums["recovery_rate"]),
                context.define(f"{MART}.recovery_rate", f"{MART}.settled_cart_count"),
            ),
            (
                texts("recovered_amount"),
                write.money(sums["recovered_net_amount"], 0),
                context.define(
                    f"{MART}.recovered_net_amount", f"{MART}.recovered_by_message_cart_count"
                ),
            ),
        ]
    )


def _stages(context: Context, sums: pd.Series) -> None:
    texts, write = context.texts, context.write
    context.section("left_at", *(f"{MART}.abandoned_at_{stage}_count" for stage in carts.STAGES))
    total = sums["abandoned_cart_count"]
    if not total:
        if sums["mature_cart_count"]:
            st.info(texts("none_left"), icon=":material/check_circle:")
        else:
            st.info(texts("not_mature"), icon=":material/hourglass_empty:")
        return
    counts = [sums[f"abandoned_at_{stage}_count"] for stage in carts.STAGES]
    rows = pd.DataFrame(
        {
            "stage": [texts(f"stage_{stage}") for stage in carts.STAGES],
            "carts": counts,
            "text": [f"{write.number(count)} · {write.percent(count / total)}" for count in counts],
        }
    )
    context.chart(charts.bars(rows, "stage", "carts", "text"), texts("left_at"))


def _by_part(context: Context, part: str) -> None:
    texts, write = context.texts, context.write
    rows = carts.carts_by_part(context.published, part, context.filters)
    rows = rows[rows["abandonment_rate"].notna()].copy()
    if rows.empty:
        st.info(texts("not_mature"), icon=":material/hourglass_empty:")
        return
    name = context.namer("channel" if part == "channel" else "")
    rows["name"] = rows["code"].map(name)
    rows["text"] = rows["abandonment_rate"].map(write.percent)
    rows["mature_text"] = rows["mature_cart_count"].map(write.number)
    context.chart(
        charts.bars(
            rows.sort_values("abandonment_rate", ascending=False),
            "name",
            "abandonment_rate",
            "text",
            tooltip=[tip("name"), tip("text"), tip("mature_text", texts("carts"))],
        ),
        texts("abandonment_by_part"),
    )


def _over_time(context: Context, period: str) -> None:
    texts, write = context.texts, context.write
    rows = carts.carts_over_time(context.published, period, context.filters)
    left, right = st.columns(2, gap="large")
    for column, value, is_over in (
        (left, "abandonment_rate", rows["mature_cart_count"] == rows["cart_count"]),
        (right, "recovery_rate", rows["settled_cart_count"] == rows["abandoned_cart_count"]),
    ):
        with column:
            context.section(f"{value}_over_time", f"{MART}.{value}")
            known = rows[rows[value].notna() & is_over].copy()
            if known.empty:
                st.info(texts("not_mature"), icon=":material/hourglass_empty:")
                continue
            known["text"] = known[value].map(write.percent)
            context.chart(
                charts.lines(known, "period_start_date", value, percent=True, text="text"),
                texts(f"{value}_over_time"),
            )
    context.download(rows, f"carts_{period}")

"""Products: what is bought together, and how good the recommendations are."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import products
from dashboards.layout import Context, tip

MART = "agg_product_affinities"
BACKTESTS = "agg_recommendation_backtests"


def show(context: Context) -> None:
    """The page."""
    texts, choices, published = context.texts, context.choices, context.published
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        basis = choices.one(
            "basis",
            texts("basis"),
            list(products.BASES),
            lambda code: texts(f"basis_{code}"),
            widget=partial(st.segmented_control, required=True),
        )
    names = products.products_with_affinities(published, basis)
    with right:
        product = choices.one(
            "product",
            texts("product"),
            ["all", *names],
            lambda code: names.get(code, texts("all_products")),
            default="all",
        )
    pairs = products.affinities(published, basis, "" if product == "all" else product)
    context.section(
        "affinities", MART, f"{MART}.lift", f"{MART}.adjusted_lift", f"{MART}.is_significant"
    )
    if pairs.empty:
        st.info(texts("no_affinities"), icon=":material/info:")
    else:
        _pairs(context, pairs, product)
    _backtests(context)


def _pairs(context: Context, pairs: pd.DataFrame, product: str) -> None:
    texts, write = context.texts, context.write
    rows = pairs.copy()
    rows["name"] = [
        f"{a} + {b}" if product == "all" else (b if a_id == product else a)
        for a_id, a, b in zip(
            rows["product_a_id"], rows["product_a_name"], rows["product_b_name"], strict=True
        )
    ]
    rows["text"] = [f"× {write.number(lift, 1)}" for lift in rows["adjusted_lift"]]
    rows["pairs"] = rows["pair_count"].map(write.number)
    context.chart(
        charts.bars(
            rows,
            "name",
            "adjusted_lift",
            "text",
            tooltip=[tip("name"), tip("text", texts("lift")), tip("pairs", texts("together"))],
            rule=1.0,
        ),
        texts("affinities"),
    )
    st.caption(texts("lift_note"))
    table = pairs.copy()
    for column in ("support_share", "confidence_a_to_b_share", "confidence_b_to_a_share"):
        table[column] = table[column].map(write.percent)
    for column in ("lift", "adjusted_lift"):
        table[column] = table[column].map(lambda value: write.number(value, 2))
    with st.expander(texts("as_table")):
        context.table(
            MART,
            table,
            {
                "product_a_name": texts("product_a"),
                "product_b_name": texts("product_b"),
                "pair_count": texts("together"),
                "support_share": texts("support"),
                "confidence_a_to_b_share": texts("a_to_b"),
                "confidence_b_to_a_share": texts("b_to_a"),
                "lift": texts("lift"),
                "adjusted_lift": texts("adjusted_lift"),
            },
        )
    context.download(pairs, "affinities")


def _backtests(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section("recommendations_judged", BACKTESTS, f"{BACKTESTS}.hit_rate")
    rows = products.recommendation_backtests(context.published)
    rows = rows[rows["hit_rate"].notna()] if not rows.empty else rows
    if rows.empty:
        st.info(texts("no_backtest"), icon=":material/info:")
        return
    for column, length in zip(
        st.columns(2, gap="large"), sorted(rows["list_length"].unique())[:2], strict=False
    ):
        with column:
            st.markdown(f"**{texts('list_of', count=write.number(length))}**")
            some = rows[rows["list_length"] == length].copy()
            some["name"] = some["list_kind"].map(texts.code)
            some["text"] = [
                f"{write.percent(rate)} ({write.number(hits)} / {write.number(count)})"
                for rate, hits, count in zip(
                    some["hit_rate"], some["hit_count"], some["customer_count"], strict=True
                )
            ]
            some["colour"] = [
                charts.BLUE if kind == "recommendations" else charts.GREY
                for kind in some["list_kind"]
            ]
            context.chart(
                charts.bars(some, "name", "hit_rate", "text", color="colour"),
                texts("recommendations_judged"),
            )
    st.caption(texts("backtest_note", day=write.day(rows["holdout_date"].max())))
    st.caption(texts("recommendations_hint"))

"""Opportunities: whom to write to, in which order, what it may bring; a list to take along."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import opportunities
from dashboards.formats import NOTHING
from dashboards.layout import Context, tip

MART = "fct_customer_opportunities"
SHOWN_ROWS = 500


def show(context: Context) -> None:
    """The page."""
    texts, published = context.texts, context.published
    kinds = opportunities.by_kind(published, context.filters)
    context.need(kinds, "no_opportunities")
    names = context.names("opportunity_kind")
    left, right = st.columns(2, gap="large")
    with left:
        _by_kind(context, kinds, names)
    with right:
        _outcomes(context, names)
    context.section("list", MART, f"{MART}.priority_score", f"{MART}.expected_amount")
    present = [code for code in names if code in set(kinds["kind"])]
    chosen = context.choices.several(
        "kind",
        texts("kind"),
        present,
        lambda code: names[code],
        placeholder=texts("all_kinds"),
    )
    of_chosen = kinds[kinds["kind"].isin(chosen or present)]
    _list(context, chosen, int(of_chosen["opportunity_count"].sum()), names)


def _by_kind(context: Context, kinds: pd.DataFrame, names: dict[str, str]) -> None:
    texts, write = context.texts, context.write
    context.section("expected_by_kind", f"{MART}.kind", f"{MART}.expected_amount")
    rows = kinds.copy()
    rows["name"] = rows["kind"].map(lambda code: names.get(code, code))
    rows["expected_amount"] = rows["expected_amount"].astype(float).fillna(0)
    rows["text"] = [
        f"{write.money(amount, 0)} · {write.number(count)}"
        for amount, count in zip(rows["expected_amount"], rows["opportunity_count"], strict=True)
    ]
    context.chart(charts.bars(rows, "name", "expected_amount", "text"), texts("expected_by_kind"))
    st.caption(texts("expected_note"))


def _outcomes(context: Context, names: dict[str, str]) -> None:
    texts, write = context.texts, context.write
    mart = "agg_opportunity_outcomes"
    context.section("outcomes", mart, f"{mart}.conversion_rate", f"{mart}.base_rate")
    rows = opportunities.outcomes(context.published)
    if rows.empty:
        st.info(texts("no_outcomes"), icon=":material/hourglass_empty:")
        return
    rows["name"] = rows["kind"].map(lambda code: names.get(code, code))
    rows["text"] = [
        f"{write.percent(rate)} ({write.number(count)})"
        for rate, count in zip(rows["conversion_rate"], rows["mature_count"], strict=True)
    ]
    rows["base"] = rows["base_rate"].map(write.percent)
    context.chart(
        charts.bars(
            rows,
            "name",
            "conversion_rate",
            "text",
            tooltip=[
                tip("name"),
                tip("text", texts("conversion")),
                tip("base", texts("base_rate")),
            ],
        ),
        texts("outcomes"),
    )


def _list(context: Context, kinds: Sequence[str], count: int, names: dict[str, str]) -> None:
    texts, write, filters = context.texts, context.write, context.filters
    rows = opportunities.opportunities(context.published, kinds, filters, SHOWN_ROWS)
    shown = rows.copy()
    shown["kind"] = shown["kind"].map(lambda code: names.get(code, code))
    shown["rfm_segment"] = shown["rfm_segment"].map(context.namer("rfm_segment"))
    shown["channel"] = [NOTHING if pd.isna(code) else texts.code(code) for code in shown["channel"]]
    shown["priority_score"] = shown["priority_score"].map(lambda score: write.number(score, 1))
    for column in ("evidence", "action"):
        shown[column] = context.own(shown, column)
    for column in ("value_amount", "expected_amount"):
        shown[column] = shown[column].map(write.money)
    shown["expires_date"] = shown["expires_date"].map(write.day)
    context.table(
        MART,
        shown,
        {
            "priority_score": texts("priority"),
            "customer_id": texts("customer"),
            "kind": texts("kind"),
            "rfm_segment": texts("segment"),
            "evidence": texts("evidence"),
            "action": texts("action"),
            "channel": texts("by_which"),
            "value_amount": texts("value"),
            "expected_amount": texts("expected"),
            "expires_date": texts("expires"),
        },
        height=420,
    )
    if count > SHOWN_ROWS:
        st.caption(texts("more_rows", shown=write.number(SHOWN_ROWS), count=write.number(count)))
    context.download(
        rows,
        "opportunities",
        count,
        lambda: opportunities.opportunities(context.published, kinds, filters),
    )

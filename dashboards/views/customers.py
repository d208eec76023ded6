"""Customers: the RFM grid, value and churn, how right the models are, one customer's life."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import customers
from dashboards.formats import NOTHING
from dashboards.layout import Context, escaped, tip

BANDS = "agg_customer_bands"
PROFILES = "dim_customer_profiles"


def show(context: Context) -> None:
    """The page."""
    texts = context.texts
    sums = context.need(
        customers.customer_sums(context.published, context.filters), "no_customers"
    ).iloc[0]
    write = context.write
    context.tiles(
        [
            (
                texts("customers"),
                write.number(sums["customer_count"]),
                context.define(PROFILES, f"{BANDS}.customer_count"),
            ),
            (
                texts("historic_margin"),
                write.money(sums["historic_margin_amount"], 0),
                context.define(f"{PROFILES}.historic_margin_amount"),
            ),
            (
                texts("predicted_clv"),
                write.money(sums["predicted_clv_amount_365d"], 0),
                context.define(f"{PROFILES}.predicted_clv_amount_365d"),
            ),
            (
                texts("value_at_risk"),
                write.money(sums["value_at_risk_amount"], 0),
                context.define(f"{PROFILES}.value_at_risk_amount"),
            ),
        ]
    )
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        _grid(context)
    with right:
        _segments(context)
    left, right = st.columns(2, gap="large")
    with left:
        _clv(context)
    with right:
        _churn(context)
    _calibration(context)
    _one_customer(context)


def _grid(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "rfm_grid", f"{PROFILES}.recency_score", f"{PROFILES}.fm_score", f"{PROFILES}.rfm_segment"
    )
    rows = customers.rfm_grid(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_buyers"), icon=":material/info:")
        return
    name = context.namer("rfm_segment")
    rows["segment"] = rows["rfm_segment"].map(name)
    rows["count"] = rows["customer_count"].map(write.number)
    rows["margin"] = rows["historic_margin_amount"].map(lambda value: write.money(value, 0))
    rows["text"] = rows["count"]
    context.chart(
        charts.grid(
            rows,
            x="recency_score",
            y="fm_score",
            value="customer_count",
            text="text",
            tooltip=[
                tip("segment"),
                tip("count", texts("customers")),
                tip("margin", texts("historic_margin")),
            ],
            x_sort=[1, 2, 3, 4, 5],
            y_sort=[5, 4, 3, 2, 1],
            x_title=texts("recency_axis"),
            y_title=texts("fm_axis"),
            row_height=54,
            is_whole=True,
        ),
        texts("rfm_grid"),
    )
    st.caption(texts("rfm_note"))


def _segments(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "segments",
        "agg_rfm_segments",
        "agg_rfm_segments.customer_count",
        "agg_rfm_segments.net_share",
    )
    rows = customers.segments(context.published)
    rows = rows[rows["customer_count"] > 0]
    if rows.empty:
        st.info(texts("no_buyers"), icon=":material/info:")
        return
    rows["name"] = context.own(rows, "segment_name")
    rows["text"] = [
        f"{write.number(count)} · {write.percent(share)}"
        for count, share in zip(rows["customer_count"], rows["customer_share"], strict=True)
    ]
    rows["net"] = rows["net_share"].map(write.percent)
    rows["change"] = [
        NOTHING if pd.isna(value) else f"{'+' if value > 0 else ''}{write.number(value)}"
        for value in rows["customer_change"]
    ]
    context.chart(
        charts.bars(
            rows,
            "name",
            "customer_count",
            "text",
            tooltip=[
                tip("name"),
                tip("text", texts("customers")),
                tip("net", texts("share_of_net")),
                tip("change", texts("since_month_end")),
            ],
        ),
        texts("segments"),
    )


def _clv(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section("clv_distribution", f"{PROFILES}.predicted_clv_amount_365d")
    rows = customers.clv_bands(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_model"), icon=":material/info:")
        return
    rows["band"] = [
        f"< {write.money(1, 0)}" if low == 0 else write.money(low, 0)
        for low in rows["clv_from_amount"]
    ]
    rows["text"] = rows["customer_count"].map(write.number)
    context.chart(
        charts.columns(rows, "band", "customer_count", "text", texts("clv_axis")),
        texts("clv_distribution"),
    )


def _churn(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "churn_distribution", f"{PROFILES}.churn_probability", f"{PROFILES}.value_at_risk_amount"
    )
    rows = customers.churn_bands(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_model"), icon=":material/info:")
        return
    rows["band"] = [
        f"{write.number(100 * low)}–{write.percent(low + 0.1, 0)}"
        for low in rows["churn_from_share"]
    ]
    rows["text"] = rows["customer_count"].map(write.number)
    context.chart(
        charts.columns(rows, "band", "customer_count", "text", texts("churn_axis")),
        texts("churn_distribution"),
    )


def _calibration(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "calibration",
        "agg_model_calibration",
        "agg_model_calibration.predicted_mean",
        "agg_model_calibration.actual_mean",
    )
    rows = customers.calibration(context.published)
    if rows.empty:
        st.info(texts("no_backtest"), icon=":material/info:")
        return
    rows["text"] = [
        texts(
            "calibration_point",
            customers=write.number(count),
            predicted=write.number(predicted, 3),
            actual=write.number(actual, 3),
        )
        for count, predicted, actual in zip(
            rows["customer_count"], rows["predicted_mean"], rows["actual_mean"], strict=True
        )
    ]
    models = list(rows["model"].unique())[:3]
    for column, model in zip(st.columns(3, gap="large"), models, strict=False):
        with column:
            st.markdown(f"**{texts.code(model)}**")
            context.chart(
                charts.calibration(
                    rows[rows["model"] == model], texts("predicted"), texts("actual")
                ),
                f"{texts('calibration')}: {texts.code(model)}",
            )
    tests = customers.backtests(context.published)
    if not tests.empty:
        shown = tests.copy()
        shown["model"] = shown["model"].map(texts.code)
        for score in ("auc", "baseline_auc"):
            shown[score] = shown[score].map(lambda value: write.number(value, 3))
        shown["total_error_ratio"] = shown["total_error_ratio"].map(write.change)
        shown["customer_count"] = shown["customer_count"].map(write.number)
        shown["is_serving"] = shown["is_serving"].map({True: texts("yes"), False: texts("no")})
        context.table(
            "fct_model_backtests",
            shown,
            {
                "model": texts("model"),
                "is_serving": texts("serving"),
                "customer_count": texts("customers"),
                "auc": "AUC",
                "baseline_auc": texts("baseline_auc"),
                "total_error_ratio": texts("total_error"),
            },
        )


def _one_customer(context: Context) -> None:
    texts = context.texts
    st.subheader(texts("one_customer"), anchor=False)
    examples = customers.customer_ids(context.published, context.filters)
    customer_id = context.choices.text(
        "customer",
        texts("customer_id"),
        placeholder=texts("customer_example", example=examples[0] if examples else "…"),
        width=340,
    ).strip()
    if not customer_id:
        st.caption(texts("customer_hint", examples=", ".join(examples[:5])))
        return
    profiles = customers.profile(context.published, customer_id)
    if profiles.empty:
        st.warning(
            texts("customer_unknown", customer=escaped(customer_id)), icon=":material/person_off:"
        )
        return
    _profile(context, profiles.iloc[0])
    left, right = st.columns([1.3, 1], gap="large")
    with left:
        _orders(context, customer_id)
    with right:
        _recommended(context, customer_id)
    _states(context, customer_id)


def _profile(context: Context, row: pd.Series) -> None:
    texts, write = context.texts, context.write
    segment = context.namer("rfm_segment")(row["rfm_segment"])
    state = context.namer("lifecycle_state")(row["lifecycle_state"])
    channel = context.namer("channel")(row["first_channel"])

    def define(column: str) -> str:
        return context.define(f"{PROFILES}.{column}")

    context.tiles(
        [
            (texts("segment"), segment, define("rfm_segment")),
            (texts("state"), state, define("lifecycle_state")),
            (texts("first_channel"), channel, define("first_channel")),
            (texts("country"), texts.code(str(row["country"] or "unknown")), define("country")),
        ]
    )
    context.tiles(
        [
            (texts("orders"), write.number(row["order_count"]), define("order_count")),
            (texts("net"), write.money(row["net_amount"]), define("net_amount")),
            (
                texts("predicted_clv"),
                write.money(row["predicted_clv_amount_365d"]),
                define("predicted_clv_amount_365d"),
            ),
            (
                texts("churn_probability"),
                write.percent(row["churn_probability"], 0),
                define("churn_probability"),
            ),
        ]
    )
    context.tiles(
        [
            (texts("last_order"), write.day(row["last_order_date"]), define("last_order_date")),
            (
                texts("next_order"),
                write.day(row["expected_next_order_date"]),
                define("expected_next_order_date"),
            ),
            (texts("last_nps"), write.number(row["last_nps_score"]), define("last_nps_score")),
            (
                texts("favourite"),
                texts.code(str(row["favourite_category"] or "–")),
                define("favourite_category"),
            ),
        ]
    )


def _orders(context: Context, customer_id: str) -> None:
    texts, write = context.texts, context.write
    context.section("orders", "fct_orders")
    rows = customers.orders(context.published, customer_id)
    name = context.namer("channel")
    rows["order_date"] = rows["order_date"].map(write.day)
    rows["session_channel"] = rows["session_channel"].map(name)
    rows["status"] = rows["status"].map(texts.code)
    for column in ("net_amount", "refund_amount_by_order_date"):
        rows[column] = rows[column].map(write.money)
    context.table(
        "fct_orders",
        rows,
        {
            "order_date": texts("day"),
            "order_id": texts("order"),
            "status": texts("status"),
            "session_channel": texts("channel"),
            "unit_count": texts("units"),
            "net_amount": texts("net"),
            "refund_amount_by_order_date": texts("refunded"),
        },
    )


def _recommended(context: Context, customer_id: str) -> None:
    texts = context.texts
    context.section(
        "recommendations",
        "fct_product_recommendations",
        "fct_product_recommendations.reason",
        "fct_product_recommendations.expected_order_share",
    )
    rows = customers.recommendations(context.published, customer_id)
    if rows.empty:
        st.info(texts("no_recommendations"), icon=":material/info:")
        return
    rows["reason"] = [
        texts.code(reason) + ("" if pd.isna(source) else f" ({source})")
        for reason, source in zip(rows["reason"], rows["source_product_name"], strict=True)
    ]
    rows["expected_order_share"] = rows["expected_order_share"].map(context.write.percent)
    context.table(
        "fct_product_recommendations",
        rows,
        {
            "recommendation_rank": "#",
            "product_name": texts("product"),
            "reason": texts("reason"),
            "expected_order_share": texts("expected_share"),
        },
    )


def _states(context: Context, customer_id: str) -> None:
    rows = customers.states(context.published, customer_id)
    if rows.empty:
        return
    name = context.namer("lifecycle_state")
    path = " → ".join(
        f"**{name(state)}** ({context.write.day(day)})"
        for state, day in zip(rows["state"], rows["valid_from_date"], strict=True)
    )
    context.section("states", "fct_customer_states", "fct_customer_states.state")
    st.markdown(path)

"""Acquisition: channels, CAC, LTV:CAC, attribution models side by side."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import acquisition, kpis
from dashboards.layout import Context, escaped, tip

MART = "agg_channel_performance"
# What a shop's LTV:CAC is judged by: the KPI's benchmark is drawn, this is where money is lost.
BREAK_EVEN = 1.0


def show(context: Context) -> None:
    """The page."""
    channels = context.need(acquisition.channel_performance(context.published, context.filters))
    name = context.namer("channel")
    channels["name"] = channels["channel"].map(name)
    _tiles(context, channels)
    _channels(context, channels)
    left, right = st.columns(2, gap="large")
    with left:
        _cac(context, channels)
    with right:
        _ltv_cac(context)
    _attribution(context)
    _over_time(context)


def _tiles(context: Context, channels: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    customers = int(channels["new_customer_count"].sum())
    known = kpis.definitions(context.published).set_index("kpi")
    known["name"] = context.own(known, "kpi_name")
    cac = "paid_cac" if context.filters.of("channel") else "cac"

    def tile(kpi: str) -> tuple[str, str, str]:
        value = kpis.kpi_over_days(context.published, kpi, context.filters)
        definition = known.loc[kpi]
        return (
            definition["name"],
            write.kpi(value, definition["unit"]),
            escaped(definition["formula"]),
        )

    context.tiles(
        [
            tile("ad_spend"),
            (
                texts("new_customers"),
                write.number(customers),
                context.define(f"{MART}.new_customer_count"),
            ),
            tile(cac),
            tile("roas"),
        ]
    )


def _channels(context: Context, channels: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    context.section("channels", MART)
    rows = channels.copy()
    for column in ("spend_amount", "net_amount", "margin_after_ads_amount"):
        rows[column] = rows[column].map(lambda value: write.money(value, 0))
    for column in ("session_count", "lead_count", "new_customer_count"):
        rows[column] = rows[column].map(write.number)
    rows["conversion_rate"] = rows["conversion_rate"].map(write.percent)
    rows["cac"] = rows["cac"].map(write.money)
    rows["roas"] = rows["roas"].map(lambda value: write.number(value, 2))
    context.table(
        MART,
        rows,
        {
            "name": texts("channel"),
            "session_count": texts("sessions"),
            "conversion_rate": texts("conversion"),
            "lead_count": texts("leads"),
            "new_customer_count": texts("new_customers"),
            "spend_amount": texts("spend"),
            "net_amount": texts("net"),
            "margin_after_ads_amount": texts("margin_after_ads"),
            "cac": "CAC",
            "roas": "ROAS",
        },
        height=36 * len(rows) + 40,
    )
    context.download(channels.drop(columns=["name"]), "channels")


def _cac(context: Context, channels: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    context.section("cac_by_channel", f"{MART}.cac")
    rows = channels[channels["cac"].notna() & channels["is_paid"]].sort_values("cac")
    if rows.empty:
        st.info(texts("no_spend"), icon=":material/info:")
        return
    rows["text"] = rows["cac"].map(write.money)
    context.chart(charts.bars(rows, "name", "cac", "text"), texts("cac_by_channel"))


def _ltv_cac(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "ltv_cac_by_channel",
        "agg_channel_ltv_cac.ltv_cac_ratio",
        "agg_channel_ltv_cac.margin_amount",
        "agg_channel_ltv_cac.is_mature",
    )
    rows = acquisition.ltv_cac(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_ltv_cac"), icon=":material/hourglass_empty:")
        return
    name = context.namer("channel")
    rows["name"] = [
        name(channel) if scope == "channel" else texts(f"scope_{scope}")
        for scope, channel in zip(rows["channel_scope"], rows["channel"], strict=True)
    ]
    rows["text"] = rows["ltv_cac_ratio"].map(lambda value: write.number(value, 2))
    rows["note"] = [
        texts(
            "ltv_cac_note",
            margin=write.money(row.margin_per_customer),
            cac=write.money(row.cac),
            first=write.period(row.first_cohort_date, "month"),
            last=write.period(row.last_cohort_date, "month"),
        )
        for row in rows.itertuples()
    ]
    rows["colour"] = rows["is_mature"].map({True: charts.BLUE, False: charts.GREY})
    context.chart(
        charts.bars(
            rows,
            "name",
            "ltv_cac_ratio",
            "text",
            color="colour",
            tooltip=[tip("name"), tip("text", "LTV:CAC"), tip("note")],
            rule=BREAK_EVEN,
        ),
        texts("ltv_cac_by_channel"),
    )
    st.caption(texts("ltv_cac_cohorts"))


def _attribution(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "attribution",
        "agg_attribution_daily",
        "agg_attribution_daily.attribution_model",
        "agg_attribution_daily.attributed_net_amount",
    )
    rows = acquisition.attribution(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_rows"), icon=":material/info:")
        return
    models = context.names("attribution_model")
    name = context.namer("channel")
    order = rows.groupby("channel")["net_share"].sum().sort_values(ascending=False).index
    rows["name"] = rows["channel"].map(name)
    rows["model"] = rows["attribution_model"].map(lambda code: models.get(code, code))
    rows["text"] = rows["net_share"].map(write.percent)
    rows["amount"] = rows["attributed_net_amount"].map(lambda value: write.money(value, 0))
    context.chart(
        charts.grid(
            rows,
            x="model",
            y="name",
            value="net_share",
            text="text",
            tooltip=[
                tip("name"),
                tip("model"),
                tip("text", texts("share")),
                tip("amount", texts("net")),
            ],
            x_sort=list(models.values()),
            y_sort=[name(code) for code in order],
        ),
        texts("attribution"),
        wide="attribution",
    )
    st.caption(texts("attribution_note"))
    context.download(rows.drop(columns=["name", "model", "text", "amount"]), "attribution")


def _over_time(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section("cac_over_time", f"{MART}.day_blended_cac")
    period = context.choices.one(
        "by",
        texts("by_period"),
        ["week", "month"],
        lambda code: texts(f"every_{code}"),
        default="month",
        widget=partial(st.segmented_control, required=True),
        label_visibility="collapsed",
    )
    rows = acquisition.channels_over_time(context.published, period, context.filters)
    rows = rows[rows["cac"].notna()]
    if rows.empty:
        st.info(texts("no_spend"), icon=":material/info:")
        return
    rows["text"] = [
        f"{write.money(cac)} ({write.money(spend, 0)} / {write.number(customers)})"
        for cac, spend, customers in zip(
            rows["cac"], rows["spend_amount"], rows["new_customer_count"], strict=True
        )
    ]
    context.chart(
        charts.lines(rows, "period_start_date", "cac", text="text"), texts("cac_over_time")
    )

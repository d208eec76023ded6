"""Overview: how the KPIs stand against target, benchmark and season; what gave alarm."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import kpis
from dashboards.filters import PARTS, Filters
from dashboards.formats import NOTHING
from dashboards.layout import Context, NothingToShow, escaped

HEADLINES = (
    "net_revenue",
    "orders",
    "aov",
    "session_conversion_rate",
    "visitors",
    "new_customers",
    "cac",
    "cart_abandonment_rate",
)
SHOWN_PERIODS = {"week": 53, "month": 25, "quarter": 12}
STATUS_MARKS = {"on_target": "●", "watch": "◐", "off_target": "▼", "anomaly": "▲"}
GOOD = {"up": "normal", "down": "inverse", "neutral": "off"}


def show(context: Context) -> None:
    """The page."""
    texts, choices = context.texts, context.choices
    periods = context.names("kpi_period")
    period = choices.one(
        "by",
        texts("by_period"),
        [code for code in periods if code in SHOWN_PERIODS],
        lambda code: periods[code],
        default="month",
        widget=partial(st.segmented_control, required=True),
    )
    scores = kpis.scorecard(context.published, period, context.filters.last_date)
    if scores.empty:
        _so_far(context, periods[period])
        return
    scores["name"] = context.own(scores, "kpi_name")
    _headlines(context, scores, period)
    _over_time(context, scores, period)
    _alerts(context)
    _scorecard(context, scores, period)


def _headlines(context: Context, scores: pd.DataFrame, period: str) -> None:
    write, texts = context.write, context.texts
    by_kpi = scores.set_index("kpi")
    shown = [kpi for kpi in HEADLINES if kpi in by_kpi.index]
    for row in (shown[:4], shown[4:]):
        for column, kpi in zip(st.columns(4, gap="small"), row, strict=False):
            score = by_kpi.loc[kpi]
            against = []
            if pd.notna(score["target_value"]):
                against.append(
                    f"{texts('target')} {write.kpi(score['target_value'], score['unit'])}"
                )
            if pd.notna(score["benchmark_low"]):
                against.append(f"{texts('benchmark')} {_benchmark(context, score)}")
            if pd.notna(score["expected_value"]):
                expected = write.kpi(score["expected_value"], score["unit"])
                against.append(f"{texts('expected')} {expected}")
            with column:
                st.metric(
                    f"{score['name']}",
                    write.kpi(score["kpi_value"], score["unit"]),
                    delta=write.delta(write.change(score["change_ratio"]))
                    if pd.notna(score["change_ratio"])
                    else None,
                    delta_color=GOOD[score["direction"]],  # type: ignore[arg-type]
                    height="stretch",
                    help=escaped(
                        "\n\n".join(
                            [
                                score["formula"],
                                f"{write.period(score['period_start_date'], period)}"
                                f" · {_status(context, score['status'])}",
                                *against,
                            ]
                        )
                    ),
                    border=True,
                )
    st.caption(
        texts(
            "scorecard_period",
            period=write.period(scores["period_start_date"].max(), period),
            before=texts(f"before_{period}"),
        )
    )


def _so_far(context: Context, period: str) -> None:
    """The days of a shop so young that none of its periods is over."""
    write, filters = context.write, context.filters
    known = kpis.definitions(context.published)
    known["name"] = context.own(known, "kpi_name")
    whole = Filters(filters.first_date, filters.last_date)
    tiles = []
    for row in known.set_index("kpi").loc[list(HEADLINES)].itertuples():
        value = kpis.kpi_over_days(context.published, str(row.Index), whole)
        if row.is_sum_of_days and value is not None:
            tiles.append((row.name, write.kpi(value, row.unit), escaped(row.formula)))
    if not tiles:
        raise NothingToShow(context.texts("no_kpis"))
    for shown in (tiles[:4], tiles[4:]):
        context.tiles([*shown, *[None] * (4 - len(shown))])
    st.info(
        context.texts(
            "so_far",
            period=period.lower(),
            last=write.day(filters.last_date),
        ),
        icon=":material/hourglass_empty:",
    )


def _over_time(context: Context, scores: pd.DataFrame, period: str) -> None:
    texts, write = context.texts, context.write
    names = dict(zip(scores["kpi"], scores["name"], strict=True))
    part = kpis.part_to_tell(context.filters)
    left, right = st.columns([3, 1.4], vertical_alignment="bottom")
    with right:
        kpi = context.choices.one(
            "kpi",
            "KPI",
            sorted(names, key=lambda code: names[code]),
            lambda code: names[code],
            default="net_revenue",
        )
    score = scores.set_index("kpi").loc[kpi]
    unit = score["unit"]
    with left:
        st.subheader(names[kpi], help=escaped(score["formula"]), anchor=False)
    is_share = unit == "share"
    if part:
        if len([name for name in PARTS if context.filters.of(name)]) > 1:
            st.caption(texts("one_part", part=texts(part).lower()))
        definitions = kpis.definitions(context.published).set_index("kpi")
        rows = kpis.kpi_by_part(context.published, kpi, period, context.filters)
        if rows.empty or not definitions.loc[kpi, "is_sum_of_days"]:
            st.info(texts("kpi_not_by_part", part=texts(part).lower()), icon=":material/info:")
            return
        name = context.namer("channel" if part == "channel" else "")
        rows["name"] = rows["code"].map(name)
        rows["text"] = rows["kpi_value"].map(lambda value: write.kpi(value, unit))
        context.chart(
            charts.lines(
                rows, "period_start_date", "kpi_value", "name", is_share, "text", height=320
            ),
            names[kpi],
        )
        return
    rows = kpis.kpi_periods(
        context.published, kpi, period, context.filters.last_date, SHOWN_PERIODS[period]
    )
    rows["text"] = rows["kpi_value"].map(lambda value: write.kpi(value, unit))
    rows["target_text"] = rows["target_value"].map(lambda value: write.kpi(value, unit))
    rows["band_text"] = [
        NOTHING
        if pd.isna(low) or pd.isna(high)
        else f"{write.kpi(low, unit)} … {write.kpi(high, unit)}"
        for low, high in zip(rows["expected_low"], rows["expected_high"], strict=True)
    ]
    rows["is_alarm"] = rows["status"].isin(["anomaly", "off_target"])
    legend = {
        "value": texts("value"),
        "year_ago": texts("year_ago"),
        "target": texts("target"),
        "expected": texts("expected_band"),
    }
    context.chart(charts.band(rows, is_share, legend), names[kpi])
    st.caption(
        texts("band_note"),
        help=context.define(
            "fct_kpi_scorecard.expected_low",
            "fct_kpi_scorecard.expected_high",
            "fct_kpi_scorecard.expected_value",
            "fct_kpi_scorecard.status",
        ),
    )


def _alerts(context: Context) -> None:
    texts, write = context.texts, context.write
    context.section(
        "alerts",
        "fct_kpi_alerts",
        "fct_kpi_alerts.severity",
        "fct_kpi_alerts.reference_value",
        "fct_kpi_alerts.contribution_share",
    )
    rows = kpis.alerts(context.published, context.filters)
    if rows.empty:
        st.info(texts("no_alerts"), icon=":material/check_circle:")
        return
    part_name = context.namer("channel")
    rows["severity"] = [
        f"{'■' * {'high': 3, 'medium': 2}.get(severity, 1)} {texts.code(severity)}"
        for severity in rows["severity"]
    ]
    rows["name"] = context.own(rows, "kpi_name")
    rows["dimension_value"] = [
        texts("whole_shop") if dimension == "total" else part_name(value)
        for dimension, value in zip(rows["dimension"], rows["dimension_value"], strict=True)
    ]
    periods = context.names("kpi_period")
    rows["period"] = rows["period"].map(periods)
    for column in ("kpi_value", "reference_value"):
        rows[column] = [
            write.kpi(value, unit) for value, unit in zip(rows[column], rows["unit"], strict=True)
        ]
    rows["deviation_ratio"] = rows["deviation_ratio"].map(write.change)
    rows["explained_by_value"] = [
        NOTHING if pd.isna(dimension) else f"{texts(dimension)}: {part_name(value)}"
        for dimension, value in zip(
            rows["explained_by_dimension"], rows["explained_by_value"], strict=True
        )
    ]
    rows["state"] = rows["is_open"].map({True: texts("open"), False: texts("closed")})
    for column in ("since_date", "until_date"):
        rows[column] = rows[column].map(write.day)
    context.table(
        "fct_kpi_alerts",
        rows,
        {
            "state": texts("state"),
            "severity": texts("severity"),
            "name": "KPI",
            "dimension_value": texts("where"),
            "period": texts("by_period"),
            "since_date": texts("since"),
            "until_date": texts("until"),
            "kpi_value": texts("value"),
            "reference_value": texts("instead_of"),
            "deviation_ratio": texts("deviation"),
            "explained_by_value": texts("explained_by"),
        },
        height=min(36 * len(rows) + 38, 300),
    )


def _scorecard(context: Context, scores: pd.DataFrame, period: str) -> None:
    texts, write = context.texts, context.write
    context.section(
        "scorecard",
        "fct_kpi_scorecard",
        "fct_kpi_scorecard.status",
        "fct_kpi_scorecard.target_value",
        "fct_kpi_scorecard.benchmark_low",
        "fct_kpi_scorecard.expected_value",
    )
    rows = scores.copy()
    rows["objective"] = rows["objective"].map(texts.code)
    rows["benchmark_low"] = [_benchmark(context, row) for _, row in scores.iterrows()]
    for column in ("kpi_value", "target_value", "expected_value"):
        rows[column] = [
            write.kpi(value, unit) for value, unit in zip(rows[column], rows["unit"], strict=True)
        ]
    for column in ("change_ratio", "year_ago_change_ratio"):
        rows[column] = rows[column].map(write.change)
    rows["status"] = [_status(context, status) for status in rows["status"]]
    context.table(
        "fct_kpi_scorecard",
        rows,
        {
            "objective": texts("objective"),
            "name": "KPI",
            "kpi_value": texts("value"),
            "change_ratio": texts(f"before_{period}"),
            "year_ago_change_ratio": texts("year_ago"),
            "target_value": texts("target"),
            "benchmark_low": texts("benchmark"),
            "expected_value": texts("expected"),
            "status": texts("status"),
            "formula": texts("definition"),
        },
        height=460,
    )
    context.download(scores.drop(columns=["name"]), f"scorecard_{period}")


def _benchmark(context: Context, score: pd.Series) -> str:
    low, high, unit = score["benchmark_low"], score["benchmark_high"], score["unit"]
    if pd.isna(low) or low == high:
        return context.write.kpi(low, unit)
    return f"{context.write.kpi(low, unit)} … {context.write.kpi(high, unit)}"


def _status(context: Context, status: object) -> str:
    if not isinstance(status, str):
        return f"○ {context.texts('not_judged')}"
    return f"{STATUS_MARKS[status]} {context.texts.code(status)}"

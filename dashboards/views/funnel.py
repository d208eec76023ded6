"""Funnel: any funnel, where it loses people, how long it takes, against the period before."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import funnels
from dashboards.layout import Context, tip


def show(context: Context) -> None:
    """The page."""
    texts, choices, published = context.texts, context.choices, context.published
    names = context.names("funnel")
    left, middle, right = st.columns([2, 2, 2], vertical_alignment="bottom")
    with left:
        funnel = choices.one(
            "funnel", texts("page_funnel"), list(names), lambda code: names[code], "journey"
        )
    with middle:
        breakdown = choices.one(
            "split",
            texts("breakdown"),
            ["none", *funnels.BREAKDOWNS],
            lambda code: texts(f"split_{code}"),
        )
    with right:
        period = choices.one(
            "by",
            texts("by_period"),
            ["week", "month"],
            lambda code: texts(f"every_{code}"),
            widget=partial(st.segmented_control, required=True),
        )
    steps = context.need(funnels.funnel_steps(published, funnel, context.filters), "no_funnel")
    before = funnels.funnel_steps(published, funnel, context.filters.before())
    step_names = context.names("funnel_step")
    for rows in (steps, before):
        rows["name"] = [
            step_names.get(f"{funnel}.{number}", name)
            for number, name in zip(rows["step_number"], rows["step_name"], strict=True)
        ]
    _tiles(context, steps, before)
    if steps["mature_entry_count"].iloc[0] > 0:
        _funnel(context, steps, before)
    if breakdown != "none":
        _by_part(
            context, funnel, breakdown, dict(zip(steps["step_number"], steps["name"], strict=True))
        )
    left, right = st.columns(2, gap="large")
    with left:
        _over_time(context, funnel, period)
    with right:
        _times(context, funnel, dict(zip(steps["step_number"], steps["name"], strict=True)))


def _tiles(context: Context, steps: pd.DataFrame, before: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    last = steps.iloc[-1]
    worst = steps.iloc[1:].dropna(subset="drop_off_rate").sort_values("drop_off_rate").tail(1)
    earlier = before["conversion_rate"].iloc[-1] if not before.empty else None
    columns = st.columns(4, gap="small")
    with columns[0]:
        st.metric(
            texts("entries"),
            write.number(steps["mature_entry_count"].iloc[0]),
            help=context.define("agg_funnel_daily.mature_entry_count"),
            border=True,
            height="stretch",
        )
    with columns[1]:
        points = None
        if earlier is not None and pd.notna(earlier) and pd.notna(last["conversion_rate"]):
            change = 100 * (last["conversion_rate"] - earlier)
            points = f"{'+' if change > 0 else ''}{write.number(change, 1)} {texts('points')}"
        st.metric(
            texts("conversion"),
            write.percent(last["conversion_rate"]),
            delta=write.delta(points) if points else None,
            help=context.define("agg_funnel_steps.conversion_rate"),
            border=True,
            height="stretch",
        )
    with columns[2]:
        st.metric(
            texts("converted"),
            write.number(last["reached_count"]),
            help=context.define("agg_funnel_daily.mature_reached_count"),
            border=True,
            height="stretch",
        )
    with columns[3]:
        st.metric(
            texts("breaking_point"),
            "–" if worst.empty else worst["name"].iloc[0],
            help=context.define(
                "agg_funnel_steps.is_breaking_point", "agg_funnel_steps.drop_off_rate"
            ),
            border=True,
            height="stretch",
        )
    waiting = int(steps["entry_count"].iloc[0] - steps["mature_entry_count"].iloc[0])
    if waiting:
        st.caption(texts("immature_entries", count=write.number(waiting)))


def _funnel(context: Context, steps: pd.DataFrame, before: pd.DataFrame) -> None:
    texts, write = context.texts, context.write
    context.section(
        "funnel_steps",
        "agg_funnel_daily",
        "agg_funnel_daily.mature_reached_count",
        "agg_funnel_steps.conversion_rate",
        "agg_funnel_steps.drop_off_rate",
    )
    earlier = before.set_index("step_number")["conversion_rate"] if not before.empty else {}
    worst = steps["drop_off_rate"].iloc[1:].max()
    rows = []
    for step in steps.itertuples():
        if step.step_number > 1 and pd.notna(step.drop_off_rate):
            lost = step.previous_reached_count - step.reached_count
            rows.append(
                {
                    "row": " " * step.step_number,
                    "kind": "worst" if step.drop_off_rate == worst else "drop",
                    "text": texts(
                        "lost_between",
                        share=write.percent(step.drop_off_rate),
                        count=write.number(lost),
                    ),
                }
            )
        rows.append(
            {
                "row": step.name,
                "kind": "step",
                "share": step.conversion_rate,
                "before": earlier.get(step.step_number),
                "text": f"{write.percent(step.conversion_rate)}"
                f" · {write.number(step.reached_count)}",
                "note": f"{step.name}: {write.number(step.reached_count)}",
                "note_before": write.percent(earlier.get(step.step_number)),
            }
        )
    for order, row in enumerate(rows):
        row["order"] = order
    frame = pd.DataFrame(rows)
    frame["before"] = frame["before"].astype(float)
    context.chart(charts.funnel(frame, texts("period_before")), texts("funnel_steps"))
    st.caption(texts("funnel_note", days=context.filters.days))


def _by_part(context: Context, funnel: str, breakdown: str, step_names: dict[int, str]) -> None:
    texts, write = context.texts, context.write
    rows = funnels.funnel_by_part(context.published, funnel, breakdown, context.filters)
    name = context.namer("channel" if breakdown == "channel" else "")
    context.section(
        "by_part", "agg_funnel_steps.step_conversion_rate", "agg_funnel_steps.conversion_rate"
    )
    rows["part"] = [
        f"{name(code)} ({write.number(count)})"
        for code, count in zip(rows["code"], rows["mature_entry_count"], strict=True)
    ]
    rows["step"] = rows["step_number"].map(step_names)
    rows["text"] = rows["conversion_rate"].map(write.percent)
    rows["kept"] = rows["step_conversion_rate"].map(write.percent)
    shown = rows[rows["step_number"] > 1]
    context.chart(
        charts.grid(
            shown,
            x="step",
            y="part",
            value="step_conversion_rate",
            text="text",
            tooltip=[
                tip("part"),
                tip("step"),
                tip("text", texts("of_entries")),
                tip("kept", texts("of_step")),
            ],
            x_sort=list(step_names.values()),
            y_sort=list(dict.fromkeys(rows["part"])),
        ),
        texts("by_part"),
        wide="funnel_by_part",
    )
    st.caption(texts("by_part_note"))
    context.download(
        rows[
            [
                "code",
                "step_number",
                "step_name",
                "mature_entry_count",
                "reached_count",
                "conversion_rate",
                "step_conversion_rate",
                "drop_off_rate",
            ]
        ],
        f"funnel_{funnel}_{breakdown}",
    )


def _over_time(context: Context, funnel: str, period: str) -> None:
    texts, write = context.texts, context.write
    context.section("conversion_over_time", "agg_funnel_steps.conversion_rate")
    rows = funnels.funnel_over_time(context.published, funnel, period, context.filters)
    rows = rows[rows["is_mature"]]
    if rows.empty:
        st.info(texts("not_mature"), icon=":material/hourglass_empty:")
        return
    rows["text"] = [
        f"{write.percent(rate)} ({write.number(reached)} / {write.number(entries)})"
        for rate, reached, entries in zip(
            rows["conversion_rate"], rows["reached_count"], rows["mature_entry_count"], strict=True
        )
    ]
    context.chart(
        charts.lines(rows, "period_start_date", "conversion_rate", percent=True, text="text"),
        texts("conversion_over_time"),
    )


def _times(context: Context, funnel: str, step_names: dict[int, str]) -> None:
    texts, write = context.texts, context.write
    context.section(
        "time_to_convert",
        "agg_funnel_steps.seconds_to_convert_p25",
        "agg_funnel_steps.seconds_to_convert_median",
        "agg_funnel_steps.seconds_to_convert_p75",
    )
    rows = funnels.times_to_convert(context.published, funnel, context.filters)
    rows = rows[rows["seconds_to_convert_median"].notna()]
    if rows.empty:
        st.info(texts("not_mature"), icon=":material/hourglass_empty:")
        return
    rows["step"] = rows["step_number"].map(step_names)
    for quantile in ("p25", "median", "p75"):  # a logarithm needs more than nothing
        rows[quantile] = rows[f"seconds_to_convert_{quantile}"].clip(lower=1)
    rows["text"] = [
        f"{write.duration(middle)}  ({write.duration(low)} – {write.duration(high)})"
        for low, middle, high in zip(
            rows["seconds_to_convert_p25"],
            rows["seconds_to_convert_median"],
            rows["seconds_to_convert_p75"],
            strict=True,
        )
    ]
    context.chart(
        charts.spans(
            rows,
            label="step",
            low="p25",
            middle="median",
            high="p75",
            text="text",
            log=True,
        ),
        texts("time_to_convert"),
    )
    st.caption(
        texts(
            "times_note",
            month=write.period(rows["period_start_date"].iloc[0], "month"),
        )
    )

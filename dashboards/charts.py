"""Charts of few colours that colour-blind readers tell apart (after Okabe and Ito).

Texts come formatted in columns of their own, so that every number reads as on the rest of the page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboards.formats import MONTHS

BLUE, ORANGE, GREEN, SKY = "#0a5c97", "#c2510c", "#007a5e", "#8fbcdb"
GREY, PALE, INK, MUTED = "#9aa5b1", "#e4e9ee", "#1f2933", "#52606d"
PARTS = [BLUE, "#e69f00", GREEN, "#cc79a7", "#56b4e9", ORANGE, "#6b7785", "#b8a200"]
SEQUENCE = ["#eef4f9", "#b9d5ea", "#6aa6d3", "#2b7bb9", "#0a4a7d"]
DIVERGING = [ORANGE, "#f1c9ad", "#f4f6f8", "#a9cbe4", BLUE]
FONT = "system-ui, -apple-system, Segoe UI, Liberation Sans, sans-serif"
MOST_TICKS = 9
# Pixels of a character of the texts beside bars; a telephone has little room for labels.
CHARACTER = 7.2
LABEL_LIMIT = "windowSize()[0] < 640 ? 140 : 220"
MONTH_FORMAT, DAY_FORMAT = "%b %Y", "%-d %b"

Chart = alt.Chart | alt.LayerChart | alt.FacetChart


def finish(chart: Chart, height: int | None = None) -> Chart:
    """The look that all charts share."""
    if height is not None:
        chart = chart.properties(height=height)
    finished: Chart = (
        chart.configure(font=FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED,
            titleColor=MUTED,
            titleFontWeight="normal",
            gridColor=PALE,
            domainColor=PALE,
            tickColor=PALE,
            labelFontSize=12,
            titleFontSize=12,
            labelLimit=alt.ExprRef(LABEL_LIMIT),
        )
        .configure_legend(
            orient="top",
            title=None,
            labelColor=INK,
            labelFontSize=12,
            symbolType="circle",
            symbolOpacity=1,
        )
        .configure_text(fontSize=12, color=INK)
    )
    return finished


def in_language(chart: Chart, language: str) -> dict[str, Any]:
    """The chart as Vega-Lite, with the axes of a language: Vega itself writes English ones."""
    # Altair's own check of every part takes longer than all queries of a page.
    specification = chart.to_dict(validate=False)
    if language != "en":
        _translate_axes(specification, MONTHS[language])
    return specification


def _translate_axes(spec: Any, months: Sequence[str]) -> None:
    for part in spec.values() if isinstance(spec, dict) else spec:
        if isinstance(part, dict | list):
            _translate_axes(part, months)
    axis = spec.get("axis") if isinstance(spec, dict) else None
    if isinstance(axis, dict) and "format" in axis:
        month = f"{json.dumps(list(months))}[month(datum.value)]"
        percent = re.fullmatch(r"(\+?)\.(\d)%", axis["format"])
        if axis["format"] == MONTH_FORMAT:
            axis["labelExpr"] = f"{month} + ' ' + year(datum.value)"
        elif axis["format"] == DAY_FORMAT:
            axis["labelExpr"] = f"date(datum.value) + ' ' + {month}"
        elif percent:
            number = f"format(100 * datum.value, '{percent[1]}.{percent[2]}f')"
            axis["labelExpr"] = f"replace({number}, '.', ',') + '\u00a0%'"
        else:
            axis["labelExpr"] = "replace(datum.label, '.', ',')"


def _day_axis(days: pd.Series[Any]) -> alt.Axis:
    """Ticks where periods begin, few enough to be read."""
    starts = sorted(pd.to_datetime(days).unique())
    step = -(-len(starts) // MOST_TICKS)
    is_monthly = all(start.day == 1 for start in starts)
    return alt.Axis(
        grid=False,
        ticks=False,
        format=MONTH_FORMAT if is_monthly else DAY_FORMAT,
        labelOverlap=True,
        values=[
            alt.DateTime(year=start.year, month=start.month, date=start.day)
            for start in starts[::-1][::step]
        ],
    )


def funnel(rows: pd.DataFrame, no_change: str) -> Chart:
    """Steps from top to bottom, each a bar of its share of entries, what is lost between them.

    Columns: row (label, unique), order, share, before (share of the period before, or NULL), text,
    kind (step, drop, worst), note.
    """
    order = rows.sort_values("order")["row"].tolist()
    is_step = rows["kind"] == "step"
    base = alt.Chart(rows).encode(
        y=alt.Y("row:N", sort=order, title=None, axis=alt.Axis(domain=False, ticks=False))
    )
    bars = (
        base.transform_filter("datum.kind == 'step'")
        .mark_bar(color=BLUE, height=30, cornerRadiusEnd=3)
        .encode(
            x=alt.X(
                "share:Q",
                title=None,
                axis=None,
                scale=alt.Scale(domain=[0, 1], range=_beside(rows["text"][is_step])),
            ),
            tooltip=[alt.Tooltip("note:N", title=" ")],
        )
    )
    before = (
        base.transform_filter("datum.kind == 'step' && isValid(datum.before)")
        .mark_tick(color=ORANGE, thickness=2.5, size=36)
        .encode(x="before:Q", tooltip=[alt.Tooltip("note_before:N", title=no_change)])
    )
    texts = (
        base.transform_filter("datum.kind == 'step'")
        .transform_calculate(at="max(datum.share, isValid(datum.before) ? datum.before : 0)")
        .mark_text(align="left", dx=8, fontWeight=600)
        .encode(x="at:Q", text="text:N")
    )
    lost = (
        base.transform_filter("datum.kind != 'step'")
        .mark_text(align="left", dx=2)
        .encode(
            x=alt.datum(0),
            text="text:N",
            color=alt.condition("datum.kind == 'worst'", alt.value(ORANGE), alt.value(MUTED)),
        )
    )
    return finish(alt.layer(bars, before, texts, lost), 36 * len(order))


def _beside(texts: pd.Series[Any]) -> list[Any]:
    """The pixels that bars have where their texts stand beside them, in a chart of any width."""
    room = CHARACTER * int(texts.str.len().max()) + 14
    return [0, alt.ExprRef(f"max(width - {room:.0f}, width / 5)")]


def bars(
    rows: pd.DataFrame,
    label: str,
    value: str,
    text: str,
    color: str | None = None,
    sort: Sequence[str] | None = None,
    tooltip: Sequence[Any] = (),
    rule: float | None = None,
) -> Chart:
    """Horizontal bars with their numbers beside them; `color` is a column that holds colours."""
    lowest, highest = rows[value].min(), rows[value].max()
    domain = [min(0.0, float(lowest)), float(highest) or 1.0] if pd.notna(highest) else [0.0, 1.0]
    base = alt.Chart(rows).encode(
        y=alt.Y(
            f"{label}:N",
            sort=list(sort if sort is not None else rows[label]),
            title=None,
            axis=alt.Axis(domain=False, ticks=False),
        ),
        x=alt.X(
            f"{value}:Q",
            title=None,
            axis=None,
            scale=alt.Scale(domain=domain, range=_beside(rows[text]), nice=False),
        ),
        tooltip=list(tooltip)
        or [alt.Tooltip(f"{label}:N", title=" "), alt.Tooltip(f"{text}:N", title=" ")],
    )
    marks = base.mark_bar(height=18, cornerRadiusEnd=3, color=BLUE)
    if color:
        marks = marks.encode(color=alt.Color(f"{color}:N", scale=None))
    layers = [marks, base.mark_text(align="left", dx=6).encode(text=f"{text}:N")]
    if rule is not None:
        layers.append(
            alt.Chart(pd.DataFrame({"x": [rule]}))
            .mark_rule(color=INK, strokeDash=[4, 3])
            .encode(x="x:Q")
        )
    return finish(alt.layer(*layers), max(60, 30 * rows[label].nunique()))


def lines(
    rows: pd.DataFrame,
    day: str,
    value: str,
    name: str | None = None,
    percent: bool = False,
    text: str | None = None,
    height: int = 260,
    zero: bool = True,
) -> Chart:
    """Values over time, one line a name; a lone point is a point."""
    axis = alt.Axis(format=".0%" if percent else "~s", domain=False, ticks=False, tickCount=5)
    chart = alt.Chart(rows).encode(
        x=alt.X(f"{day}:T", title=None, axis=_day_axis(rows[day])),
        y=alt.Y(f"{value}:Q", title=None, axis=axis, scale=alt.Scale(zero=zero)),
        tooltip=[
            *([alt.Tooltip(f"{name}:N", title=" ")] if name else []),
            alt.Tooltip(f"{day}:T", title=" ", format="%Y-%m-%d"),
            alt.Tooltip(f"{text or value}:{'N' if text else 'Q'}", title=" "),
        ],
    )
    if name:
        chart = chart.encode(
            color=alt.Color(
                f"{name}:N", sort=list(rows[name].unique()), scale=alt.Scale(range=PARTS)
            )
        )
    mark: dict[str, Any] = {"strokeWidth": 2, "point": {"size": 28, "filled": True}}
    if not name:
        mark["color"] = BLUE
    return finish(chart.mark_line(**mark), height)


def band(rows: pd.DataFrame, percent: bool, names: dict[str, str]) -> Chart:
    """A KPI by period: its line, the band that was to be expected, a year ago, and the target.

    Columns: period_start_date, kpi_value, year_ago_value, expected_low, expected_high,
    target_value, status, text, band_text.
    """
    x = alt.X("period_start_date:T", title=None, axis=_day_axis(rows["period_start_date"]))
    axis = alt.Axis(format=".0%" if percent else "~s", domain=False, ticks=False, tickCount=5)
    named = rows.assign(**{f"name_{key}": name for key, name in names.items()})
    base = alt.Chart(named).encode(x=x)

    def colour(name: str) -> alt.Color:
        return alt.Color(
            f"name_{name}:N",
            scale=alt.Scale(
                domain=[names[key] for key in ("value", "year_ago", "target", "expected")],
                range=[BLUE, GREY, INK, SKY],
            ),
        )

    tooltip = [
        alt.Tooltip("period_start_date:T", title=" ", format="%Y-%m-%d"),
        alt.Tooltip("text:N", title=names["value"]),
        alt.Tooltip("band_text:N", title=names["expected"]),
        alt.Tooltip("target_text:N", title=names["target"]),
    ]
    # A band around a sum may reach below nothing, which no sum does.
    is_positive = not (rows["kpi_value"] < 0).any()
    scale = alt.Scale(domainMin=0) if is_positive else alt.Scale()
    area = base.mark_area(opacity=0.28, clip=True).encode(
        y=alt.Y("expected_low:Q", title=None, axis=axis, scale=scale),
        y2="expected_high:Q",
        color=colour("expected"),
    )
    year_ago = base.mark_line(strokeDash=[2, 3], strokeWidth=1.5).encode(
        y="year_ago_value:Q", color=colour("year_ago")
    )
    target = base.mark_line(strokeDash=[6, 4], strokeWidth=1.5, interpolate="step-after").encode(
        y="target_value:Q", color=colour("target")
    )
    value = base.mark_line(strokeWidth=2.5).encode(y="kpi_value:Q", color=colour("value"))
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        y="kpi_value:Q",
        color=alt.condition("datum.is_alarm", alt.value(ORANGE), alt.value(BLUE)),
        shape=alt.condition("datum.is_alarm", alt.value("triangle-up"), alt.value("circle")),
        tooltip=tooltip,
    )
    return finish(alt.layer(area, year_ago, target, value, points), 320)


def grid(
    rows: pd.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    text: str,
    tooltip: Sequence[Any],
    x_sort: Sequence[Any] | None = None,
    y_sort: Sequence[Any] | None = None,
    x_title: str | None = None,
    y_title: str | None = None,
    colours: Sequence[str] = tuple(SEQUENCE),
    domain: Sequence[float] | None = None,
    immature: str | None = None,
    row_height: int = 30,
    is_whole: bool = False,
) -> Chart:
    """A heat map with its numbers in it; what `immature` marks is grey and struck through.

    A whole one has a place for each value of `x_sort` and `y_sort`, also where no row has it.
    """
    x_axis = alt.Axis(orient="top", domain=False, ticks=False, labelAngle=0, labelOverlap=True)
    base = alt.Chart(rows).encode(
        x=alt.X(
            f"{x}:O",
            sort=list(x_sort) if x_sort is not None else None,
            title=x_title,
            axis=x_axis,
            scale=alt.Scale(domain=list(x_sort)) if is_whole and x_sort else alt.Undefined,
        ),
        y=alt.Y(
            f"{y}:O",
            sort=list(y_sort) if y_sort is not None else None,
            title=y_title,
            axis=alt.Axis(domain=False, ticks=False),
            scale=alt.Scale(domain=list(y_sort)) if is_whole and y_sort else alt.Undefined,
        ),
        tooltip=list(tooltip),
    )
    is_known = f"isValid(datum['{value}'])" + (f" && !datum['{immature}']" if immature else "")
    lowest, highest = domain or (float(rows[value].min()), float(rows[value].max()))
    middle = lowest + 0.55 * (highest - lowest)
    scale: dict[str, Any] = {"range": list(colours)}
    if highest > lowest:
        scale["domain"] = [lowest, highest]
    cells = (
        base.transform_filter(is_known)
        .mark_rect(stroke="white", strokeWidth=2)
        .encode(color=alt.Color(f"{value}:Q", scale=alt.Scale(**scale), legend=None))
    )
    is_dark = f"datum['{value}'] > {middle}" if colours is not DIVERGING else "false"
    texts = (
        base.transform_filter(is_known)
        .mark_text(fontSize=11)
        .encode(text=f"{text}:N", color=alt.condition(is_dark, alt.value("white"), alt.value(INK)))
    )
    layers = [cells, texts]
    if immature:
        waiting = base.transform_filter(f"datum['{immature}']")
        layers += [
            waiting.mark_rect(color="#eceff2", stroke="white", strokeWidth=2),
            waiting.mark_text(color=GREY, fontSize=13).encode(text=alt.datum("╱╱")),
        ]
    row_count = len(y_sort) if is_whole and y_sort else rows[y].nunique()
    return finish(alt.layer(*layers), row_height * row_count + 30)


def spans(
    rows: pd.DataFrame,
    *,
    label: str,
    low: str,
    middle: str,
    high: str,
    text: str,
    percent: bool = False,
    zero: bool = False,
    colour: str | None = None,
    log: bool = False,
) -> Chart:
    """An interval a row with its middle: quartiles, or a lift with its confidence."""
    lowest, highest = float(rows[low].min()), float(rows[high].max())
    scale = (
        alt.Scale(type="log", domain=[lowest / 8, highest * 4], nice=False)
        if log
        else alt.Scale(padding=60)
    )
    axis = alt.Axis(
        format="+.0%" if percent else "~s",
        domain=False,
        ticks=False,
        tickCount=6,
        labels=not log,
        grid=not log,
    )
    base = alt.Chart(rows).encode(
        y=alt.Y(
            f"{label}:N",
            sort=list(rows[label]),
            title=None,
            axis=alt.Axis(domain=False, ticks=False),
        ),
        tooltip=[alt.Tooltip(f"{label}:N", title=" "), alt.Tooltip(f"{text}:N", title=" ")],
    )
    paint = alt.Color(f"{colour}:N", scale=None) if colour else alt.value(BLUE)
    layers = [
        base.mark_rule(strokeWidth=5, opacity=0.35, strokeCap="round").encode(
            x=alt.X(f"{low}:Q", title=None, axis=axis, scale=scale), x2=f"{high}:Q", color=paint
        ),
        base.mark_point(filled=True, size=90, opacity=1).encode(x=f"{middle}:Q", color=paint),
        base.mark_text(align="center", dy=-14).encode(x=f"{middle}:Q", text=f"{text}:N"),
    ]
    if zero:
        layers.insert(
            0,
            alt.Chart(pd.DataFrame({"x": [0]}))
            .mark_rule(color=MUTED, strokeDash=[4, 3])
            .encode(x="x:Q"),
        )
    return finish(alt.layer(*layers), 52 * len(rows) + 30)


def columns(rows: pd.DataFrame, x: str, value: str, text: str, x_title: str) -> Chart:
    """A distribution: upright bars side by side in their order, with their numbers on top."""
    base = alt.Chart(rows).encode(
        x=alt.X(
            f"{x}:N",
            sort=list(rows[x]),
            title=x_title,
            axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False),
        ),
        y=alt.Y(f"{value}:Q", title=None, axis=None),
        tooltip=[alt.Tooltip(f"{x}:N", title=" "), alt.Tooltip(f"{text}:N", title=" ")],
    )
    return finish(
        alt.layer(
            base.mark_bar(color=BLUE, cornerRadiusEnd=3),
            base.mark_text(dy=-8, fontSize=11).encode(text=f"{text}:N"),
        ),
        240,
    )


def calibration(rows: pd.DataFrame, x_title: str, y_title: str) -> Chart:
    """Predicted against actual: on the diagonal where the model is right."""
    highest = float(max(rows["predicted_mean"].max(), rows["actual_mean"].max(), 0.001))
    diagonal = (
        alt.Chart(pd.DataFrame({"x": [0, highest], "y": [0, highest]}))
        .mark_line(color=GREY, strokeDash=[4, 3])
        .encode(x="x:Q", y="y:Q")
    )
    axis: dict[str, Any] = {"domain": False, "ticks": False, "format": "~g", "tickCount": 5}
    points = (
        alt.Chart(rows)
        .mark_point(filled=True, color=BLUE, opacity=0.85)
        .encode(
            x=alt.X("predicted_mean:Q", title=x_title, axis=alt.Axis(**axis)),
            y=alt.Y("actual_mean:Q", title=y_title, axis=alt.Axis(**axis)),
            size=alt.Size("customer_count:Q", legend=None, scale=alt.Scale(range=[60, 300])),
            tooltip=[alt.Tooltip("text:N", title=" ")],
        )
    )
    return finish(alt.layer(diagonal, points), 280)

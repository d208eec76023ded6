"""What was to be expected of a KPI, period by period, written plainly from decision 0017.

Nothing here is shared with the models but the rows of the reference seeds.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from shops import PROJECT

REFERENCE = PROJECT / "seeds" / "reference"


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a reference seed."""
    with (REFERENCE / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@dataclass(frozen=True)
class Kind:
    """What a KPI is, as far as its expectation hangs on it."""

    is_volume: bool
    is_count: bool
    is_share_of_count: bool
    is_ratio_to_count: bool


@dataclass
class Point:
    """A KPI in a period: what it was, and what was to be expected."""

    start: date
    numerator: float
    weight: float
    value: float
    event: tuple[str, str] | None
    base: float | None = None
    expected: float | None = None
    spread: float | None = None
    references: list[Point] = field(default_factory=list, repr=False)

    @property
    def deviation_spreads(self) -> float | None:
        """How far off, in usual errors."""
        if self.expected is None or not self.spread:
            return None
        return (self.value - self.expected) / self.spread


def kinds() -> dict[str, Kind]:
    """What each KPI of ref_kpis is."""
    counted = {row["measure"]: row["is_counted"] == "true" for row in seed("ref_kpi_measures")}
    found = {}
    for row in seed("ref_kpis"):
        below = row["denominator_measure"]
        of_counts = bool(below) and counted[row["numerator_measure"]] and counted[below]
        found[row["kpi"]] = Kind(
            is_volume=not below,
            is_count=not below and counted[row["numerator_measure"]],
            is_share_of_count=of_counts and row["unit"] == "share",
            is_ratio_to_count=bool(below) and counted[below],
        )
    return found


def event_of(period: str, start: date) -> tuple[str, str] | None:
    """The event, and its first day, that a day or more than half of a week lies in."""
    length = {"day": 1, "week": 7}.get(period, 0)
    days = [start + timedelta(days=n) for n in range(length)]
    for row in seed_events():
        inside = [day for day in days if row[1] <= day <= row[2]]
        if len(inside) * 2 > length > 0:
            return row[0], row[1].isoformat()
    return None


_EVENTS: list[tuple[str, date, date]] = []


def seed_events() -> list[tuple[str, date, date]]:
    """The retail events, read once."""
    if not _EVENTS:
        _EVENTS.extend(
            (
                row["event"],
                date.fromisoformat(row["first_date"]),
                date.fromisoformat(row["last_date"]),
            )
            for row in seed("ref_retail_events")
        )
    return _EVENTS


def expect(kind: Kind, period: str, points: list[Point], settings: dict[str, Any]) -> list[Point]:
    """Fill in what was to be expected of each point, from those before it alone."""
    rule = next(row for row in seed("ref_kpi_periods") if row["period"] == period)
    by_start = {point.start: point for point in points}
    for number, point in enumerate(points):
        before = points[:number]
        _expect_one(kind, period, point, before, by_start, rule, settings)
    return points


def _expect_one(
    kind: Kind,
    period: str,
    point: Point,
    before: list[Point],
    by_start: dict[date, Point],
    rule: dict[str, str],
    settings: dict[str, Any],
) -> None:
    alike = [
        other
        for other in before
        if other.event is None
        and (period != "day" or other.start.weekday() == point.start.weekday())
    ][-int(rule["reference_count"]) :]
    zeros = sum(other.numerator == 0 for other in alike)
    if len(alike) >= int(rule["minimum_reference_count"]) and zeros <= settings[
        "kpi_largest_zero_share"
    ] * len(alike):
        kept = sorted(alike, key=lambda other: (other.value, other.start))[1:-1]
        whole = sum(other.weight for other in kept)
        point.base = sum(other.numerator for other in kept) / whole if whole else None
    season = _season(kind, period, point, before, by_start)
    if point.base is not None and season is not None:
        point.expected = point.base * season
    errors = [
        abs(other.value - other.expected) / _scale(kind, other)
        for other in before
        if other.expected is not None
    ][-int(rule["error_count"]) :]
    if point.expected is None or len(errors) < int(rule["minimum_error_count"]):
        return
    if kind.is_ratio_to_count and point.weight < settings["kpi_smallest_count"]:
        return
    usual = max(1.4826 * float(np.median(errors)), float(np.quantile(errors, 0.8)) / 1.2816)
    point.spread = max(
        max(usual, _chance(kind, point)) * _scale(kind, point),
        settings["kpi_smallest_spread_share"] * abs(point.expected),
    )


def _season(
    kind: Kind, period: str, point: Point, before: list[Point], by_start: dict[date, Point]
) -> float | None:
    if point.event is not None:
        name, first = point.event
        sums: dict[str, float] = defaultdict(float)
        for other in before:
            if other.event and other.event[0] == name and other.event[1] < first:
                if other.base is None:
                    continue
                sums["numerator"] += other.numerator
                sums["base"] += other.base
        return sums["numerator"] / sums["base"] if sums["base"] else None
    if kind.is_volume and period in ("month", "quarter"):
        other_year = by_start.get(point.start.replace(year=point.start.year - 1))
        if other_year and other_year.value > 0 and (other_year.base or 0) > 0:
            assert other_year.base is not None
            return other_year.value / other_year.base
    return 1.0


def _scale(kind: Kind, point: Point) -> float:
    if kind.is_volume:
        assert point.expected is not None
        return math.sqrt(max(abs(point.expected), 1))
    return 1 / math.sqrt(abs(point.weight))


def _chance(kind: Kind, point: Point) -> float:
    assert point.expected is not None
    if kind.is_count:
        return 1.0
    if kind.is_share_of_count and 0 <= point.expected <= 1:
        yes = (point.expected * point.weight + 1) / (point.weight + 2)
        no = ((1 - point.expected) * point.weight + 1) / (point.weight + 2)
        return math.sqrt(yes * no)
    return 0.0


Parts = dict[Any, tuple[float, float]]


def split(
    point: dict[str, float], parts: Parts, usual: Parts, *, is_volume: bool, period_count: int
) -> dict[Any, float]:
    """What each part did to the deviation of a whole from its reference value.

    Args:
        point: `value` and `reference` of the whole, and its usual value, `base`.
        parts: numerator and denominator of each part in the period.
        usual: the same, added up over the periods that it is compared with.
        is_volume: whether the KPI is no ratio.
        period_count: how many periods those are.
    """
    scale = point["reference"] / point["base"]
    names = {*parts, *usual}
    if is_volume:
        return {
            name: parts.get(name, (0, 0))[0] - scale * usual.get(name, (0, 0))[0] / period_count
            for name in names
        }
    whole = sum(denominator for _, denominator in parts.values())
    usual_whole = sum(denominator for _, denominator in usual.values())
    effects = {}
    for name in names:
        numerator, denominator = parts.get(name, (0, 0))
        usual_numerator, usual_denominator = usual.get(name, (0, 0))
        usual_rate = usual_numerator / usual_denominator if usual_denominator else point["base"]
        weight, usual_weight = denominator / whole, usual_denominator / usual_whole
        mix = (weight - usual_weight) * (usual_rate - point["base"]) * scale
        rate = weight * (numerator / denominator - usual_rate * scale) if denominator else 0
        effects[name] = mix + rate
    return effects

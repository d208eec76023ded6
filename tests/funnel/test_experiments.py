"""Experiments: random shops against outcomes counted by hand and scipy, and what chance makes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import numpy as np
import pyarrow as pa
import pytest
from differences import differences
from scipy import optimize, stats
from session_ledger import GAP, end_of_day, reporting_date
from shops import PROJECT, Row, dicts, item, small_shop, write_tables
from warehouses import Build, Dbt

from seeds.simulator.__main__ import demo as simulate

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Key = tuple[str, str, str]

SEED = 20240630
AS_OF = date(2024, 6, 30)
KNOWN_UNTIL = end_of_day(AS_OF)
WINDOW = timedelta(days=14)
MICROSECOND = timedelta(microseconds=1)
LEVEL, TARGET_POWER, MINIMUM_COUNT, MISMATCH_LEVEL = 0.05, 0.8, 10, 0.001
# Metric: numerator, denominator, whether each device counts once, more is better, lift to find.
METRICS = {
    "conversion_rate": ("order", "device", True, True, 0.1),
    "add_to_cart_rate": ("cart", "device", True, True, 0.1),
    "cart_to_order_rate": ("order", "cart", True, True, 0.1),
    "bounce_rate": ("bounce", "device", True, False, 0.1),
    "net_amount_per_device": ("net", "device", False, True, 0.1),
    "average_order_value": ("net", "orders", False, True, 0.05),
}


# The distributions


@pytest.fixture(scope="module")
def macros() -> Any:
    """The macros of macros/statistics.sql, which need nothing of dbt."""
    text = (PROJECT / "macros/statistics.sql").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=False).from_string(text).module


def evaluated(expression: str, **columns: Numbers) -> Numbers:
    """A SQL expression over columns; NULL becomes nan."""
    connection = duckdb.connect()
    connection.register("rows", pa.table(columns))
    result = connection.execute(f"select cast({expression} as double) as y from rows").fetchnumpy()
    return np.ma.filled(result["y"], np.nan)


def test_normal_tail_and_quantile_are_those_of_scipy(macros: Any) -> None:
    """P-values of any size, and the quantiles of any usual level, have at least seven digits."""
    z = np.linspace(-37, 37, 7401)
    found = evaluated(macros.normal_tail("z"), z=z)
    assert found == pytest.approx(stats.norm.sf(abs(z)), rel=1e-8, abs=0)
    assert found[abs(z) < 3] == pytest.approx(stats.norm.sf(abs(z[abs(z) < 3])), rel=1e-13)
    assert evaluated(macros.normal_below("z"), z=z) == pytest.approx(stats.norm.cdf(z), rel=1e-8)
    p = np.concatenate([np.logspace(-10, -1), np.linspace(0.1, 0.9, 801), 1 - np.logspace(-6, -1)])
    assert evaluated(macros.normal_quantile("p"), p=p) == pytest.approx(
        stats.norm.ppf(p), rel=1e-10, abs=1e-15
    )


@pytest.mark.parametrize(
    ("degrees", "tail", "quantile"),
    [(5.0, 3e-4, 2e-4), (10.5, 3e-6, 4e-6), (30.0, 2e-7, 2e-8), (1e4, 1e-9, 1e-12), (1e7, 1e-8, 0)],
)
def test_student_is_that_of_scipy(
    macros: Any, degrees: float, tail: float, quantile: float
) -> None:
    """Few degrees of freedom widen an interval as they should."""
    t = np.linspace(-8, 8, 801)
    found = evaluated(macros.student_as_normal("t", "v"), t=t, v=np.full_like(t, degrees))
    assert stats.norm.cdf(found) == pytest.approx(stats.t.cdf(t, degrees), rel=tail)
    z = np.array([1.959963984540054])
    found = evaluated(macros.student_quantile("z", "v"), z=z, v=np.array([degrees]))
    assert found == pytest.approx(stats.t.ppf([0.975], degrees), rel=quantile or 1e-14)


@pytest.mark.parametrize("degrees", range(1, 31))
def test_chi_square_is_that_of_scipy(macros: Any, degrees: int) -> None:
    """A split over up to 31 variants is judged exactly, from a perfect one to an impossible one."""
    x = np.concatenate([[0], np.logspace(-6, 3, 181)])
    found = evaluated(macros.chi_square_tail("x", "v"), x=x, v=np.full(len(x), degrees))
    assert found == pytest.approx(stats.chi2.sf(x, degrees), rel=1e-8, abs=0)


def test_chi_square_of_no_or_too_many_degrees_is_unknown(macros: Any) -> None:
    """Beyond what the series is written out for, there is no number rather than a wrong one."""
    found = evaluated(macros.chi_square_tail("x", "v"), x=np.ones(2), v=np.array([0, 31]))
    assert np.isnan(found).all()


# Outcomes, device by device


@dataclass
class Visit:
    """A session of a device: events in their order, each a minute after the one before."""

    started_at: datetime
    names: tuple[str, ...]
    order_status: str = ""
    order_cents: int = 0
    is_bot: bool = False
    is_purchase_lost: bool = False

    @property
    def ended_at(self) -> datetime:
        """The time of the last event that arrived."""
        return self.started_at + timedelta(minutes=len(self.kept_names) - 1)

    @property
    def kept_names(self) -> tuple[str, ...]:
        """The events that arrived."""
        return self.names[:-1] if self.is_purchase_lost else self.names

    @property
    def ordered_at(self) -> datetime | None:
        """The time of the order, which comes with the last event."""
        if not self.order_status:
            return None
        return self.started_at + timedelta(minutes=len(self.names) - 1)


@dataclass
class Exposure:
    """A row of the table of experiments."""

    experiment: str
    variant: str
    device: str
    exposed_at: datetime
    is_control: bool | None


@dataclass
class Outcome:
    """What one device did from its exposure on."""

    bounce: int
    cart: int
    order: int
    orders: int
    net: float
    device: int = 1


@dataclass
class Arm:
    """One variant: how many devices are left out and why, and the outcomes of the others."""

    is_control: bool | None = None
    left_out: dict[str, int] = field(
        default_factory=lambda: {"crossed": 0, "immature": 0, "untracked": 0}
    )
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass
class Ledger:
    """All visits and exposures, and what they amount to."""

    visits: dict[str, list[Visit]]
    exposures: list[Exposure]

    @cached_property
    def arms(self) -> dict[str, dict[str, Arm]]:
        """The arms of each experiment, by name."""
        first: dict[tuple[str, str], dict[str, datetime]] = {}
        arms: dict[str, dict[str, Arm]] = {}
        for row in self.exposures:
            if row.exposed_at >= KNOWN_UNTIL:
                continue
            arm = arms.setdefault(row.experiment, {}).setdefault(row.variant, Arm())
            if row.is_control is not None:
                arm.is_control = bool(arm.is_control) or row.is_control
            at = first.setdefault((row.experiment, row.device), {})
            at[row.variant] = min(row.exposed_at, at.get(row.variant, row.exposed_at))
        for (experiment, device), variants in first.items():
            for variant, exposed_at in variants.items():
                arm = arms[experiment][variant]
                outcome = self.outcome(device, exposed_at)
                if len(variants) > 1:
                    arm.left_out["crossed"] += 1
                elif exposed_at + WINDOW > KNOWN_UNTIL:
                    arm.left_out["immature"] += 1
                elif outcome is None:
                    arm.left_out["untracked"] += 1
                else:
                    arm.outcomes.append(outcome)
        return arms

    def outcome(self, device: str, exposed_at: datetime) -> Outcome | None:
        """What the device did, from the session of the exposure on; None where nothing is known."""
        visits = [
            visit
            for visit in self.visits.get(device, [])
            if not visit.is_bot
            and exposed_at < visit.ended_at + GAP
            and visit.started_at < exposed_at + WINDOW
        ]
        if not visits:
            return None
        sold = [visit for visit in visits if visit.ordered_at and visit.ordered_at >= exposed_at]
        paid = [visit for visit in sold if visit.order_status == "paid"]
        return Outcome(
            bounce=int(min(visits, key=lambda visit: visit.started_at).kept_names == LEFT),
            cart=int(bool(sold) or any("add_to_cart" in visit.kept_names for visit in visits)),
            order=int(bool(sold)),
            orders=len(paid),
            net=sum(visit.order_cents for visit in paid) / 100,
        )

    def tables(self) -> dict[str, list[Row]]:
        """The shop as raw tables."""
        rng = random.Random(SEED)
        tables: dict[str, list[Row]] = {
            name: [] for name in ("events", "orders", "order_items", "experiments")
        }
        for device, visits in self.visits.items():
            for number, visit in enumerate(visits):
                order_id = f"{device}/{number}"
                for place, name in enumerate(visit.kept_names):
                    tables["events"].append({
                        "event_id": f"{order_id}/{place}",
                        "event_at": visit.started_at + timedelta(minutes=place),
                        "anonymous_id": device,
                        "event_name": name,
                        "order_id": order_id if name == "purchase" else None,
                        "is_bot": visit.is_bot,
                    })  # fmt: skip
                if visit.order_status:
                    tables["orders"].append({
                        "order_id": order_id,
                        "ordered_at": visit.ordered_at,
                        "anonymous_id": device,
                        "status": visit.order_status,
                    })  # fmt: skip
                    price = f"{visit.order_cents / 100:.2f}"
                    tables["order_items"].append(item(order_id, 1, 1, price))
        for row in self.exposures:
            tables["experiments"].append({
                "experiment_id": row.experiment,
                "variant": row.variant,
                "anonymous_id": row.device,
                "exposed_at": row.exposed_at,
                "is_control": row.is_control,
            })  # fmt: skip
        for rows in tables.values():
            rng.shuffle(rows)
        return tables


LOOKED, LEFT = ("page_view", "product_view"), ("page_view",)
CART = ("page_view", "add_to_cart")
BOUGHT = ("page_view", "add_to_cart", "begin_checkout", "purchase")
BOUGHT_AT_ONCE = ("page_view", "purchase")
FIRST_DAY = datetime(2024, 5, 1)  # noqa: DTZ001


def a_visit(rng: random.Random, started_at: datetime, order_share: float) -> Visit:
    """A visit that ends in an order in so many cases."""
    if rng.random() >= order_share:
        return Visit(started_at, rng.choice((LEFT, LEFT, LOOKED, CART)))
    return Visit(
        started_at,
        rng.choice((BOUGHT, BOUGHT, BOUGHT_AT_ONCE)),
        order_status=rng.choice(("paid", "paid", "paid", "pending", "cancelled")),
        order_cents=rng.choice((0, 1, 999, rng.randint(500, 30_000), rng.randint(500, 9_000))),
        is_purchase_lost=rng.random() < 0.1,
    )


def an_exposure_time(rng: random.Random, visits: Sequence[Visit]) -> datetime:
    """Mostly the start of a visit; else close to where a session or a window begins or ends."""
    visit = rng.choice(visits)
    return rng.choice((
        visits[0].started_at, visits[0].started_at, visits[0].started_at, visit.started_at,
        visit.started_at + timedelta(seconds=90), visit.ended_at, visit.ended_at + MICROSECOND,
        visit.ended_at + GAP - MICROSECOND, visit.ended_at + GAP, visit.started_at - WINDOW,
        visit.started_at - WINDOW + MICROSECOND, visits[0].started_at - timedelta(days=40),
        KNOWN_UNTIL - WINDOW, KNOWN_UNTIL - WINDOW + MICROSECOND, visits[-1].started_at,
    ))  # fmt: skip


# Experiment: share of visits that end in an order by variant, devices by variant, the controls.
PLANS: dict[str, tuple[dict[str, float], dict[str, int], set[str]]] = {
    "effect": ({"a": 0.1, "b": 0.2}, {"a": 1500, "b": 1500}, {"a"}),
    "harm": ({"old": 0.3, "new": 0.15}, {"old": 1200, "new": 1250}, {"old"}),
    "uneven": ({"a": 0.2, "b": 0.2, "c": 0.5}, {"a": 600, "b": 450, "c": 300}, {"c"}),
    "many": (dict.fromkeys("abcdefg", 0.2), dict.fromkeys("abcdefg", 150), {"d"}),
    "small": ({"a": 0.1, "b": 0.5}, {"a": 30, "b": 25}, {"a"}),
    "tiny": ({"a": 1.0, "b": 0.5}, {"a": 1, "b": 2}, {"a"}),
    "never": ({"a": 0.0, "b": 0.0}, {"a": 100, "b": 100}, {"a"}),
    "one never": ({"a": 0.0, "b": 0.3}, {"a": 300, "b": 300}, {"a"}),
    "always": ({"a": 1.0, "b": 1.0}, {"a": 150, "b": 150}, {"a"}),
    "one always": ({"a": 1.0, "b": 0.8}, {"a": 150, "b": 150}, {"a"}),
    "no control": ({"a": 0.2, "b": 0.2}, {"a": 50, "b": 50}, set()),
    "two controls": ({"a": 0.2, "b": 0.2, "c": 0.2}, dict.fromkeys("abc", 50), {"a", "b"}),
    "alone": ({"a": 0.2}, {"a": 50}, {"a"}),
}


def make_ledger() -> Ledger:
    """Devices of each experiment, some of them in a second one, crossed, exposed twice or bots."""
    rng = random.Random(SEED)
    visits: dict[str, list[Visit]] = {}
    exposures: list[Exposure] = []
    for experiment, (order_shares, counts, controls) in PLANS.items():
        flags = {variant: variant in controls if controls else None for variant in counts}
        is_plain = min(order_shares.values()) in (0, 1)
        for variant, count in counts.items():
            for number in range(count):
                device = f"{experiment}/{variant}/{number}"
                at = FIRST_DAY + timedelta(minutes=rng.randrange(60 * 24 * 40))
                starts = [at]
                while rng.random() < 0.5:
                    starts.append(starts[-1] + rng.choice((timedelta(hours=3), WINDOW / 4, WINDOW)))
                share = order_shares[variant]
                visits[device] = [a_visit(rng, start, share) for start in starts]
                exposed_at = starts[0] if is_plain else an_exposure_time(rng, visits[device])
                row = Exposure(experiment, variant, device, exposed_at, flags[variant])
                exposures.append(row)
                if not is_plain:
                    exposures.extend(again(rng, row, list(counts), flags))
                    for visit in visits[device]:
                        visit.is_bot = number % 29 == 0
        exposures.append(Exposure(experiment, variant, "unseen", FIRST_DAY, flags[variant]))
        exposures.append(Exposure(experiment, variant, "late", KNOWN_UNTIL, flags[variant]))
    return Ledger(visits, exposures)


def again(
    rng: random.Random, row: Exposure, variants: list[str], flags: dict[str, bool | None]
) -> Iterator[Exposure]:
    """Further exposures of the same device: later or earlier, to the same or another variant."""
    if rng.random() < 0.1:
        at = row.exposed_at + rng.choice((timedelta(days=1), -timedelta(days=1), WINDOW))
        yield Exposure(row.experiment, row.variant, row.device, at, flags[row.variant])
    if rng.random() < 0.04:
        other = rng.choice(variants)
        at = row.exposed_at + rng.choice((timedelta(0), timedelta(days=9)))
        if (other, at) != (row.variant, row.exposed_at):
            yield Exposure(row.experiment, other, row.device, at, flags[other])
    if rng.random() < 0.04:
        other = rng.choice([name for name in PLANS if name.startswith(("eff", "har"))])
        if other != row.experiment:
            variant = rng.choice(list(PLANS[other][1]))
            is_control = variant in PLANS[other][2]
            yield Exposure(other, variant, row.device, row.exposed_at, is_control)


# The statistics, by scipy


@dataclass
class Sample:
    """The units of a metric in one arm."""

    x: Numbers
    y: Numbers
    is_rate: bool

    @property
    def count(self) -> int:
        """How many units."""
        return len(self.x)

    @property
    def value(self) -> float | None:
        """The rate or mean."""
        return float(self.x.sum() / self.y.sum()) if self.count else None

    @cached_property
    def linear(self) -> Numbers:
        """One number a unit whose mean is the ratio, and whose spread is its own (delta method)."""
        value = self.x.sum() / self.y.sum()
        return np.asarray(value + (self.x - value * self.y) / self.y.mean())

    @property
    def error(self) -> float | None:
        """The standard error of the value."""
        if self.count <= (0 if self.is_rate else 1):
            return None
        spread = self.linear.std(ddof=0 if self.is_rate else 1) / math.sqrt(self.count)
        return float(spread) if spread > 1e-9 else 0.0

    @property
    def wilson(self) -> tuple[float, float]:
        """Wilson's interval of a rate."""
        test = stats.binomtest(round(self.x.sum()), self.count)
        interval = test.proportion_ci(1 - LEVEL, method="wilson")
        return interval.low, interval.high


def sample(arm: Arm, metric: str) -> Sample:
    """The units of a metric: devices that have its denominator."""
    numerator, denominator, is_rate, _, _ = METRICS[metric]
    pairs = [(getattr(row, numerator), getattr(row, denominator)) for row in arm.outcomes]
    units = np.array([pair for pair in pairs if pair[1]], dtype=np.float64).reshape(-1, 2)
    return Sample(units[:, 0], units[:, 1], is_rate)


def p_value(ours: Sample, control: Sample) -> float | None:
    """Of the difference, two-sided."""
    if not ours.error and not control.error and (not ours.is_rate or ours.value == control.value):
        return None
    if ours.is_rate:
        table = [[s.x.sum(), s.count - s.x.sum()] for s in (ours, control)]
        return float(stats.chi2_contingency(table, correction=False).pvalue)
    return float(stats.ttest_ind(ours.linear, control.linear, equal_var=False).pvalue)


def ends_of_ratio(
    ours: tuple[float, float, float], control: tuple[float, float, float]
) -> tuple[float, float | None]:
    """The ratios r at which ours - r * control, each with its interval, may just be 0, less 1.

    By search, not by the closed form of the model.
    """
    (value, low, high), (base, base_low, base_high) = ours, control

    def least(r: float) -> float:
        return value - r * base - math.hypot(value - low, r * (base_high - base))

    def most(r: float) -> float:
        return value - r * base + math.hypot(high - value, r * (base - base_low))

    lower, upper = 0.0, None
    if low > 0:
        lower = optimize.brentq(least, 0, value / base, xtol=1e-14)
    if base_low > 0:
        upper = optimize.brentq(most, value / base, 1e9, xtol=1e-14) - 1
    return lower - 1, upper


def intervals(ours: Sample, control: Sample) -> dict[str, float | None]:
    """Of the lift, absolute and relative."""
    value, base = ours.value or 0, control.value or 0
    if ours.is_rate:
        (low, high), (base_low, base_high) = ours.wilson, control.wilson
    else:
        # The interval of each mean that makes up Welch's of the difference.
        found = stats.ttest_ind(ours.linear, control.linear, equal_var=False)
        quantile = stats.t.ppf(1 - LEVEL / 2, found.df)
        low, high = value - quantile * (ours.error or 0), value + quantile * (ours.error or 0)
        base_low = base - quantile * (control.error or 0)
        base_high = base + quantile * (control.error or 0)
        interval = found.confidence_interval(1 - LEVEL)
        assert interval.high - (value - base) == pytest.approx(
            math.hypot(high - value, base - base_low)
        )
    ends: tuple[float | None, float | None] = (None, None)
    if base:
        ends = ends_of_ratio((value, low, high), (base, base_low, base_high))
    return {
        "absolute_lift_low": value - base - math.hypot(value - low, base_high - base),
        "absolute_lift_high": value - base + math.hypot(high - value, base - base_low),
        "relative_lift_low": ends[0],
        "relative_lift_high": ends[1],
    }


def planning(
    ours: Sample, control: Sample, lift: float, devices: int
) -> dict[str, float | int | None]:
    """Power, detectable lift and required size, from the control's value and spread."""
    names = ("power", "detectable_lift", "required_device_count")
    if not control.error or not control.value:
        return dict.fromkeys(names)
    z, z_power = stats.norm.ppf([1 - LEVEL / 2, TARGET_POWER])
    spread = control.error * math.sqrt(control.count)
    error = spread * math.sqrt(1 / ours.count + 1 / control.count)
    units = 2 * ((z + z_power) * spread / (lift * control.value)) ** 2
    score = lift * control.value / error
    values = (
        stats.norm.sf(z - score) + stats.norm.cdf(-z - score),
        (z + z_power) * error / control.value,
        math.ceil(units * devices / control.count),
    )
    return dict(zip(names, values, strict=True))


COMPARED = (
    "control_value", "absolute_lift", "absolute_lift_low", "absolute_lift_high", "relative_lift",
    "relative_lift_low", "relative_lift_high", "p_value", "adjusted_p_value", "is_significant",
    "minimum_lift", "power", "detectable_lift", "required_device_count",
)  # fmt: skip


def comparison(ours: Arm, control: Arm, metric: str) -> dict[str, Any]:
    """The columns of a variant that is compared, but for the adjusted p-value."""
    x, base = sample(ours, metric), sample(control, metric)
    lift = METRICS[metric][4]
    if not x.count or not base.count:
        return dict.fromkeys(COMPARED)
    assert x.value is not None
    assert base.value is not None
    row: dict[str, Any] = {
        "control_value": base.value,
        "absolute_lift": x.value - base.value,
        "relative_lift": (x.value - base.value) / base.value if base.value else None,
        "minimum_lift": lift,
        "p_value": None,
        **dict.fromkeys(name for name in COMPARED if name.endswith(("_low", "_high"))),
        **planning(x, base, lift, len(control.outcomes)),
    }
    if x.error is not None and base.error is not None:
        row["p_value"] = p_value(x, base)
        if x.is_rate or row["p_value"] is not None:
            row |= intervals(x, base)
    share = (np.count_nonzero(x.x) + np.count_nonzero(base.x)) / (x.count + base.count)
    least = min(x.count, base.count) * (min(share, 1 - share) if x.is_rate else share)
    is_clear = row["p_value"] is not None and row["p_value"] < LEVEL
    row["is_significant"] = is_clear if least >= MINIMUM_COUNT else None
    if row["p_value"] is None:
        row["is_significant"] = None
    return row


def adjust(rows: list[dict[str, Any]]) -> None:
    """Holm's p-values of the rows of one experiment."""
    ranked = sorted((row for row in rows if row["p_value"] is not None), key=lambda r: r["p_value"])
    least = 0.0
    for rank, row in enumerate(ranked):
        least = max(least, min(1.0, row["p_value"] * (len(ranked) - rank)))
        row["adjusted_p_value"] = least


def result(row: dict[str, Any], metric: str, control_count: int, arm: Arm) -> str:
    """What to make of a row."""
    if control_count != 1:
        return "several_controls" if control_count else "no_control"
    if arm.is_control:
        return "control"
    if row["is_significant"] is None:
        return "too_little_data"
    if row["has_sample_ratio_mismatch"]:
        return "sample_ratio_mismatch"
    if row["adjusted_p_value"] >= LEVEL:
        return "inconclusive"
    return "better" if (row["absolute_lift"] > 0) == METRICS[metric][3] else "worse"


def expected_rows(arms: dict[str, Arm]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of one experiment, by metric and variant."""
    counts = [len(arms[name].outcomes) for name in sorted(arms)]
    controls = [arm for arm in arms.values() if arm.is_control]
    split = stats.chisquare(counts).pvalue if sum(counts) and len(counts) > 1 else None
    rows = {}
    for metric in METRICS:
        for name, arm in arms.items():
            units = sample(arm, metric)
            row: dict[str, Any] = dict.fromkeys(COMPARED)
            if len(controls) == 1 and not arm.is_control:
                row = {"adjusted_p_value": None, **comparison(arm, controls[0], metric)}
            rows[metric, name] = row | {
                "is_control": arm.is_control,
                "exposed_device_count": len(arm.outcomes) + sum(arm.left_out.values()),
                **{f"{why}_device_count": count for why, count in arm.left_out.items()},
                "device_count": len(arm.outcomes),
                "planned_share": 1 / len(arms),
                "actual_share": len(arm.outcomes) / sum(counts) if sum(counts) else None,
                "sample_ratio_p_value": split,
                "has_sample_ratio_mismatch": None if split is None else split < MISMATCH_LEVEL,
                "unit_count": units.count,
                "numerator_total": units.x.sum(),
                "denominator_total": units.y.sum(),
                "metric_value": units.value,
                "standard_error": units.error,
            }
    adjust(list(rows.values()))
    for (metric, name), row in rows.items():
        row["result"] = result(row, metric, len(controls), arms[name])
    return rows


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """The experiments of PLANS."""
    return make_ledger()


@pytest.fixture(scope="module")
def found(
    ledger: Ledger, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> dict[Key, dict[str, Any]]:
    """The mart of these, by experiment, metric and variant."""
    connection = build(
        tests=False,
        select="+agg_experiment_results",
        raw_path=str(write_tables(tmp_path_factory.mktemp("experiments"), ledger.tables())),
        load_date="2024-12-31",
        as_of_date=str(AS_OF),
    )
    rows = dicts(connection, "select * from marts.agg_experiment_results")
    found = {(row["experiment_id"], row["metric"], row["variant"]): row for row in rows}
    assert len(rows) == len(found)
    return found


def is_near(found: object, expected: object, fewest: int) -> bool:
    """The same, numbers but for rounding, and for what few degrees of freedom cost."""
    if isinstance(found, float) and isinstance(expected, float | int):
        return found == pytest.approx(expected, rel=5e-3 if fewest < 20 else 1e-6, abs=1e-9)
    return found == expected


def test_results_are_those_of_scipy(ledger: Ledger, found: dict[Key, dict[str, Any]]) -> None:
    """Every count, rate, lift, interval, p-value and verdict, of every kind of experiment."""
    expected = {
        (experiment, metric, variant): row
        for experiment, arms in ledger.arms.items()
        for (metric, variant), row in expected_rows(arms).items()
    }
    assert found.keys() == expected.keys()
    fewest = {
        (experiment, metric): min(
            sample(arm, metric).count for arm in ledger.arms[experiment].values()
        )
        for experiment, metric, _ in expected
    }
    ours = {
        key: {
            name: value if is_near(found[key][name], value, fewest[key[:2]]) else found[key][name]
            for name, value in row.items()
        }
        for key, row in expected.items()
    }
    assert not differences(ours, expected)
    for reason in ("crossed", "immature", "untracked"):
        assert sum(row[f"{reason}_device_count"] for row in expected.values()) > 0
    assert {row["result"] for row in expected.values()} == {
        "control", "better", "worse", "inconclusive", "too_little_data", "sample_ratio_mismatch",
        "no_control", "several_controls",
    }  # fmt: skip


def test_every_experiment_has_every_metric_and_its_dates(
    ledger: Ledger, found: dict[Key, dict[str, Any]]
) -> None:
    """A metric without a single unit is told as such, not left out."""
    assert {key[1] for key in found} == set(METRICS)
    for row in found.values():
        first: dict[tuple[str, str], date] = {}
        for exposure in ledger.exposures:
            if exposure.experiment == row["experiment_id"] and exposure.exposed_at < KNOWN_UNTIL:
                device = (exposure.device, exposure.variant)
                day = reporting_date(exposure.exposed_at)
                first[device] = min(day, first.get(device, day))
        assert row["started_date"] == min(first.values())
        assert row["ended_date"] == max(first.values())
        left_out = [
            other["immature_device_count"]
            for key, other in found.items()
            if key[:2] == (row["experiment_id"], row["metric"])
        ]
        assert row["is_mature"] == (sum(left_out) == 0)


def test_shop_without_experiments_has_an_empty_table(build: Build, tmp_path: Path) -> None:
    """Nothing to test is no error."""
    connection = build(
        tests=False,
        select="+agg_experiment_results",
        raw_path=str(write_tables(tmp_path, small_shop())),
    )
    query = "select count(*), count(p_value) from marts.agg_experiment_results"
    assert connection.execute(query).fetchone() == (0, 0)


# The demo


def test_planted_lift_is_in_its_interval_and_no_other_lift_is_seen(
    demo: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """The simulator knows the lift of either experiment, on orders of those with a cart."""
    simulate(42, tmp_path / "raw", tmp_path / "truth")
    truth = duckdb.execute(
        f"select experiment_id, planted_lift from '{tmp_path}/truth/truth_experiment.parquet'"
    ).fetchall()
    rows = dicts(demo, "select * from marts.agg_experiment_results where not is_control")
    assert len(rows) == len(truth) * len(METRICS)
    assert not any(row["has_sample_ratio_mismatch"] for row in rows)
    assert all(row["sample_ratio_p_value"] > 0.9 for row in rows)
    for experiment, planted in truth:
        of_experiment = [row for row in rows if row["experiment_id"] == experiment]
        (carts,) = (row for row in of_experiment if row["metric"] == "cart_to_order_rate")
        assert carts["relative_lift_low"] < planted < carts["relative_lift_high"]
        if planted == 0:
            assert all(row["result"] == "inconclusive" for row in of_experiment)
            assert not any(row["is_significant"] for row in of_experiment)
            assert abs(carts["relative_lift"]) < 0.08
        else:
            assert carts["relative_lift"] > 0.08
            assert carts["power"] < 0.5, "so that nobody wonders why the lift is not significant"


# What chance makes: many experiments at once, by the compiled models


@pytest.fixture(scope="module")
def compiled(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL from the devices on."""
    names = ("variants_tested", "metrics_summed", "variants_compared")
    done = dbt.run(
        "compile",
        "--select",
        *(f"int_experiment_{name}" for name in names),
        warehouse=tmp_path_factory.mktemp("compiled") / "cartwright.duckdb",
        variables={},
    )
    by_name = {made.node.name: made.node.compiled_code for made in done.results}
    return {f"int_experiment_{name}": by_name[f"int_experiment_{name}"] for name in names}


def compared(compiled: dict[str, str], lift: float, experiments: int, size: int) -> dict[str, Any]:
    """The columns of cart_to_order_rate and net_amount_per_device, of so many experiments alike."""
    rng = np.random.default_rng(SEED)
    shape = (experiments, 2, size)
    orders = rng.random(shape) < np.array([0.2, 0.2 * (1 + lift)])[None, :, None]
    net = np.round(orders * rng.gamma(2.0, 30.0, shape), 2)
    number, variant = (np.broadcast_to(i, shape).ravel() for i in np.indices(shape)[:2])
    devices = pa.table({
        "experiment_id": number.astype("U4"), "variant": np.array(["a", "b"])[variant],
        "is_control": variant == 0, "has_order": orders.ravel(), "net": net.ravel(),
    })  # fmt: skip
    connection = duckdb.connect()
    connection.register("devices", devices)
    connection.execute("attach ':memory:' as cartwright")
    for schema in ("intermediate", "raw"):
        connection.execute(f"create schema cartwright.{schema}")
    connection.execute(
        "create table cartwright.intermediate.int_experiment_devices_measured as select *,"
        " timestamp '2024-01-01' as exposed_at, cast(null as text) as left_out_reason,"
        " true as is_measured, true as has_cart, false as is_bounced,"
        " cast(has_order as bigint) as order_count, cast(net as decimal(18, 2)) as net_amount"
        " from devices"
    )
    for seed in ("metrics", "variants"):
        path = PROJECT / f"seeds/reference/ref_experiment_{seed}.csv"
        connection.execute(f"create table cartwright.raw.ref_experiment_{seed} as from '{path}'")
    for model, sql in compiled.items():
        connection.execute(f"create table cartwright.intermediate.{model} as {sql}")
    return {
        metric: connection.execute(
            f"from cartwright.intermediate.{model} where metric = '{metric}'"
        ).fetchnumpy()
        for metric in ("cart_to_order_rate", "net_amount_per_device")
    }


@pytest.mark.parametrize("lift", [0.0, 0.1])
def test_intervals_hold_the_truth_as_often_as_they_say(
    compiled: dict[str, str], lift: float
) -> None:
    """95 of 100 do; without an effect 5 of 100 are significant, with one as many as power says."""
    experiments, size = 800, 1000
    for metric, columns in compared(compiled, lift, experiments, size).items():
        assert len(columns["p_value"]) == experiments
        low, high = columns["relative_lift_low"], columns["relative_lift_high"]
        # Three standard errors of a share of 800.
        assert np.mean((low < lift) & (lift < high)) == pytest.approx(0.95, abs=0.023), metric
        significant = np.mean(columns["p_value"] < LEVEL)
        power = np.mean(columns["power"]) if lift else LEVEL
        assert significant == pytest.approx(power, abs=0.05 if lift else 0.023), metric
        base = 0.2 * (60 if metric.startswith("net") else 1)
        low, high = columns["absolute_lift_low"], columns["absolute_lift_high"]
        assert np.mean((low < base * lift) & (base * lift < high)) == pytest.approx(0.95, abs=0.023)

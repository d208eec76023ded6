"""Expectations, bands and alerts: worked out a second time, and against planted truth."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import yaml
from kpi.expectation_ledger import Point, event_of, expect, kinds, seed, split
from shops import PROJECT, dicts, write_tables
from warehouses import Build

# Volumes and ratios of each kind: counted and not, shares of counts, with and without events.
COMPARED = (
    "orders", "net_revenue", "refunds", "margin", "visitors", "session_conversion_rate",
    "page_load_ms", "aov", "cac", "cart_abandonment_rate", "return_rate", "on_time_delivery_rate",
    "churn_rate", "nps", "mrr", "k_factor", "repeat_rate", "roas", "discount_rate",
)  # fmt: skip
ANOMALY = (date(2026, 4, 13), date(2026, 4, 22))


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """The variables of dbt_project.yml."""
    text = (PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    variables: dict[str, Any] = yaml.safe_load(text)["vars"]
    return variables


def series_of(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, ...], list[Point]]:
    """The mature values of COMPARED, as points without expectations, in order."""
    rows = connection.execute(
        "select kpi, period, dimension, dimension_value, period_start_date, numerator, denominator,"
        " kpi_value from intermediate.int_kpis_measured where is_mature and kpi_value is not null"
        f" and kpi in {COMPARED} and (dimension = 'total' or (period = 'week' and dimension in"
        " ('channel', 'device') and dimension_value is not null)) order by period_start_date"
    ).fetchall()
    what = kinds()
    found: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    for kpi, period, dimension, part, start, numerator, denominator, value in rows:
        event = event_of(period, start) if what[kpi].is_volume else None
        weight = 1.0 if denominator is None else float(denominator)
        found[kpi, period, dimension, part].append(
            Point(start, float(numerator), weight, value, event)
        )
    for (kpi, period, dimension, _), points in list(found.items()):
        if dimension != "total" and what[kpi].is_volume:
            # Nothing of a channel in a week is 0 of it.
            there = {point.start for point in points}
            points += [
                Point(whole.start, 0.0, 1.0, 0.0, whole.event)
                for whole in found[kpi, period, "total", "all"]
                if whole.start > min(there) and whole.start not in there
            ]
            points.sort(key=lambda point: point.start)
    return found


def test_expectations_are_those_of_the_ledger(
    demo: duckdb.DuckDBPyConnection, settings: dict[str, Any]
) -> None:
    """Each expected value and usual error of 19 KPIs, by period and part, from history alone."""
    what = kinds()
    found = {
        (*map(str, row[:4]), row[4]): row[5:]
        for row in demo.execute(
            "select kpi, period, dimension, dimension_value, period_start_date, expected_value,"
            f" expected_spread from intermediate.int_kpis_expected where kpi in {COMPARED}"
        ).fetchall()
    }
    judged = 0
    for (kpi, period, dimension, part), points in series_of(demo).items():
        for point in expect(what[kpi], period, points, settings):
            key = (kpi, period, dimension, part, point.start)
            expected, spread = found.pop(key)
            assert (expected is None) == (point.expected is None), (key, expected, point)
            assert (spread is None) == (point.spread is None), (key, spread, point)
            if expected is not None:
                assert expected == pytest.approx(point.expected, rel=1e-7, abs=1e-7), (key, point)
            if spread is not None:
                assert spread == pytest.approx(point.spread, rel=1e-6, abs=1e-7), (key, point)
                judged += 1
    assert not found, f"{len(found)} expectations of periods that are none: {list(found)[:3]}"
    assert judged > 8_000, judged


def test_the_planted_anomaly_is_found_and_explained(demo: duckdb.DuckDBPyConnection) -> None:
    """Pages of paid search took three times as long for ten days; visitors left, and few bought.

    The demo has some 15 sessions a day from paid search: its load times and bounces show it, for
    the shop and for the channel. Its halved conversion is two orders fewer, which nobody can tell
    from chance.
    """
    alerts = dicts(
        demo,
        "select * from marts.fct_kpi_alerts where alert_kind = 'band' and is_unfavourable"
        f" and peak_start_date between date '{ANOMALY[0]}' and date '{ANOMALY[1]}'",
    )
    of_shop = {(a["kpi"], a["period"]): a for a in alerts if a["dimension"] == "total"}
    for kpi, period in (("page_load_ms", "day"), ("page_load_ms", "week"), ("bounce_rate", "week")):
        alert = of_shop[kpi, period]
        assert (alert["explained_by_dimension"], alert["explained_by_value"]) == (
            "channel",
            "paid_search",
        ), alert
    loads = of_shop["page_load_ms", "week"]
    assert loads["since_date"] == ANOMALY[0]
    assert loads["severity"] == "high"
    assert loads["contribution_share"] > 0.8
    assert loads["usual_share"] < 0.3
    assert loads["rate_effect"] > 20 * abs(loads["mix_effect"])
    of_channel = {a["kpi"] for a in alerts if a["dimension_value"] == "paid_search"}
    assert of_channel >= {"page_load_ms", "bounce_rate"}
    others = {a["dimension_value"] for a in alerts if a["dimension"] == "channel"}
    assert others == {"paid_search"}, "another channel is blamed"


def test_conversion_of_the_planted_channel_fell_by_its_own_rate(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    """Paid search converted about half as often as before: what the channel's own rows say."""
    rates = {}
    for name, condition in (
        ("during", f"kpi_date between date '{ANOMALY[0]}' and date '{ANOMALY[1]}'"),
        ("before", f"kpi_date < date '{ANOMALY[0]}'"),
    ):
        row = demo.execute(
            "select cast(sum(numerator) as double) / sum(denominator) from marts.agg_kpi_daily"
            " where kpi = 'session_conversion_rate' and dimension_value = 'paid_search'"
            f" and dimension = 'channel' and {condition}"
        ).fetchone()
        assert row is not None
        rates[name] = row[0]
    assert rates["during"] < 0.75 * rates["before"]


def test_parts_of_a_deviation_are_those_of_the_ledger(demo: duckdb.DuckDBPyConnection) -> None:
    """Mix and rate effects, and a volume's shares, of the alerts of the demo, worked out again."""
    what = kinds()
    weeks = int(
        next(row for row in seed("ref_kpi_periods") if row["period"] == "week")["reference_count"]
    )
    alerts = dicts(
        demo,
        "select * from marts.fct_kpi_alerts where dimension = 'total' and period = 'week'"
        " and explained_by_dimension is not null order by alert_id",
    )
    assert {what[alert["kpi"]].is_volume for alert in alerts} == {True, False}
    for alert in alerts:
        volume = what[alert["kpi"]].is_volume
        points = [
            point
            for point in series_of_one(demo, alert["kpi"], volume=volume)
            if point.start < alert["peak_start_date"] and point.event is None
        ][-weeks:]
        starts = [point.start for point in points]
        base = sum(p.numerator for p in points) / sum(p.weight for p in points)
        for dimension in ("channel", "device", "country"):
            rows = demo.execute(
                "select dimension_value, period_start_date, cast(numerator as double),"
                " cast(denominator as double) from intermediate.int_kpis_measured"
                " where kpi = ? and period = 'week' and dimension = ?",
                [alert["kpi"], dimension],
            ).fetchall()
            usual: dict[Any, tuple[float, float]] = {}
            for part, start, numerator, denominator in rows:
                if start in starts:
                    before = usual.get(part, (0.0, 0.0))
                    usual[part] = (before[0] + numerator, before[1] + (denominator or 0))
            parts = {
                part: (numerator, denominator or 0.0)
                for part, start, numerator, denominator in rows
                if start == alert["peak_start_date"]
            }
            found = dict(
                demo.execute(
                    "select dimension_value, contribution"
                    " from intermediate.int_kpi_deviations_split"
                    " where alert_id = ? and dimension = ?",
                    [alert["alert_id"], dimension],
                ).fetchall()
            )
            point = {"reference": alert["reference_value"], "base": base}
            if rows:
                assert found == pytest.approx(
                    split(point, parts, usual, is_volume=volume, period_count=len(points)),
                    rel=1e-6,
                    abs=1e-6,
                )


def series_of_one(connection: duckdb.DuckDBPyConnection, kpi: str, *, volume: bool) -> list[Point]:
    """The mature weeks of a KPI of the whole shop."""
    rows = connection.execute(
        "select period_start_date, numerator, coalesce(denominator, 1), kpi_value"
        " from intermediate.int_kpis_measured where kpi = ? and period = 'week'"
        " and dimension = 'total' and is_mature and kpi_value is not null order by 1",
        [kpi],
    ).fetchall()
    return [
        Point(start, float(top), float(below), value, event_of("week", start) if volume else None)
        for start, top, below, value in rows
    ]


def test_targets_missed_are_alerts(
    demo: duckdb.DuckDBPyConnection, settings: dict[str, Any]
) -> None:
    """Every mature period that misses a target by more than the tolerance is in one alert."""
    directions = {row["kpi"]: row["direction"] for row in seed("ref_kpis")}
    missed = set()
    for target in seed("ref_kpi_targets"):
        wanted = float(target["target_value"])
        for start, value in demo.execute(
            "select period_start_date, kpi_value from marts.fct_kpi_scorecard where kpi = ?"
            " and period = ? and period_start_date >= ? and period_start_date < ?"
            " and is_mature and kpi_value is not null",
            [target[name] for name in ("kpi", "period", "from_date", "to_date")],
        ).fetchall():
            gap = wanted - value if directions[target["kpi"]] == "up" else value - wanted
            if gap / abs(wanted) > settings["kpi_target_tolerance_share"]:
                missed.add((target["kpi"], target["period"], start))
    alerted = demo.execute(
        "select s.kpi, s.period, s.period_start_date from marts.fct_kpi_alerts as a"
        " inner join marts.fct_kpi_scorecard as s on a.kpi = s.kpi and a.period = s.period"
        " and s.period_start_date between a.since_date and a.until_date"
        " where a.alert_kind = 'target'"
    ).fetchall()
    assert len(missed) > 5
    assert sorted(alerted) == sorted(missed)


FIRST_DAY, LAST_DAY = date(2024, 2, 5), date(2025, 6, 20)
FALL = (date(2025, 6, 16), date(2025, 6, 20))
ORDERS_A_DAY = 60


@pytest.fixture(scope="module")
def steady(build: Build, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A shop of orders alone, 60 a day by chance; in its last week, no phone can order."""
    chance = np.random.default_rng(20250620)
    orders, items = [], []
    day = FIRST_DAY
    while day <= LAST_DAY:
        for number in range(chance.poisson(ORDERS_A_DAY)):
            device = chance.choice(["mobile", "mobile", "mobile", "desktop"])
            is_lost = FALL[0] <= day <= FALL[1] and device == "mobile"
            order_id = f"{day:%Y%m%d}-{number:03}"
            at = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(minutes=number)
            if not is_lost:
                orders.append({
                    "order_id": order_id,
                    "ordered_at": f"{at:%Y-%m-%dT%H:%M:%S}Z",
                    "status": "delivered",
                    "customer_id": f"C{chance.integers(4000)}",
                    "device": device,
                    "country": chance.choice(["FR", "DE"]),
                })  # fmt: skip
                items.append({
                    "order_id": order_id,
                    "line_number": 1,
                    "product_id": f"P{chance.integers(20)}",
                    "quantity": 1,
                    "unit_price": f"{chance.lognormal(4, 0.6):.2f}",
                    "unit_cost": "10.00",
                })  # fmt: skip
        day += timedelta(days=1)
    folder = write_tables(
        tmp_path_factory.mktemp("steady"), {"orders": orders, "order_items": items}
    )
    return build(
        tests=False,
        select="+fct_kpi_alerts +agg_kpi_daily",
        raw_path=str(folder),
        load_date="2025-12-31",
        as_of_date=LAST_DAY.isoformat(),
    )


def test_a_steady_shop_raises_hardly_any_alarm(steady: duckdb.DuckDBPyConnection) -> None:
    """Where chance alone moves orders and amounts, less than 1 judgement in 200 is an anomaly."""
    count, anomalies, kpis = steady.execute(
        "select count(*) filter (where deviation_spreads is not null),"
        " count(*) filter (where status = 'anomaly'), count(distinct kpi)"
        " from marts.fct_kpi_scorecard where period in ('day', 'week') and period_end_date < ?",
        [FALL[0]],
    ).fetchone() or (0, 0, 0)
    assert kpis > 20
    assert count > 5_000
    assert anomalies < count / 200, f"{anomalies} of {count}"
    quiet = steady.execute(
        "select count(*) from marts.fct_kpi_alerts where kpi in ('orders', 'buyers', 'units_sold')"
        " and until_date < ?",
        [FALL[0]],
    ).fetchone()
    assert quiet is not None
    assert quiet[0] <= 3


def test_a_fall_on_one_device_is_found_while_it_lasts_and_explained(
    steady: duckdb.DuckDBPyConnection,
) -> None:
    """Three of four orders are missing: the alert is open, one run, of that device."""
    alerts = {
        alert["kpi"]: alert
        for alert in dicts(
            steady,
            "select * from marts.fct_kpi_alerts where alert_kind = 'band' and is_open"
            " and period = 'day' and dimension = 'total'",
        )
    }
    alert = alerts["orders"]
    assert alert["is_unfavourable"]
    assert (alert["explained_by_dimension"], alert["explained_by_value"]) == ("device", "mobile")
    assert alert["contribution_share"] == pytest.approx(1, abs=0.35)
    assert alert["until_date"] == LAST_DAY


def test_orders_and_items_alone_make_the_kpis_that_they_can(
    steady: duckdb.DuckDBPyConnection,
) -> None:
    """KPIs of other tables have no row: they are unknown, not 0."""
    kpis = {kpi for (kpi,) in steady.execute("select kpi from marts.agg_kpi_daily").fetchall()}
    assert kpis >= {"orders", "net_revenue", "aov", "margin_rate", "new_customers", "repeat_rate"}
    assert not kpis & {"sessions", "bounce_rate", "ad_spend", "cac", "mer", "nps", "mrr", "roas"}


def test_seasonality_multiplies_to_sales(demo: duckdb.DuckDBPyConnection) -> None:
    """Trend x indices x remainder are the sales; indices have the mean 1; the trend is a year's."""
    rows = dicts(
        demo, "select * from marts.agg_seasonality where kpi = 'net_revenue' order by sales_date"
    )
    sales = np.array([row["sales"] for row in rows])
    known = [n for n, row in enumerate(rows) if row["trend"] is not None]
    assert known == list(range(182, len(rows) - 182))
    for n in known[::50]:
        row = rows[n]
        assert row["trend"] == pytest.approx(sales[n - 182 : n + 183].mean())
        parts = [row[name] for name in ("trend", "weekday_index", "month_index", "event_index")]
        assert np.prod(parts) * row["remainder_ratio"] == pytest.approx(row["sales"])
    for key, index in (("iso_weekday", "weekday_index"), ("calendar_month", "month_index")):
        values = {row[key]: row[index] for row in rows}
        assert np.mean(list(values.values())) == pytest.approx(1)
    # The simulator sells 2.1 times as much in the week of Black Friday, less in August.
    events = {row["event"]: row["event_index"] for row in rows}
    months = {row["calendar_month"]: row["month_index"] for row in rows}
    assert events["black_friday"] > 1.4
    assert events[None] == 1
    assert months[8] < 0.85


def test_seasonality_of_weekdays_and_months_is_the_classical_one(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    """Each index worked out again by loops over the days, for orders."""
    rows = dicts(
        demo, "select * from marts.agg_seasonality where kpi = 'orders' order by sales_date"
    )
    sales = [row["sales"] for row in rows]
    top: dict[int, float] = defaultdict(float)
    below: dict[int, float] = defaultdict(float)
    for n in range(3, len(rows) - 3):
        if event_of("day", rows[n]["sales_date"]) is None:
            weekday = rows[n]["sales_date"].isoweekday()
            top[weekday] += sales[n]
            below[weekday] += sum(sales[n - 3 : n + 4]) / 7
    ratios = {weekday: top[weekday] / below[weekday] for weekday in top}
    weekdays = {weekday: 7 * ratio / sum(ratios.values()) for weekday, ratio in ratios.items()}
    months: dict[int, list[tuple[float, float, bool]]] = defaultdict(list)
    for n in range(182, len(rows) - 182):
        day = rows[n]["sales_date"]
        usual = sum(sales[n - 182 : n + 183]) / 365 * weekdays[day.isoweekday()]
        months[day.month].append((sales[n], usual, event_of("day", day) is None))
    ratios = {}
    for month, days in months.items():
        used = [entry for entry in days if entry[2]] or days
        ratios[month] = sum(entry[0] for entry in used) / sum(entry[1] for entry in used)
    indices = {month: 12 * ratio / sum(ratios.values()) for month, ratio in ratios.items()}
    for row in rows:
        assert row["weekday_index"] == pytest.approx(weekdays[row["iso_weekday"]], rel=1e-6)
        assert row["month_index"] == pytest.approx(indices[row["calendar_month"]], rel=1e-6)


# A column of a row of a seed, what to write there, and what the test should say.
FAULTS = {
    "numerator": ("ref_kpis", "numerator_measure", "no_such", "ref_kpi_measures does not know"),
    "denominator": ("ref_kpis", "denominator_measure", "no_such", "ref_kpi_measures does not know"),
    "additive": ("ref_kpis", "is_additive", "not is_additive", "is_additive"),
    "marts": ("ref_kpis", "marts", "fct_nothing", "marts of"),
    "shortest period": ("ref_kpis", "shortest_period", "quarter", "shortest period"),
    "benchmark": ("ref_kpis", "benchmark_low", "9", "benchmark of"),
    "mix": ("ref_kpis", "is_mix", "true", "is a mix"),
    "measure": ("ref_kpi_measures", "measure", "unused", "no KPI has the measure"),
    "target": ("ref_kpi_targets", "kpi", "no_such", "there is no KPI no_such"),
    "period": ("ref_kpi_targets", "period", "fortnight", "has no value by the fortnight"),
    "dates": ("ref_kpi_targets", "to_date", "2020-01-01", "ends before it begins"),
}


@pytest.fixture(scope="module")
def definitions_test() -> str:
    """The singular test of definitions, as SQL over tables that have the seeds' names."""
    path = PROJECT / "tests" / "singular" / "assert_kpi_definitions_hold_together.sql"
    return re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", path.read_text(encoding="utf-8"))


def tables_of_seeds() -> duckdb.DuckDBPyConnection:
    """The seeds of KPIs in a database of their own."""
    connection = duckdb.connect()
    for path in Path(PROJECT / "seeds" / "reference").glob("ref_kpi*.csv"):
        connection.execute(f"create table {path.stem} as from read_csv('{path}')")
    return connection


def test_definitions_that_are_shipped_hold_together(definitions_test: str) -> None:
    """The test of definitions passes as it should, so that what it says below is of the fault."""
    assert tables_of_seeds().execute(definitions_test).fetchall() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_definition_is_one_clear_sentence(definitions_test: str, fault: str) -> None:
    """A misspelt code stops the build and says which row of which seed is wrong."""
    table, column, value, sentence = FAULTS[fault]
    connection = tables_of_seeds()
    key = "kpi" if table != "ref_kpi_measures" else "measure"
    row = connection.execute(
        f"select min({key}) from {table}"
        + (" where not is_mix and denominator_measure is null" if table == "ref_kpis" else "")
    ).fetchone()
    assert row is not None
    literal = value if " " in value else f"'{value}'"
    connection.execute(f"update {table} set {column} = {literal} where {key} = '{row[0]}'")
    told = [text for (text,) in connection.execute(definitions_test).fetchall()]
    assert any(sentence in text and text.startswith("ref_kpi") for text in told), told

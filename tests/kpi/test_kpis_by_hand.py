"""Every KPI of the demo shop against a query written by hand (kpis_by_hand.py)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
import pytest
from kpi.kpis_by_hand import KPIS, MIXES, OF_MONTHS_ALONE, REVENUE_ORDERS


class Period(NamedTuple):
    """A period of the demo, half-open."""

    period: str
    from_date: date
    to_date: date


# A Monday, a Black Friday before tracking, weeks and months with the anomaly, sales and refunds.
PERIODS = (
    Period("day", date(2026, 4, 13), date(2026, 4, 14)),
    Period("day", date(2025, 11, 28), date(2025, 11, 29)),
    Period("day", date(2026, 6, 30), date(2026, 7, 1)),
    Period("week", date(2026, 4, 13), date(2026, 4, 20)),
    Period("week", date(2026, 3, 23), date(2026, 3, 30)),
    Period("month", date(2026, 1, 1), date(2026, 2, 1)),
    Period("month", date(2026, 5, 1), date(2026, 6, 1)),
    Period("month", date(2024, 11, 1), date(2024, 12, 1)),
    Period("quarter", date(2026, 4, 1), date(2026, 7, 1)),
)
CENT = Decimal("0.005")


def same(found: Any, expected: Any) -> bool:
    """Equal to half a cent; nothing is no number."""
    if found is None or expected is None:
        return found is None and expected is None
    return abs(Decimal(found) - Decimal(str(expected))) < CENT


def parameters(query: str, period: Period) -> dict[str, date]:
    """The dates that a query asks for."""
    dates = {"from_date": period.from_date, "to_date": period.to_date}
    return {name: value for name, value in dates.items() if f"${name}" in query}


def test_every_kpi_is_written_by_hand(demo: duckdb.DuckDBPyConnection) -> None:
    """A KPI that nobody computed a second time could mean anything; the issue asks for 45."""
    codes = {code for (code,) in demo.execute("select kpi from raw.ref_kpis").fetchall()}
    assert codes == {*KPIS, *MIXES}
    assert len(codes) >= 45


@pytest.mark.parametrize("kpi", KPIS)
def test_kpi_is_the_one_written_by_hand(demo: duckdb.DuckDBPyConnection, kpi: str) -> None:
    """Numerator, denominator and value, of days, weeks, months and a quarter, to the cent."""
    rows = {
        (period, start): (numerator, denominator, value)
        for period, start, numerator, denominator, value in demo.execute(
            "select period, period_start_date, numerator, denominator, kpi_value"
            " from marts.fct_kpi_scorecard where kpi = ?",
            [kpi],
        ).fetchall()
    }
    query = KPIS[kpi].query
    compared = 0
    for period in PERIODS:
        found = rows.get((period.period, period.from_date))
        if found is None or (kpi in OF_MONTHS_ALONE and period.period != "month"):
            continue
        expected = demo.execute(query, parameters(query, period)).fetchone()
        assert expected is not None
        numerator, denominator = expected
        assert same(found[0], numerator or 0), (kpi, period, found, expected)
        assert same(found[1], denominator), (kpi, period, found, expected)
        if denominator is None or denominator:
            value = float(numerator or 0) / float(1 if denominator is None else denominator)
            assert found[2] == pytest.approx(value, rel=1e-9, abs=1e-6), (kpi, period, found)
        else:
            assert found[2] is None
        compared += 1
    assert compared >= 2, f"{kpi} was compared for {compared} periods only"


@pytest.mark.parametrize("kpi", MIXES)
def test_mix_is_the_one_counted_by_hand(demo: duckdb.DuckDBPyConnection, kpi: str) -> None:
    """Each part of a mix over all orders of the day, parts that are unknown included."""
    dimension = kpi.removesuffix("_share")
    for first in (date(2025, 11, 28), date(2026, 1, 9), date(2026, 6, 29)):
        period = Period("day", first, first + timedelta(days=1))
        query = f"select {MIXES[kpi]} as part, count(*) {REVENUE_ORDERS} group by part"
        expected = dict(demo.execute(query, parameters(query, period)).fetchall())
        found = demo.execute(
            "select dimension_value, numerator, denominator, kpi_value from marts.agg_kpi_daily"
            " where kpi = ? and dimension = ? and kpi_date = ?",
            [kpi, dimension, first],
        ).fetchall()
        assert {part: int(numerator) for part, numerator, _, _ in found} == expected
        assert {denominator for _, _, denominator, _ in found} == {sum(expected.values())}
        assert sum(value for *_, value in found) == pytest.approx(1)


def test_parts_of_a_kpi_are_those_counted_by_hand(demo: duckdb.DuckDBPyConnection) -> None:
    """A KPI of a channel, a device or a country is of what belongs to it, and of nothing else."""
    for kpi, dimension, query in (
        (
            "orders",
            "country",
            "select country, count(*), null from marts.fct_orders"
            " where is_revenue and order_date = $day group by country",
        ),
        (
            "net_revenue",
            "channel",
            "select session_channel, sum(net_amount), null from marts.fct_orders"
            " where is_revenue and order_date = $day group by session_channel",
        ),
        (
            "visitors",
            "device",
            "select device, count(distinct visitor_id), null from marts.fct_sessions"
            " where session_date = $day group by device",
        ),
        (
            "session_conversion_rate",
            "channel",
            "select channel, count(*) filter (where is_converted), count(*)"
            " from marts.fct_sessions where session_date = $day group by channel",
        ),
        (
            "ad_spend",
            "channel",
            "select channel, sum(spend_amount), null from marts.fct_ad_spend"
            " where spend_date = $day group by channel",
        ),
    ):
        day = date(2026, 4, 15)
        expected = {part: sums for part, *sums in demo.execute(query, {"day": day}).fetchall()}
        found = demo.execute(
            "select dimension_value, numerator, denominator from marts.agg_kpi_daily"
            " where kpi = ? and dimension = ? and kpi_date = ?",
            [kpi, dimension, day],
        ).fetchall()
        assert len(found) == len(expected) > 0
        for part, numerator, denominator in found:
            assert same(numerator, expected[part][0])
            assert same(denominator, expected[part][1])


def test_every_kpi_has_rows(demo: duckdb.DuckDBPyConnection) -> None:
    """The demo shop has all tables: a KPI without a row would be one that never has any."""
    for mart in ("agg_kpi_daily", "fct_kpi_scorecard"):
        missing = demo.execute(
            f"select kpi from raw.ref_kpis where kpi not in (select kpi from marts.{mart})"
            + (" and not is_mix" if mart == "fct_kpi_scorecard" else "")
        ).fetchall()
        assert not missing, (mart, missing)

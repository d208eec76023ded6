"""Recency, frequency, value: the marts against a count of who is strictly worse, from raw rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from differences import differences
from lifecycle.conftest import MARTS, Built
from lifecycle.lives import ALL_ALIKE, NOBODY, ONE, Life, Lives, day_of, first_of_month
from shops import PROJECT, dicts, mart_rows, small_shop, write_tables
from warehouses import Build, BuildFailed, Dbt

ZERO = Decimal("0.00")


def segment_grid() -> dict[tuple[int, int], str]:
    """The segment of each pair of scores, as the reference seed has it."""
    path = PROJECT / "seeds" / "reference" / "ref_rfm_segments.csv"
    with path.open(encoding="utf-8") as stream:
        return {
            (int(row["recency_score"]), int(row["fm_score"])): row["segment"]
            for row in csv.DictReader(stream)
        }


GRID = segment_grid()


@dataclass
class State:
    """What a customer is on a day; the fields are columns of fct_customer_rfm."""

    recency_days: int | None = None
    order_count: int = 0
    net_amount_after_refunds: Decimal = ZERO
    margin_amount: Decimal | None = ZERO
    recency_score: int | None = None
    frequency_score: int | None = None
    monetary_score: int | None = None
    fm_score: int | None = None
    segment: str = "prospects"


def measured(life: Life, day: date, window_days: int | None) -> State | None:
    """The customer as a day knows them, unscored; None for who is not known."""
    orders = [order for order in life.bought if order.day <= day]
    if not orders:
        is_known = not life.created_at or day_of(life.created_at) <= day
        return State() if life.has_account and is_known else None
    before = day - timedelta(days=window_days) if window_days else date.min
    inside = [order for order in orders if order.day > before]
    refunded, returned = ZERO, ZERO
    for order in orders:
        amounts = zip(order.refund_by(day), order.refund_by(before), strict=True)
        refund, cost = (now - then for now, then in amounts)
        refunded, returned = refunded + refund, returned + cost
    net = sum((order.net for order in inside), ZERO) - refunded
    is_cost_known = all(order.cost is not None for order in orders if order.has_revenue)
    cost = sum((order.cost or ZERO for order in inside if order.has_revenue), ZERO)
    return State(
        recency_days=(day - max(order.day for order in orders)).days,
        order_count=len(inside),
        net_amount_after_refunds=net,
        margin_amount=net - cost + returned if is_cost_known else None,
    )


def scores(values: Sequence[Any]) -> dict[Any, int]:
    """For each value the highest k such that at least (k-1)/5 of all are strictly worse (less)."""
    found = {}
    for value in set(values):
        worse = sum(other < value for other in values)
        found[value] = max(k for k in (1, 2, 3, 4, 5) if 5 * worse >= (k - 1) * len(values))
    return found


def states_on(lives: Lives, day: date, window_days: int | None) -> dict[str, State]:
    """Every known customer's state on a day."""
    found = {life.customer_id: measured(life, day, window_days) for life in lives.customers}
    states = {customer_id: state for customer_id, state in found.items() if state}
    buyers = [state for state in states.values() if state.recency_days is not None]
    recencies = [-(state.recency_days or 0) for state in buyers]
    by_recency = scores(recencies)
    by_count = scores([state.order_count for state in buyers])
    by_amount = scores([state.net_amount_after_refunds for state in buyers])
    for state, recency in zip(buyers, recencies, strict=True):
        state.recency_score = by_recency[recency]
        state.frequency_score = by_count[state.order_count]
        state.monetary_score = by_amount[state.net_amount_after_refunds]
        state.fm_score = (state.frequency_score + state.monetary_score + 1) // 2
        state.segment = GRID[state.recency_score, state.fm_score]
    return states


def rows_of(warehouse: Built) -> dict[date, dict[str, dict[str, Any]]]:
    """fct_customer_rfm by day and customer."""
    rows: dict[date, dict[str, dict[str, Any]]] = {}
    for row in dicts(warehouse.marts, "select * from marts.fct_customer_rfm"):
        rows.setdefault(row["as_of_date"], {})[row["customer_id"]] = row
    return rows


def expected_rows(
    day: date, states: dict[str, State], previous: dict[str, State]
) -> dict[str, dict[str, Any]]:
    """A day's rows of fct_customer_rfm, the state at the end of the month before beside each."""
    previous_date = first_of_month(day) - timedelta(days=1)
    rows = {}
    for customer_id, state in states.items():
        before = previous.get(customer_id)
        rows[customer_id] = {field.name: getattr(state, field.name) for field in fields(State)} | {
            "previous_date": previous_date,
            "previous_segment": before.segment if before else None,
            "previous_net_amount_after_refunds": (
                before.net_amount_after_refunds if before else None
            ),
        }
    return rows


@pytest.mark.parametrize("name", ["built", "built_windowed"])
def test_scores_are_a_count_of_who_is_worse(
    name: str, lives: Lives, request: pytest.FixtureRequest
) -> None:
    """Every customer on two dozen days, each another population; with a window and without."""
    warehouse: Built = request.getfixturevalue(name)
    rows = rows_of(warehouse)
    assert len(rows) >= 23
    previous = states_on(lives, first_of_month(min(rows)) - timedelta(days=1), None)
    for day, found in sorted(rows.items()):
        ours = {
            customer_id: {
                column: value
                for column, value in row.items()
                if column not in {"customer_id", "as_of_date", "is_latest"}
            }
            for customer_id, row in found.items()
        }
        states = states_on(lives, day, warehouse.rfm_window_days)
        assert not differences(ours, expected_rows(day, states, previous)), day
        previous = states
        assert {row["is_latest"] for row in found.values()} == {day == warehouse.as_of_date}


def test_the_lives_have_what_is_awkward(built: Built, built_windowed: Built) -> None:
    """Every segment and score, unknown margins, windows with refunds alone."""
    last = list(rows_of(built)[built.as_of_date].values())
    assert {row["segment"] for row in last} == {*GRID.values(), "prospects"}
    assert {row["recency_score"] for row in last} == {None, 1, 2, 3, 4, 5}
    assert any(row["margin_amount"] is None for row in last)
    windowed = list(rows_of(built_windowed)[built_windowed.as_of_date].values())
    lapsed = [row for row in windowed if row["recency_score"] and not row["order_count"]]
    assert {row["frequency_score"] for row in lapsed} == {1}
    assert any(row["net_amount_after_refunds"] < 0 for row in lapsed)


def test_one_alone_and_all_alike_are_nobody_better(built: Built) -> None:
    """Where nobody is strictly worse than another, all have score 1; without buyers, none."""
    rows = rows_of(built)
    scored = {
        day: [row for row in rows[day].values() if row["segment"] != "prospects"]
        for day in (NOBODY, ONE, ALL_ALIKE)
    }
    assert [len(scored[day]) for day in (NOBODY, ONE, ALL_ALIKE)] == [0, 1, 10]
    names = ("recency_score", "frequency_score", "monetary_score", "fm_score", "segment")
    for row in scored[ONE] + scored[ALL_ALIKE]:
        assert [row[name] for name in names] == [1, 1, 1, 1, GRID[1, 1]]


def test_segments_and_transitions_are_sums_of_customers(built: Built) -> None:
    """Sizes, values and movement, of every segment on every day, empty ones too."""
    segments = {
        (row["as_of_date"], row["segment"]): row
        for row in dicts(built.marts, "select * from marts.agg_rfm_segments")
    }
    moves = {
        (row["as_of_date"], row["from_segment"], row["to_segment"]): row
        for row in dicts(built.marts, "select * from marts.agg_segment_transitions")
    }
    days = rows_of(built)
    assert segments.keys() == {
        (day, segment) for day in days for segment in (*GRID.values(), "prospects")
    }
    pairs = Counter(
        (day, row["previous_segment"], row["segment"]) for day in days for row in days[day].values()
    )
    assert {key: row["customer_count"] for key, row in moves.items()} == pairs
    for (day, segment), row in segments.items():
        members = [other for other in days[day].values() if other["segment"] == segment]
        before = [other for other in days[day].values() if other["previous_segment"] == segment]
        margins = [other["margin_amount"] for other in members]
        net = sum((other["net_amount_after_refunds"] for other in members), ZERO)
        previous_net = sum((other["previous_net_amount_after_refunds"] for other in before), ZERO)
        expected = {
            "is_latest": day == built.as_of_date,
            "customer_count": len(members),
            "order_count": sum(other["order_count"] for other in members),
            "net_amount_after_refunds": net,
            "known_margin_customer_count": len(members) - margins.count(None),
            "margin_amount": (
                sum((margin for margin in margins if margin is not None), ZERO)
                if not members or margins.count(None) < len(members)
                else None
            ),
            "customer_share": pytest.approx(len(members) / len(days[day])),
            "previous_customer_count": len(before),
            "customer_change": len(members) - len(before),
            "net_amount_change": net - previous_net,
        }
        assert {name: row[name] for name in expected} == expected, (day, segment)


def test_scores_do_not_hang_on_the_order_of_rows(built: Built, built_again: Built) -> None:
    """The same raw rows in another order: the same rows in every mart of customers' lives."""
    for mart in MARTS:
        assert mart_rows(built.marts, mart) == mart_rows(built_again.marts, mart), mart


def test_a_shop_of_guests_has_no_customers(build: Build, tmp_path: Path) -> None:
    """Three orders without a customer: no scores, segments of nobody, no churn, no cohort."""
    folder = write_tables(tmp_path, small_shop())
    select = " ".join(f"+{mart}" for mart in MARTS)
    marts = build(tests=False, select=select, raw_path=str(folder))
    counts = {mart: len(mart_rows(marts, mart)) for mart in MARTS}
    assert counts == dict.fromkeys(MARTS, 0) | {"agg_rfm_segments": 11}
    assert not dicts(marts, "select * from marts.agg_rfm_segments where customer_count <> 0")


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("churn_after_days", 30, "churn_after_days is 30; it must be a whole number, 31 or more"),
        ("churn_after_days", "", "churn_after_days is empty"),
        ("rfm_window_days", "a year", "rfm_window_days is a year"),
    ],
)
def test_a_variable_that_makes_no_sense_stops_the_build(
    dbt: Dbt, tmp_path: Path, variable: str, value: object, fault: str
) -> None:
    """In a sentence, before anything is built."""
    with pytest.raises(BuildFailed, match=fault):
        dbt.run(
            *("run", "--select", "stg_shop__as_of"),
            warehouse=tmp_path / "cartwright.duckdb",
            variables={variable: value},
        )

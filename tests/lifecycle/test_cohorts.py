"""Churn by month and cohorts: the marts against customers looked at one by one, from raw rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from differences import differences
from lifecycle.conftest import Built
from lifecycle.lives import Life, Lives, Order, first_of_month, last_of_month, months_between
from shops import dicts

ZERO = Decimal("0.00")
YEAR = 365
WAREHOUSES = pytest.mark.parametrize("name", ["built", "built_windowed"])


@pytest.fixture
def warehouse(name: str, request: pytest.FixtureRequest) -> Built:
    """Within a month or at its end, with another churn_after_days."""
    found: Built = request.getfixturevalue(name)
    return found


def buyers_known(lives: Lives, day: date) -> Iterator[tuple[Life, list[Order]]]:
    """Who had ordered by a day, with the orders until then."""
    for life in lives.customers:
        orders = [order for order in life.bought if order.day <= day]
        if orders:
            yield life, orders


# Churn


def is_active(orders: list[Order], day: date, churn_after_days: int) -> bool:
    """Whether fewer than so many days have passed since the last order until a day."""
    days = [order.day for order in orders if order.day <= day]
    return bool(days) and (day - max(days)).days < churn_after_days


def worth(orders: list[Order], until: date) -> tuple[Decimal, Decimal | None]:
    """Net and margin of orders and refunds up to a day; no margin where a cost is unknown."""
    net, margin = ZERO, ZERO
    known = [order for order in orders if order.day <= until]
    for order in orders:
        refunded, returned = order.refund_by(until)
        bought = order.net if order in known else ZERO
        cost = (order.cost or ZERO) if order in known and order.has_revenue else ZERO
        net += bought - refunded
        margin += bought - refunded - cost + returned
    is_known = all(order.cost is not None for order in known if order.has_revenue)
    return net, margin if is_known else None


def churn_month(lives: Lives, month: date, built: Built) -> dict[str, Any]:
    """A month's row: each customer is looked at on the evening before it, in it, and at its end."""
    eve, end = month - timedelta(days=1), min(last_of_month(month), built.as_of_date)
    counts, nets, churned = Counter[str](), Counter[str](), []
    for _, orders in buyers_known(lives, end):
        was_there = is_active(orders, eve, built.churn_after_days)
        is_there = is_active(orders, end, built.churn_after_days)
        inside = [order for order in orders if order.day >= month]
        counts["opening"] += was_there
        counts["closing"] += is_there
        counts["ordering"] += bool(inside)
        counts["orders"] += len(inside)
        if was_there and not is_there:
            day = max(order.day for order in orders) + timedelta(days=built.churn_after_days)
            (net, margin), (net_before, margin_before) = (
                worth(orders, until) for until in (day, day - timedelta(days=YEAR))
            )
            is_known = margin is not None and margin_before is not None
            churned.append(
                (net - net_before, (margin or ZERO) - (margin_before or ZERO) if is_known else None)
            )
        elif is_there:
            was_new = orders[0].day >= month
            state = "new" if was_new else "retained" if was_there else "reactivated"
            counts[state] += 1
            nets[state] += sum((order.net for order in inside), ZERO)  # type: ignore[assignment]
    margins = [margin for _, margin in churned]
    is_mature = end == last_of_month(month)
    rate = len(churned) / counts["opening"] if is_mature and counts["opening"] else None
    return {
        "is_mature": is_mature,
        **{
            f"{state}_customer_count": counts[state]
            for state in ("opening", "new", "reactivated", "retained", "closing", "ordering")
        },
        "churned_customer_count": len(churned),
        "churn_rate": rate if rate is None else pytest.approx(rate),
        "retention_rate": rate if rate is None else pytest.approx(1 - rate),
        "order_count": counts["orders"],
        **{f"{state}_net_amount": nets[state] for state in ("new", "retained", "reactivated")},
        "net_amount": sum(nets.values(), ZERO),
        "churned_net_amount": sum((net for net, _ in churned), ZERO),
        "churned_margin_amount": sum((margin for margin in margins if margin is not None), ZERO),
        "churned_unknown_margin_customer_count": margins.count(None),
    }


@WAREHOUSES
def test_churn_months_are_customers_looked_at_one_by_one(lives: Lives, warehouse: Built) -> None:
    """All that the mart says of every month, the running one included, but for its rates."""
    found = {
        row.pop("month_start_date"): row
        for row in dicts(warehouse.marts, "select * from marts.agg_churn_monthly")
    }
    first_day = min(order.day for _, orders in buyers_known(lives, date.max) for order in orders)
    expected = {
        month: churn_month(lives, month, warehouse)
        for month in months_between(first_day, warehouse.as_of_date)
    }
    assert not differences(found, expected)
    rows = found.values()
    assert all(sum(row[f"{state}_customer_count"] for row in rows) for state in ("churned", "new"))
    assert sum(row["reactivated_customer_count"] for row in rows)


# Cohorts


Cell = tuple[date, str, str | None, int]


def cohorts(lives: Lives, built: Built) -> dict[tuple[date, str, str | None], list[list[Order]]]:
    """The known orders of each member, by cohort: month, dimension, value."""
    members = defaultdict(list)
    for life, orders in buyers_known(lives, built.as_of_date):
        month = first_of_month(orders[0].day)
        for dimension, value in (
            ("all", "all"),
            ("first_channel", life.first_channel),
            ("first_category", orders[0].main_category),
        ):
            members[month, dimension, value].append(orders)
    return members


def margin_of(orders: list[Order], day: date) -> Decimal:
    """What orders brought, with the refunds known on a day, without those of an unknown cost."""
    margin = ZERO
    for order in orders:
        if order.has_revenue and order.cost is not None:
            refunded, returned = order.refund_by(day)
            margin += order.net - refunded - order.cost + returned
    return margin


def cells(lives: Lives, built: Built) -> dict[Cell, dict[str, Any]]:
    """What the two marts should say of each cell, by counting its customers."""
    found: dict[Cell, dict[str, Any]] = {}
    for (cohort, dimension, value), members in cohorts(lives, built).items():
        spent = spend_of(lives, cohort, built) if dimension == "all" else None
        size, net, margin, payback = len(members), ZERO, ZERO, None
        rows = []
        for number, month in enumerate(months_between(cohort, built.as_of_date)):
            inside = [order for orders in members for order in orders if in_month(order, month)]
            is_mature = last_of_month(month) <= built.as_of_date
            customers = sum(any(in_month(order, month) for order in orders) for orders in members)
            repeated = sum(
                len(orders) > 1 and orders[1].day <= last_of_month(month) for orders in members
            )
            refunds = sum((order.refund_by(built.as_of_date)[0] for order in inside), ZERO)
            month_net = sum((order.net for order in inside), ZERO)
            month_margin = margin_of(inside, built.as_of_date)
            net, margin = net + month_net, margin + month_margin
            if payback is None and is_mature and spent is not None and margin >= spent:
                payback = number
            measured = {
                "customer_count": customers,
                "order_count": len(inside),
                "repeat_customer_count": repeated,
                "retention_rate": pytest.approx(customers / size) if number else None,
                "repeat_rate": pytest.approx(repeated / size),
                "unknown_margin_order_count": sum(
                    order.has_revenue and order.cost is None for order in inside
                ),
                "net_amount": month_net,
                "net_amount_after_refunds_by_order_date": month_net - refunds,
                "margin_amount": month_margin,
                "cumulative_net_amount": net,
                "cumulative_margin_amount": margin,
                "cumulative_net_amount_per_customer": per_customer(net, size),
                "cumulative_margin_amount_per_customer": per_customer(margin, size),
            }
            rows.append(
                {
                    "month_start_date": month,
                    "is_mature": is_mature,
                    "cohort_customer_count": size,
                    **{name: measured[name] if is_mature else None for name in measured},
                    "spend_amount": spent,
                    "cac_amount": None if spent is None else per_customer(spent, size),
                }
            )
        for number, row in enumerate(rows):
            found[cohort, dimension, value, number] = row | {"payback_months": payback}
    return found


def in_month(order: Order, month: date) -> bool:
    """Whether an order is of a month."""
    return first_of_month(order.day) == month


def per_customer(amount: Decimal, size: int) -> Any:
    """A mean to the cent."""
    return pytest.approx(amount / size, abs=Decimal("0.005001"))


def spend_of(lives: Lives, cohort: date, built: Built) -> Decimal | None:
    """What a cohort's month cost; None where that is not known, or not yet."""
    months = [first_of_month(day) for day in lives.spend if day <= built.as_of_date]
    if last_of_month(cohort) > built.as_of_date or not min(months) <= cohort <= max(months):
        return None
    return sum((lives.spend[day] for day in lives.spend if first_of_month(day) == cohort), ZERO)


def rows_by_cell(marts: duckdb.DuckDBPyConnection, mart: str) -> dict[Cell, dict[str, Any]]:
    """A cohort mart by its grain."""
    names = ("cohort_month_start_date", "dimension", "dimension_value", "months_since")
    rows = dicts(marts, f"select * from marts.{mart}")
    return {tuple(row.pop(name) for name in names): row for row in rows}


@WAREHOUSES
@pytest.mark.parametrize("mart", ["agg_cohort_retention", "agg_cohort_value"])
def test_cohorts_are_customers_looked_at_one_by_one(
    mart: str, lives: Lives, warehouse: Built
) -> None:
    """All that the marts say of every cell, those without orders and the running month included."""
    found = rows_by_cell(warehouse.marts, mart)
    columns = next(iter(found.values())).keys()
    expected = {
        cell: {column: row[column] for column in columns}
        for cell, row in cells(lives, warehouse).items()
    }
    assert not differences(found, expected)


def test_the_cohorts_have_what_is_awkward(built: Built) -> None:
    """Unknown channels and categories, empty cells, late paybacks, months that cost nothing."""
    retention = rows_by_cell(built.marts, "agg_cohort_retention")
    unknown = {cell[1] for cell in retention if cell[2] is None}
    assert unknown == {"first_channel", "first_category"}
    assert any(row["customer_count"] == 0 for row in retention.values())
    values = [
        row
        for (_, dimension, _, number), row in rows_by_cell(built.marts, "agg_cohort_value").items()
        if dimension == "all" and number == 0
    ]
    assert {row["payback_months"] for row in values} >= {None, 0, 1}
    assert ZERO in {row["spend_amount"] for row in values}

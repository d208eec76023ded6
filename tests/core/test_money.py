"""Money to the cent: 1,000 random shops in one build against a ledger written by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from money_ledger import LedgerLine, Order, Rates, RefundShare, last_complete_day, ledger
from random_shops import as_tables, make_rates, make_shops
from shops import Row, dicts, write_tables
from warehouses import Build

SEED = 20240607
SHOP_COUNT = 1000
PAST_DAY = date(2024, 6, 30)
MARTS = "+fct_order_lines +fct_orders +fct_refunds"


@dataclass
class Books:
    """One build of the shops and what the ledger says that it should hold."""

    as_of: date
    connection: duckdb.DuckDBPyConnection
    lines: list[LedgerLine]
    orders: list[Order]
    rates: Rates


@pytest.fixture(scope="module")
def all_books(build: Build, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Books]:
    """The shops built for the last complete day and for a day in the middle."""
    shops, rates = make_shops(SHOP_COUNT, SEED), make_rates(SEED)
    orders = [order for shop in shops for order in shop.orders]
    # NONE has no rate, so that products priced in it are rejected: their cost is unknown.
    products = {product.product_id: product for shop in shops for product in shop.products}
    folder = write_tables(tmp_path_factory.mktemp("shops"), as_tables(shops, rates, SEED))
    books = {}
    for name, as_of, variables in (
        ("last complete day", last_complete_day(orders, rates), {}),
        ("past day", PAST_DAY, {"as_of_date": str(PAST_DAY)}),
    ):
        connection = build(
            tests=False,
            select=MARTS,
            raw_path=str(folder),
            load_date="2025-06-30",
            **variables,
        )
        lines = ledger(orders, products, rates, as_of)
        books[name] = Books(as_of, connection, lines, orders, rates)
    return books


@pytest.fixture(scope="module", params=["last complete day", "past day"])
def books(request: pytest.FixtureRequest, all_books: dict[str, Books]) -> Books:
    """Each build in turn."""
    return all_books[request.param]


def euros(amount: int | None) -> Decimal | None:
    """Cents as an amount."""
    return None if amount is None else Decimal(amount) / 100


def differences(found: dict[Any, Any], expected: dict[Any, Any]) -> list[str]:
    """The first keys whose values differ, readable."""
    return [
        f"{key}: found {found.get(key)}, expected {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys(), key=str)
        if found.get(key) != expected.get(key)
    ][:5]


def line_values(line: LedgerLine) -> dict[str, Any]:
    """What fct_order_lines should hold of a line; no revenue: revenue columns NULL."""
    revenue = {
        "gross_amount": euros(line.gross),
        "discount_amount": euros(line.discount),
        "net_amount": euros(line.net),
        "net_amount_in_order_currency": euros(line.net_in_order_currency),
        "refund_amount_by_order_date": euros(line.refunded),
        "net_amount_after_refunds_by_order_date": euros(line.net - line.refunded),
        "returned_quantity": line.returned_units,
        "cost_amount": euros(line.cost),
        "kept_cost_amount": euros(line.kept_cost),
        "margin_amount": euros(line.margin),
    }
    always = {
        "currency": line.currency,
        "is_revenue": line.is_revenue,
        "order_date": line.order_date,
        "ordered_amount": euros(line.net),
    }
    return always | (revenue if line.is_revenue else dict.fromkeys(revenue))


def test_the_shops_have_what_is_awkward(all_books: dict[str, Books]) -> None:
    """The generator makes the cases that the other tests are about; else they prove nothing."""
    lines = all_books["last complete day"].lines
    orders = all_books["last complete day"].orders
    rates = all_books["last complete day"].rates
    shares = [share for line in lines for share in line.refunds]
    units = {
        (order.order_id, item.line_number): item.quantity
        for order in orders
        for item in order.items
    }
    counts = {
        "lines": len(lines),
        "orders without a rate": len(orders) - len({line.order_id for line in lines}),
        "negative net": sum(line.net < 0 for line in lines),
        "unknown cost": sum(line.cost is None for line in lines),
        "no revenue": sum(not line.is_revenue for line in lines),
        "no gross": sum(line.gross == 0 for line in lines),
        "fully returned": sum(
            0 < units[line.order_id, line.line_number] == line.returned_units for line in lines
        ),
        "other currency": sum(line.currency != "EUR" for line in lines),
        "refunds unknown on as_of": sum(len(order.refunds) for order in orders)
        - len({share.refund_id for share in shares}),
        "guests": sum(order.customer_id is None for order in orders),
    }
    assert all(count >= 100 for count in counts.values()), counts
    assert rates.rate("LATE", date(2024, 4, 30)) is None


def test_every_line_is_worth_what_the_ledger_says(books: Books) -> None:
    """Pricing, allocation, conversion, refunds and margin of each line, exactly."""
    expected = {(line.order_id, line.line_number): line_values(line) for line in books.lines}
    columns = ", ".join(next(iter(expected.values())))
    rows = dicts(
        books.connection, f"select order_id, line_number, {columns} from marts.fct_order_lines"
    )
    found = {(row.pop("order_id"), row.pop("line_number")): row for row in rows}
    assert len(rows) == len(expected)
    assert not differences(found, expected)


def known_sum(values: list[int | None]) -> int | None:
    """The sum; a sum with an unknown is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def order_values(lines: list[LedgerLine]) -> dict[str, Any]:
    """What fct_orders should hold of an order, of its lines."""
    revenue = {
        "gross_amount": euros(sum(line.gross for line in lines)),
        "discount_amount": euros(sum(line.discount for line in lines)),
        "net_amount": euros(sum(line.net for line in lines)),
        "net_amount_in_order_currency": euros(sum(line.net_in_order_currency for line in lines)),
        "refund_amount_by_order_date": euros(sum(line.refunded for line in lines)),
        "returned_unit_count": sum(line.returned_units for line in lines),
        "cost_amount": euros(known_sum([line.cost for line in lines])),
        "margin_amount": euros(known_sum([line.margin for line in lines])),
    }
    always = {"ordered_amount": euros(sum(line.net for line in lines)), "line_count": len(lines)}
    return always | (revenue if lines[0].is_revenue else dict.fromkeys(revenue))


def test_every_order_is_the_sum_of_its_lines(books: Books) -> None:
    """An order's amounts are its lines', and a cost that one line does not know is unknown."""
    by_order = defaultdict(list)
    for line in books.lines:
        by_order[line.order_id].append(line)
    expected = {order_id: order_values(lines) for order_id, lines in by_order.items()}
    columns = ", ".join(next(iter(expected.values())))
    rows = dicts(books.connection, f"select order_id, {columns} from marts.fct_orders")
    found = {row.pop("order_id"): row for row in rows}
    assert len(rows) == len(expected)
    assert not differences(found, expected)


@pytest.mark.parametrize("mart", ["fct_order_lines", "fct_orders"])
def test_the_money_equation_holds(books: Books, mart: str) -> None:
    """Sum of lines = sum of orders = the ledger, per currency and in total."""
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for line in books.lines:
        if line.is_revenue:
            for key in (line.currency, "all"):
                amounts = (line.net_in_order_currency, line.net, line.refunded)
                expected[key] = [
                    total + amount for total, amount in zip(expected[key], amounts, strict=True)
                ]
    rows = books.connection.execute(
        f"""
        select
            coalesce(currency, 'all'),
            sum(net_amount_in_order_currency),
            sum(net_amount),
            sum(refund_amount_by_order_date)
        from marts.{mart}
        where is_revenue
        group by grouping sets ((currency), ())
        """
    ).fetchall()
    found = {currency: amounts for currency, *amounts in rows}
    assert found == {
        key: [euros(amount) for amount in amounts] for key, amounts in expected.items()
    }


def refund_values(lines: list[tuple[LedgerLine, RefundShare]]) -> dict[str, Any]:
    """What fct_refunds should hold of a refund, of the lines that it takes from."""
    first_line, first_share = lines[0]
    revenue = {
        "returned_unit_count": sum(share.units for _, share in lines),
        "refund_amount": euros(sum(share.cents for _, share in lines)),
        "returned_cost_amount": euros(known_sum([share.cost_cents for _, share in lines])),
    }
    always = {
        "refund_amount_in_order_currency": euros(
            sum(share.cents_in_order_currency for _, share in lines)
        ),
        "order_date": first_line.order_date,
        "refund_date": first_share.refund_date,
    }
    return always | (revenue if first_line.is_revenue else dict.fromkeys(revenue))


def test_every_refund_is_booked_whole(books: Books) -> None:
    """A refund's amount, units and cost are what its lines say, on its own day."""
    by_refund = defaultdict(list)
    for line in books.lines:
        for share in line.refunds:
            by_refund[share.refund_id].append((line, share))
    expected = {refund_id: refund_values(lines) for refund_id, lines in by_refund.items()}
    columns = ", ".join(next(iter(expected.values())))
    rows = dicts(books.connection, f"select refund_id, {columns} from marts.fct_refunds")
    found = {row.pop("refund_id"): row for row in rows}
    assert len(rows) == len(expected)
    assert not differences(found, expected)


def test_refunds_by_order_date_are_refunds_by_refund_date(books: Books) -> None:
    """The two views of refunds differ in when, never in how much."""
    by_order_date, by_refund_date = books.connection.execute(
        "select (select sum(refund_amount_by_order_date) from marts.fct_orders),"
        " (select sum(refund_amount) from marts.fct_refunds)"
    ).fetchall()[0]
    assert by_order_date == by_refund_date > 0


def test_amounts_of_a_currency_with_small_units(build: Build, tmp_path: Path) -> None:
    """A shop that counts in won sells at millions a unit: amount times rate must not overflow."""
    order = {"order_id": "A", "ordered_at": "2024-01-01T10:00:00Z", "status": "paid"}
    item = {"order_id": "A", "product_id": "P", "quantity": 300, "unit_price": "1500000.00"}
    refund = {"refund_id": "R", "order_id": "A", "line_number": 1, "quantity": 100}
    tables: dict[str, list[Row]] = {
        "orders": [order],
        "order_items": [
            item | {"line_number": 1, "unit_cost": "1200000.00"},
            item | {"line_number": 2, "unit_cost": None},
        ],
        "refunds": [refund | {"amount": "150000000.00", "refunded_at": "2024-01-01T11:00:00Z"}],
        "products": [
            {"product_id": "P", "unit_cost": "900.00", "list_price": "1100.00", "currency": "USD"}
        ],
        "fx_rates": [{"rate_date": "2024-01-01", "currency": "USD", "rate": "1300"}],
    }
    connection = build(
        tests=False,
        select=MARTS,
        raw_path=str(write_tables(tmp_path, tables)),
        load_date="2024-01-03",
        as_of_date="2024-01-02",
        reporting_currency="KRW",
    )
    rows = connection.execute(
        "select net_amount, refund_amount_by_order_date, cost_amount, margin_amount"
        " from marts.fct_order_lines order by line_number"
    ).fetchall()
    assert rows == [
        (450000000, 150000000, 360000000, 60000000),
        (450000000, 0, 351000000, 99000000),
    ]

"""Messages with their comparison group, and promotions, against loops by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from acquisition.conftest import Households
from acquisition.households import KNOWN_UNTIL, LAST, MICROSECOND
from differences import differences
from session_ledger import reporting_date

WINDOW, SECOND_ORDER = timedelta(days=7), timedelta(days=90)
ZERO = Decimal(0)


def orders_that_count(households: Households) -> list[dict[str, Any]]:
    """Those that were not cancelled, by time."""
    orders = [order for order in households.orders if order["status"] != "cancelled"]
    return sorted(orders, key=lambda order: (order["ordered_at"], order["order_id"]))


def known_messages(households: Households) -> list[dict[str, Any]]:
    """The messages that the last day knows; later times of theirs are not there yet."""
    known = []
    for row in households.raw["messages"]:
        message: dict[str, Any] = dict(row)
        for column in ("opened_at", "unsubscribed_at"):
            if message[column] and message[column] >= KNOWN_UNTIL:
                message[column] = None
        if message["sent_at"] < KNOWN_UNTIL:
            known.append(message)
    return known


def eligible_spans(
    households: Households, messages: list[dict[str, Any]]
) -> dict[str, tuple[date, date]]:
    """From the day of their account to that of unsubscribing: who agreed to messages."""
    spans = {}
    for row in households.raw["customers"]:
        customer: dict[str, Any] = dict(row)
        created_at = customer["created_at"]
        if customer["marketing_opt_in"] and (created_at is None or created_at < KNOWN_UNTIL):
            left = [
                reporting_date(message["unsubscribed_at"])
                for message in messages
                if message["customer_id"] == customer["customer_id"] and message["unsubscribed_at"]
            ]
            since = reporting_date(created_at) if created_at else date.min
            spans[customer["customer_id"]] = since, min(left, default=date.max)
    return spans


def test_messages_are_those_of_loops(households: Households) -> None:
    """What was sent, the orders after it, and what the eligible who were not sent it did."""
    messages, orders = known_messages(households), orders_that_count(households)
    spans = eligible_spans(households, messages)
    by_customer = defaultdict(list)
    for order in orders:
        if order["customer_id"]:
            by_customer[order["customer_id"]].append(order)
    sent = defaultdict(list)
    for message in messages:
        message["key"] = (reporting_date(message["sent_at"]), message["kind"], message["channel"])
        sent[message["key"]].append(message)
    credited = defaultdict(list)
    gaps = Counter[timedelta]()
    of_customer = defaultdict(list)
    for message in messages:
        of_customer[message["customer_id"]].append(message)
    for customer, theirs in by_customer.items():
        for order in theirs:
            gaps.update(order["ordered_at"] - m["sent_at"] for m in of_customer[customer])
            before = [m for m in of_customer[customer] if _follows(order, m)]
            if before:
                last = max(before, key=lambda m: (m["sent_at"], m["message_id"]))
                credited[last["key"]].append(order)
    expected = {}
    for key, rows in sent.items():
        day, kind, _ = key
        told = {m["customer_id"] for m in messages if m["key"][:2] == (day, kind)}
        others = [
            name
            for name, (since, until) in spans.items()
            if since <= day <= until and name not in told
        ]
        recipients = {message["customer_id"] for message in rows}
        buyers = {
            m["customer_id"]
            for m in rows
            if any(_follows(order, m) for order in by_customer[m["customer_id"]])
        }
        other_buyers = [
            name
            for name in others
            if any(day <= order["order_date"] < day + WINDOW for order in by_customer[name])
        ]
        is_mature = day + WINDOW <= LAST
        costs = [Decimal(message["cost"]) for message in rows if message["cost"]]
        expected[key] = {
            "sent_count": len(rows),
            "opened_count": sum(message["opened_at"] is not None for message in rows),
            "unsubscribed_count": sum(message["unsubscribed_at"] is not None for message in rows),
            "cost_amount": sum(costs) if costs else None,
            "order_count": len(credited[key]),
            "net_amount": sum((o["net_amount"] or ZERO for o in credited[key]), ZERO),
            "margin_amount": sum((o["margin_amount"] or ZERO for o in credited[key]), ZERO),
            "recipient_count": len(recipients),
            "ordering_recipient_count": len(buyers),
            "comparison_customer_count": len(others),
            "ordering_comparison_customer_count": len(other_buyers),
            "recipient_order_rate": len(buyers) / len(recipients) if is_mature else None,
            "comparison_order_rate": len(other_buyers) / len(others)
            if is_mature and others
            else None,
            "is_mature": is_mature,
        }
    names = next(iter(expected.values()))
    found = {
        (row["sent_date"], row["kind"], row["channel"]): {name: row[name] for name in names}
        for row in households.rows("agg_message_performance")
    }
    assert not differences(found, expected)
    assert min(gaps[edge] for edge in (timedelta(0), MICROSECOND, WINDOW, WINDOW - MICROSECOND)) > 4
    rows_of_all = list(expected.values())
    assert sum(row["order_count"] for row in rows_of_all) >= 50
    assert len({row["is_mature"] for row in rows_of_all}) == 2
    assert sum(row["ordering_comparison_customer_count"] for row in rows_of_all) >= 100


def _follows(order: dict[str, Any], message: dict[str, Any]) -> bool:
    """After the message, and less than the window after it."""
    return bool(timedelta(0) < order["ordered_at"] - message["sent_at"] < WINDOW)


def test_promotions_are_those_of_loops(households: Households) -> None:
    """Orders, discounts, margin, and whether new customers came back, by code."""
    orders = orders_that_count(households)
    promotions: dict[Any, dict[str, Any]] = {
        row["promo_code"]: dict(row) for row in households.raw["promotions"]
    }
    firsts: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    second_at = {o["customer_id"]: o["ordered_at"] for o in orders if _number(o) == 2}
    for order in orders:
        if _number(order) == 1 and order["ordered_at"] + SECOND_ORDER <= KNOWN_UNTIL:
            firsts[order["promo_code"]].append(order)

    def returned(rows: list[dict[str, Any]]) -> int:
        return sum(
            row["customer_id"] in second_at
            and second_at[row["customer_id"]] < row["ordered_at"] + SECOND_ORDER
            for row in rows
        )

    expected = {}
    for code in promotions.keys() | {o["promo_code"] for o in orders if o["promo_code"]}:
        rows = [order for order in orders if order["promo_code"] == code]
        promotion = promotions.get(code)
        new = firsts[code]
        expected[code] = {
            "is_known": promotion is not None,
            "kind": promotion["kind"] if promotion else None,
            "order_count": len(rows),
            "revenue_order_count": sum(row["is_revenue"] for row in rows),
            "new_customer_order_count": sum(_number(row) == 1 for row in rows),
            "returning_customer_order_count": sum((_number(row) or 0) > 1 for row in rows),
            "guest_order_count": sum(row["customer_id"] is None for row in rows),
            "invalid_order_count": sum(_is_invalid(row, promotion) for row in rows)
            if promotion
            else None,
            "gross_amount": sum((row["gross_amount"] or ZERO for row in rows), ZERO),
            "discount_amount": sum((row["discount_amount"] or ZERO for row in rows), ZERO),
            "net_amount": sum((row["net_amount"] or ZERO for row in rows), ZERO),
            "margin_amount": sum((row["margin_amount"] or ZERO for row in rows), ZERO),
            "mature_new_customer_count": len(new),
            "second_order_customer_count": returned(new),
            "second_order_rate": returned(new) / len(new) if new else None,
            "comparison_customer_count": len(firsts[None]),
            "second_order_comparison_customer_count": returned(firsts[None]),
            "comparison_second_order_rate": returned(firsts[None]) / len(firsts[None]),
        }
    names = next(iter(expected.values()))
    found = {
        row["promo_code"]: {name: row[name] for name in names}
        for row in households.rows("agg_promotion_performance")
    }
    assert not differences(found, expected)
    spring = expected["SPRING"]
    assert min(spring[n] for n in ("invalid_order_count", "mature_new_customer_count")) >= 5
    assert spring["second_order_customer_count"] >= 5
    assert len(expected) == 4


def _number(order: dict[str, Any]) -> int | None:
    number: int | None = order["customer_order_number"]
    return number


def _is_invalid(order: dict[str, Any], promotion: dict[str, Any]) -> bool:
    at, ends_at = order["ordered_at"], promotion["ends_at"]
    return bool(at < promotion["starts_at"] or (ends_at and at >= ends_at))

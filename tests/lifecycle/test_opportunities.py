"""Opportunities against rules written by hand: one customer per kind, and near misses for each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from shops import Row, dicts, write_tables
from warehouses import Build

AS_OF = date(2025, 6, 30)
EARLIER = date(2025, 5, 31)
PRICES = {"P1": "20.00", "P2": "30.00", "R": "500.00", "cheap": "1.00"}
# What is open for each customer on AS_OF: kind, day it showed, channel. Others have nothing.
OPEN: dict[str, set[tuple[str, str, str | None]]] = {
    "cart": {("abandoned_cart", "2025-06-29", "email")},
    "cart no consent": {("abandoned_cart", "2025-06-29", None)},
    "cart unsubscribed": {("abandoned_cart", "2025-06-29", None)},
    "cart push": {("abandoned_cart", "2025-06-29", "push")},
    "checkout": {("abandoned_checkout", "2025-06-29", "email")},
    "viewed": {("viewed_not_bought", "2025-06-27", "email")},
    "back": {("back_in_browsing", "2025-06-25", "email")},
    "second": {("second_order", "2025-06-14", "email")},
    "promoter": {("promoter_not_referring", "2025-06-15", "email")},
    "detractor": {("detractor_call", "2025-06-20", "call")},
    # Due after 0.8 of 40 days, and one order is an invitation to a second one too.
    "due": {("replenishment_due", "2025-06-25", "email"), ("second_order", "2025-06-24", "email")},
    "subscribed": {("second_order", "2025-06-24", "email")},
    "upsell": {("upsell", "2025-06-30", "email")},
}


@dataclass
class Shop:
    """Raw tables that grow by what customers do."""

    tables: dict[str, list[Row]] = field(
        default_factory=lambda: {
            name: []
            for name in (
                "orders", "order_items", "events", "customers", "messages", "nps_responses",
                "referrals", "subscriptions", "products",
            )
        }
    )  # fmt: skip

    def customer(self, customer: str, has_consent: bool = True) -> None:
        """An account since 2024, with an address to write to."""
        self.tables["customers"].append({
            "customer_id": customer, "email": f"{customer.replace(' ', '.')}@example.org",
            "created_at": "2024-01-01T00:00:00Z", "marketing_opt_in": has_consent,
        })  # fmt: skip

    def order(self, customer: str, day: str, product: str = "P1") -> None:
        """An order of one unit at noon."""
        number = f"O{len(self.tables['orders']):03}"
        self.tables["orders"].append({
            "order_id": number, "ordered_at": f"{day}T12:00:00Z", "customer_id": customer,
            "status": "paid",
        })  # fmt: skip
        self.tables["order_items"].append({
            "order_id": number, "line_number": 1, "product_id": product, "quantity": 1,
            "unit_price": PRICES[product],
        })  # fmt: skip

    def visit(
        self, customer: str, at: str, *names: str, product: str = "P1", is_known: bool = True
    ) -> None:
        """Events a minute apart on the customer's one device."""
        start = datetime.fromisoformat(f"2025-{at}:00+00:00")
        for place, name in enumerate(names):
            is_about_product = name in ("product_view", "add_to_cart", "remove_from_cart")
            self.tables["events"].append({
                "event_id": f"E{len(self.tables['events']):04}",
                "event_at": (start + timedelta(minutes=place)).isoformat(),
                "anonymous_id": f"device of {customer}",
                "event_name": name,
                "customer_id": customer if is_known else None,
                "product_id": product if is_about_product else None,
                "quantity": 1 if is_about_product else None,
                "value": PRICES[product] if name == "add_to_cart" else None,
            })  # fmt: skip

    def message(self, customer: str, channel: str, day: str, **times: str) -> None:
        """A message at noon."""
        self.tables["messages"].append({
            "message_id": f"M{len(self.tables['messages']):03}", "customer_id": customer,
            "channel": channel, "kind": "newsletter", "sent_at": f"{day}T12:00:00Z",
            "opened_at": None, "clicked_at": None, "unsubscribed_at": None, **times,
        })  # fmt: skip

    def answer(self, customer: str, day: str, score: int) -> None:
        """An answer to the NPS question at noon."""
        self.tables["nps_responses"].append({
            "response_id": f"N{len(self.tables['nps_responses']):03}", "customer_id": customer,
            "responded_at": f"{day}T12:00:00Z", "score": score,
        })  # fmt: skip

    def invitation(self, customer: str, day: str) -> None:
        """A referral at noon."""
        self.tables["referrals"].append({
            "referral_id": f"I{len(self.tables['referrals']):03}",
            "referrer_customer_id": customer, "invited_at": f"{day}T12:00:00Z",
        })  # fmt: skip


def handmade_shop() -> Shop:
    """One customer per kind, and those who only just have no opportunity."""
    shop = Shop()
    names = [
        *OPEN, "cart recovered", "cart young", "cart emptied", "cart expired", "cart known later",
        "cart of May", "viewed once", "viewed seldom", "viewed and bought", "back soon",
        "back and again", "second done", "second soon", "promoter referred", "promoter converted",
        "passive", "detractor ordered", "detractor of May", "not due", "bought again", "R1", "R2",
    ]  # fmt: skip
    for name in names:
        shop.customer(name, has_consent=name not in ("cart no consent", "detractor"))
    for product, price in PRICES.items():
        shop.tables["products"].append({
            "product_id": product, "name": product, "list_price": price, "unit_cost": "0.50",
            "is_subscription": product == "R",
        })  # fmt: skip

    for name in ("cart", "cart no consent", "cart unsubscribed", "cart push", "cart recovered"):
        shop.visit(name, "06-28T10:00", "login", "add_to_cart")
    shop.order("cart recovered", "2025-06-29")  # two hours after the cart was abandoned
    shop.visit("cart young", "06-30T12:00", "login", "add_to_cart")
    shop.visit("cart emptied", "06-28T10:00", "login", "add_to_cart", "remove_from_cart")
    shop.visit("cart expired", "06-20T10:00", "login", "add_to_cart")
    shop.visit("cart known later", "06-26T10:00", "search", "add_to_cart", is_known=False)
    shop.visit("cart known later", "06-28T10:00", "login")
    shop.visit("cart of May", "05-10T10:00", "login", "add_to_cart")
    shop.order("cart of May", "2025-05-12")
    shop.order("cart of May", "2025-05-14")
    shop.message("cart unsubscribed", "email", "2025-05-01", unsubscribed_at="2025-05-02T12:00:00Z")
    for day in ("2025-05-01", "2025-05-02", "2025-05-03"):
        shop.message("cart push", "email", day)
        shop.message("cart push", "push", day, clicked_at=f"{day}T13:00:00Z")
    shop.visit("checkout", "06-28T10:00", "login", "add_to_cart", "begin_checkout")

    for name in ("viewed", "viewed and bought"):
        shop.visit(name, "06-25T10:00", "login", "product_view", product="P2")
        shop.visit(name, "06-27T13:00", "login", "product_view", product="P2")
    shop.order("viewed and bought", "2025-06-27", "P2")
    shop.visit("viewed once", "06-27T10:00", "login", "product_view", "product_view", product="P2")
    shop.visit("viewed seldom", "06-12T10:00", "login", "product_view", product="P2")
    shop.visit("viewed seldom", "06-27T10:00", "login", "product_view", product="P2")

    for name, day in (("back", "2025-01-01"), ("back soon", "2025-04-01")):
        shop.order(name, day)
        shop.visit(name, "06-25T10:00", "login", "search")
    shop.order("back and again", "2025-01-01")
    shop.visit("back and again", "06-10T10:00", "login", "search")
    shop.visit("back and again", "06-25T10:00", "login", "search")

    shop.order("second", "2025-05-15")
    shop.order("second done", "2025-05-15")
    shop.order("second done", "2025-06-20", "R")  # often and of late, and for much: no upsell
    shop.order("second soon", "2025-06-10")

    shop.answer("promoter", "2025-06-15", 9)
    shop.answer("passive", "2025-06-15", 8)
    shop.answer("promoter referred", "2025-06-15", 10)
    shop.invitation("promoter referred", "2025-05-01")
    shop.answer("promoter converted", "2025-06-15", 10)
    shop.invitation("promoter converted", "2025-06-20")
    shop.answer("detractor", "2025-06-20", 6)
    shop.answer("detractor ordered", "2025-06-10", 0)
    shop.order("detractor ordered", "2025-06-25")
    shop.answer("detractor of May", "2025-05-20", 3)

    for name in ("R1", "R2"):
        for day in ("2024-11-22", "2025-01-01", "2025-02-10", "2025-03-22"):
            shop.order(name, day, "R")
    for name in ("due", "subscribed", "bought again"):
        shop.order(name, "2025-05-25", "R")
    shop.order("bought again", "2025-06-20", "R")
    shop.order("not due", "2025-06-15", "R")
    shop.tables["subscriptions"].append({
        "subscription_id": "S", "customer_id": "subscribed", "product_id": "R",
        "started_at": "2025-06-01T00:00:00Z", "price": "500.00", "status": "active",
    })  # fmt: skip

    for day in ("2025-06-01", "2025-06-10", "2025-06-28"):
        shop.order("upsell", day, "cheap")
    return shop


@pytest.fixture(scope="module")
def shop() -> Shop:
    """The raw tables."""
    return handmade_shop()


@pytest.fixture(scope="module")
def folder(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their folder."""
    return write_tables(tmp_path_factory.mktemp("opportunities"), shop.tables)


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, Any]:
    """The variables of both builds."""
    return {
        "raw_path": str(folder),
        "select": "+fct_customer_opportunities +agg_opportunity_outcomes",
        "tests": False,
        "replenishment_minimum_count": 5,
    }


@pytest.fixture(scope="module")
def built(build: Build, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The shop as AS_OF knows it."""
    return build(as_of_date=str(AS_OF), **settings)


def test_who_has_an_opportunity_has_it_and_nobody_else(built: duckdb.DuckDBPyConnection) -> None:
    """Each kind by its rule, edges included; on a channel that consent and history favour."""
    found: dict[str, set[tuple[str, str, str | None]]] = {}
    for row in dicts(built, "from marts.fct_customer_opportunities"):
        entry = (row["kind"], str(row["detected_date"]), row["channel"])
        found.setdefault(row["customer_id"], set()).add(entry)
    assert found == OPEN


def test_value_is_what_it_rests_on_times_the_rate_of_past_ones(
    built: duckdb.DuckDBPyConnection,
) -> None:
    """Rates of mature opportunities, mixed with the prior as if 20 more had been seen."""
    rows = {
        (row["customer_id"], row["kind"]): row
        for row in dicts(built, "from marts.fct_customer_opportunities")
    }
    values = {
        ("cart", "abandoned_cart"): 20.0,
        ("viewed", "viewed_not_bought"): 30.0,
        ("back", "back_in_browsing"): 20.0,
        ("due", "replenishment_due"): 500.0,
        ("second", "second_order"): 20.0,
        ("detractor", "detractor_call"): None,
    }
    for key, value in values.items():
        found = rows[key]["value_amount"]
        assert (None if found is None else float(found)) == value
    # Two carts are mature: that of May was ordered, another expired.
    rate = (1 + 20 * 0.10) / (2 + 20)
    assert rows["cart", "abandoned_cart"]["conversion_rate"] == pytest.approx(rate)
    assert float(rows["cart", "abandoned_cart"]["expected_amount"]) == round(20 * rate, 2)
    # Both are worth 500: of second orders two of five came, of replenishments none of two.
    assert rows["due", "second_order"]["priority_rank"] == 1
    assert rows["due", "replenishment_due"]["priority_rank"] == 2
    for row in rows.values():
        others = [other for other in rows.values() if other["customer_id"] == row["customer_id"]]
        above = [other for other in others if other["priority_score"] > row["priority_score"]]
        assert row["priority_rank"] == len(above) + 1
    assert str(rows["cart", "abandoned_cart"]["expires_date"]) == "2025-07-06"


def test_evidence_says_the_same_in_both_languages(built: duckdb.DuckDBPyConnection) -> None:
    """Each kind's sentence is there in French too, with the same numbers, days and products."""
    rows = dicts(built, "from marts.fct_customer_opportunities")
    said = {(row["customer_id"], row["kind"]): row["evidence_fr"] for row in rows}
    assert said["cart", "abandoned_cart"] == "A laissé 1 article(s) pour 20,00 dans le panier"
    assert said["viewed", "viewed_not_bought"] == "A revu P2"
    assert said["second", "second_order"] == "A commandé une seule fois, le 2025-05-15"
    past = dicts(built, "from intermediate.int_opportunities_detected")
    assert len({row["kind"] for row in past}) >= 9
    for row in past:
        english, french = (
            re.findall(r"\d+(?:\.\d+)?", row[column].replace(",", "."))
            for column in ("evidence", "evidence_fr")
        )
        assert english == french, row


def test_outcomes_of_past_ones_are_counted_by_hand(
    shop: Shop, built: duckdb.DuckDBPyConnection
) -> None:
    """What showed in a month, what is mature of it, what converted, and what all customers do."""
    rows = {
        (row["kind"], str(row["month_start_date"])[:7]): row
        for row in dicts(built, "from marts.agg_opportunity_outcomes")
    }

    def counts(kind: str, month: str) -> tuple[int, int, int]:
        row = rows[kind, month]
        return row["opportunity_count"], row["mature_count"], row["converted_count"]

    assert counts("abandoned_cart", "2025-05") == (1, 1, 1)
    assert counts("abandoned_cart", "2025-06") == (6, 1, 0)
    assert counts("back_in_browsing", "2025-06") == (2, 1, 0)
    assert counts("detractor_call", "2025-05") == (1, 1, 0)
    assert counts("detractor_call", "2025-06") == (2, 0, 0)
    assert counts("promoter_not_referring", "2025-06") == (2, 0, 0)
    assert rows["abandoned_cart", "2025-05"]["conversion_rate"] == 1
    assert rows["promoter_not_referring", "2025-06"]["conversion_rate"] is None

    # Detractors have 30 days: who ordered in those from the first of May on, midnight in Paris.
    start = datetime.fromisoformat("2025-04-30T22:00:00+00:00")
    ordered = {
        order["customer_id"]
        for order in shop.tables["orders"]
        if start <= datetime.fromisoformat(str(order["ordered_at"])) < start + timedelta(days=30)
    }
    expected = len(ordered) / len(shop.tables["customers"])
    assert expected > 0
    assert rows["detractor_call", "2025-05"]["base_rate"] == pytest.approx(expected)


def test_past_opportunities_are_those_that_the_day_knew(
    build: Build, settings: dict[str, Any], built: duckdb.DuckDBPyConnection
) -> None:
    """A build on the last of May finds, for the days until then, what a later one finds."""
    query = (
        "select * from intermediate.int_opportunities_detected"
        f" where detected_date <= date '{EARLIER}' and detected_date >= date '2024-07-01'"
    )
    earlier = build(as_of_date=str(EARLIER), **settings).execute(query).fetchall()
    later = built.execute(query).fetchall()
    assert sorted(map(repr, earlier)) == sorted(map(repr, later))
    assert len(Counter(row[1] for row in earlier)) >= 4

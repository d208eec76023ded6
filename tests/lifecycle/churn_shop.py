"""A random shop in which visits foretell orders, and what a day knows of its customers, by hand.

Beside its customers there are the households of random_devices.py, who share devices and whose
sessions are hard to cut: they order little, and belong to the state machine of session_ledger.py.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from random_devices import as_tables, delivered, make_households
from session_ledger import GAP, Event, Ledger, Order, end_of_day, raw_row, reporting_date
from shops import Row

FIRST_DAY, LAST_DAY = date(2023, 5, 1), date(2024, 11, 16)
TRACKED_FROM = date(2023, 12, 20)
RECENT, BEHAVIOUR, SUPPORT, VALUE, HORIZON = 30, 90, 180, 365, 90
BLOCK_DAYS = 40


@dataclass
class Purchase:
    """An order of one line; cents."""

    order_id: str
    customer_id: str
    ordered_at: datetime
    quantity: int
    gross: int
    discount: int
    is_cancelled: bool
    refunds: list[tuple[datetime, int, int]] = field(default_factory=list)  # time, cents, units


@dataclass
class ChurnShop:
    """All that happens; times are UTC."""

    customers: list[str] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # customer, then sent, opened and clicked
    messages: list[tuple[str, datetime, datetime | None, datetime | None]] = field(
        default_factory=list
    )
    tickets: list[tuple[str, datetime]] = field(default_factory=list)
    answers: list[tuple[str, str, datetime, int]] = field(default_factory=list)
    household_events: list[Event] = field(default_factory=list)
    household_orders: list[Order] = field(default_factory=list)
    household_tables: dict[str, list[Row]] = field(default_factory=dict)

    def tables(self) -> dict[str, list[Row]]:
        """The raw tables."""
        lines: list[Row] = [
            {
                "order_id": purchase.order_id,
                "line_number": 1,
                "product_id": "P",
                "quantity": purchase.quantity,
                "unit_price": _money(purchase.gross // purchase.quantity),
                "discount_amount": _money(purchase.discount),
            }
            for purchase in self.purchases
        ]
        orders: list[Row] = [
            {
                "order_id": purchase.order_id,
                "ordered_at": _text(purchase.ordered_at),
                "status": "cancelled" if purchase.is_cancelled else "paid",
                "customer_id": purchase.customer_id,
            }
            for purchase in self.purchases
        ]
        refunds: list[Row] = [
            {
                "refund_id": f"{purchase.order_id}-{number}",
                "order_id": purchase.order_id,
                "line_number": 1,
                "quantity": units,
                "amount": _money(cents),
                "refunded_at": _text(at),
            }
            for purchase in self.purchases
            for number, (at, cents, units) in enumerate(purchase.refunds)
        ]
        events: list[Row] = [
            raw_row(event) | {"event_at": _text(event.event_at), "is_bot": None}
            for event in self.events
        ]
        return {
            "orders": orders + self.household_tables["orders"],
            "order_items": lines + self.household_tables["order_items"],
            "refunds": refunds,
            "events": self.household_tables["events"] + events,
            "messages": [
                {
                    "message_id": f"m{number}",
                    "customer_id": customer,
                    "channel": "email",
                    "kind": "newsletter",
                    "sent_at": _text(sent),
                    "opened_at": opened and _text(opened),
                    "clicked_at": clicked and _text(clicked),
                }
                for number, (customer, sent, opened, clicked) in enumerate(self.messages)
            ],
            "support_tickets": [
                {"ticket_id": f"t{number}", "customer_id": customer, "opened_at": _text(at)}
                for number, (customer, at) in enumerate(self.tickets)
            ],
            "nps_responses": [
                {
                    "response_id": response,
                    "customer_id": customer,
                    "responded_at": _text(at),
                    "score": score,
                }
                for customer, response, at, score in self.answers
            ],
        }

    def ledger(self, day: date) -> Ledger:
        """Sessions and identities by nothing but what had happened by the end of a day."""
        rows = self.household_events + self.events
        return Ledger(rows, self.household_orders, end_of_day(day))

    def visits(self, day: date) -> dict[str, Counter[tuple[date, bool]]]:
        """Of each customer the sessions that a day knows of, by their day and whether with a cart.

        A session that may still go on after midnight is not over, and counts tomorrow.
        """
        ledger, found = self.ledger(day), defaultdict[str, Counter[tuple[date, bool]]](Counter)
        for session in ledger.sessions:
            customer = ledger.customer_of(session)
            if customer and session.ended_at + GAP < end_of_day(day):
                has_cart = any(event.name == "add_to_cart" for event in session.events)
                found[customer][reporting_date(session.started_at), has_cart] += 1
        return found

    def first_visit_date(self, day: date) -> date:
        """Since when there is tracking, as far as a day knows."""
        return min(reporting_date(session.started_at) for session in self.ledger(day).sessions)


def make_shop(customer_count: int, household_count: int, seed: int) -> ChurnShop:
    """The shop; the same one for the same seed."""
    households = make_households(household_count, seed)
    rows = delivered(households, seed)
    shop = ChurnShop(
        household_events=rows,
        household_orders=[order for household in households for order in household.orders],
        household_tables=as_tables(households, rows, seed),
    )
    for number in range(customer_count):
        live(shop, f"k{number:04}", random.Random(f"{seed}/{number}"))
    return shop


def live(shop: ChurnShop, customer: str, rng: random.Random) -> None:
    """A customer's time in the shop: now interested, visiting and ordering, now not."""
    shop.customers.append(customer)
    day = FIRST_DAY + timedelta(days=rng.randrange(400))
    buy(shop, customer, at_random(rng, day), rng)
    # One in four is known on the device by a login of months after; one in eight by none.
    login_day = day + timedelta(days=rng.choice((0, 0, 0, 0, 0, 150, 300, 9_999)))
    interest, leaves_on = (
        rng.choice((0.1, 0.2, 0.4, 0.8)),
        day + timedelta(days=rng.randrange(1_500)),
    )
    while day < min(LAST_DAY, leaves_on):
        if rng.random() < interest:
            for _ in range(rng.randint(1, 4)):
                visit_day = day + timedelta(days=rng.randrange(BLOCK_DAYS // 2))
                visit(shop, customer, at_random(rng, visit_day), login_day, rng)
            for _ in range(rng.choice((0, 1, 1, 2))):
                later = day + timedelta(days=BLOCK_DAYS // 2 + rng.randrange(BLOCK_DAYS))
                buy(shop, customer, at_random(rng, later), rng)
        elif rng.random() < 0.05:
            buy(shop, customer, at_random(rng, day), rng)
        if rng.random() < 0.5:
            write_to(shop, customer, at_random(rng, day), rng)
        day += timedelta(days=BLOCK_DAYS)


def at_random(rng: random.Random, day: date) -> datetime:
    """A time of a day, one in four near midnight in Paris (UTC)."""
    if rng.random() < 0.25:
        return end_of_day(day) + timedelta(seconds=rng.randrange(-3_600, 3_600))
    return datetime.combine(day, time()) + timedelta(seconds=rng.randrange(86_400))


def buy(shop: ChurnShop, customer: str, at: datetime, rng: random.Random) -> None:
    """An order; one in ten is cancelled, one in ten comes back, months later or at once."""
    quantity = rng.randint(1, 3)
    gross = quantity * rng.randrange(500, 9_000)
    purchase = Purchase(
        order_id=f"{customer}-{len(shop.purchases)}",
        customer_id=customer,
        ordered_at=at,
        quantity=quantity,
        gross=gross,
        discount=rng.choice((0, 0, 0, gross // 10, gross)),
        is_cancelled=rng.random() < 0.1,
    )
    if rng.random() < 0.1 and purchase.gross > purchase.discount and not purchase.is_cancelled:
        back = at + timedelta(days=rng.choice((0, 5, 60)), hours=1)
        cents = (purchase.gross - purchase.discount) // rng.randint(1, 2)
        purchase.refunds.append((back, cents, rng.randint(1, quantity)))
    shop.purchases.append(purchase)


def visit(
    shop: ChurnShop, customer: str, at: datetime, login_day: date, rng: random.Random
) -> None:
    """A session of the customer's device, from the first day of tracking on."""
    names = ["page_view", *rng.choices(("page_view", "add_to_cart"), k=rng.randint(0, 2))]
    for name in names:
        if at.date() >= TRACKED_FROM:
            known = customer if at.date() >= login_day else None
            event_id = f"{rng.randrange(16**4):04x}-{customer}-{len(shop.events)}"
            event = Event(event_id, at, f"d-{customer}", name, known, engaged_ms=None)
            shop.events.append(event)
        at += timedelta(minutes=rng.choice((1, 10, 29)))


def write_to(shop: ChurnShop, customer: str, at: datetime, rng: random.Random) -> None:
    """A message, opened by chance within weeks; now and then a ticket, or an answer."""
    opened = at + timedelta(hours=rng.randrange(1, 1_000)) if rng.random() < 0.5 else None
    clicked = opened + timedelta(days=rng.randrange(20)) if opened and rng.random() < 0.5 else None
    shop.messages.append((customer, at, opened, clicked))
    if rng.random() < 0.2:
        shop.tickets.append((customer, at + timedelta(days=rng.randrange(30))))
    if rng.random() < 0.2:
        answered = at + timedelta(days=rng.randrange(60))
        for _ in range(rng.choice((1, 1, 2))):  # twice at one instant
            response = f"{rng.randrange(16**4):04x}-{len(shop.answers)}"
            shop.answers.append((customer, response, answered, rng.randint(0, 10)))


class Knowledge:
    """What a day knows of customers, by nothing but what had happened by its end."""

    def __init__(self, shop: ChurnShop, day: date) -> None:
        self._shop, self._day, self._until = shop, day, end_of_day(day)
        self._visits = shop.visits(day)
        self._tracked_from = shop.first_visit_date(day)
        self._written_from = min(reporting_date(message[1]) for message in shop.messages)
        self._asked_from = min(reporting_date(at) for _, at in shop.tickets)
        self._purchases = by_customer(shop.purchases, lambda purchase: purchase.customer_id)
        self._messages = by_customer(shop.messages, lambda message: message[0])
        self._tickets = by_customer(shop.tickets, lambda ticket: ticket[0])
        self._answers = by_customer(shop.answers, lambda answer: answer[0])

    def customers(self) -> list[str]:
        """Those with an order."""
        return [customer for customer in self._shop.customers if self._bought(customer)]

    def _bought(self, customer: str) -> list[Purchase]:
        return [
            purchase
            for purchase in self._purchases[customer]
            if purchase.ordered_at < self._until and not purchase.is_cancelled
        ]

    def purchase_days(self, customer: str, until: date | None = None) -> list[date]:
        """Days with an order, up to the day or another one."""
        known = end_of_day(until) if until else self._until
        return sorted(
            {
                reporting_date(purchase.ordered_at)
                for purchase in self._purchases[customer]
                if purchase.ordered_at < known and not purchase.is_cancelled
            }
        )

    def features(self, customer: str) -> dict[str, Any]:
        """Columns of int_churn_features_measured."""
        day, days, bought = self._day, self.purchase_days(customer), self._bought(customer)
        net = self._net(customer, self._until)
        value_from = end_of_day(day - timedelta(days=VALUE))
        orders, units = len(bought), sum(purchase.quantity for purchase in bought)
        gross = sum(purchase.gross for purchase in bought)
        returned = sum(
            back[2] for purchase in bought for back in purchase.refunds if back[0] < self._until
        )
        return {
            "first_order_date": days[0],
            "last_order_date": days[-1],
            "recency_days": (day - days[-1]).days,
            "tenure_days": (day - days[0]).days,
            "purchase_day_count": len(days),
            "recent_purchase_day_count": sum(self._is_within(BEHAVIOUR, at) for at in days),
            "mean_gap_days": (days[-1] - days[0]).days / (len(days) - 1) if days[1:] else None,
            "net_per_order": net / 100 / orders,
            "units_per_order": units / orders,
            "discount_share": sum(p.discount for p in bought) / gross,
            "return_share": returned / units,
            "recent_net_amount": Decimal(net - self._net(customer, value_from)) / 100,
            **self._visited(customer),
            **self._written(customer),
            "ticket_count": sum(
                self._is_within(SUPPORT, reporting_date(at)) for _, at in self._tickets[customer]
            )
            if self._is_covered(SUPPORT, self._asked_from)
            else None,
            "nps_score": max(
                (
                    (at, response, score)
                    for _, response, at, score in self._answers[customer]
                    if at < self._until
                ),
                default=(None, None, None),
            )[2],
        }

    def _net(self, customer: str, known: datetime) -> int:
        return sum(
            (purchase.gross - purchase.discount) * (purchase.ordered_at < known)
            - sum(cents for at, cents, _ in purchase.refunds if at < known)
            for purchase in self._purchases[customer]
            if not purchase.is_cancelled
        )

    def _visited(self, customer: str) -> dict[str, Any]:
        visits = self._visits.get(customer, Counter())
        found: dict[str, Any] = {}
        for prefix, days in (("", BEHAVIOUR), ("recent_", RECENT)):
            is_covered = self._is_covered(days, self._tracked_from)
            for name, carts in (("visit", (False, True)), ("cart", (True,))):
                count = sum(
                    count
                    for (at, has_cart), count in visits.items()
                    if self._is_within(days, at) and has_cart in carts
                )
                found[f"{prefix}{name}_count"] = count if is_covered else None
        seen = [at for at, _ in visits if self._is_within(BEHAVIOUR, at)]
        is_known = seen and self._is_covered(BEHAVIOUR, self._tracked_from)
        return {**found, "days_since_visit": (self._day - max(seen)).days if is_known else None}

    def _written(self, customer: str) -> dict[str, Any]:
        sent = [
            message
            for message in self._messages[customer]
            if self._is_within(BEHAVIOUR, reporting_date(message[1]))
        ]
        counts = {
            name: sum(
                message[place] is not None and message[place] < self._until for message in sent
            )
            for place, name in ((1, "sent"), (2, "opened"), (3, "clicked"))
        }
        is_covered = self._is_covered(BEHAVIOUR, self._written_from)
        return {f"{name}_count": counts[name] if is_covered else None for name in counts}

    def _is_within(self, days: int, at: date) -> bool:
        return self._day - timedelta(days=days) < at <= self._day

    def _is_covered(self, days: int, since: date) -> bool:
        return since <= self._day - timedelta(days=days - 1)


def by_customer(items: Iterable[Any], customer_of: Any) -> defaultdict[str, list[Any]]:
    """Things in their order by the customer that they are of."""
    found = defaultdict[str, list[Any]](list)
    for thing in items:
        found[customer_of(thing)].append(thing)
    return found


def _money(cents: int) -> str:
    return f"{cents / 100:.2f}"


def _text(at: datetime) -> str:
    return f"{at.isoformat()}Z"

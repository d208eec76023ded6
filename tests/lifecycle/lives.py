"""Random customers of a small shop: accounts, orders, refunds, visits, and what a day knows.

The first months are special: accounts alone, then one buyer, then ten who are all alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from zoneinfo import ZoneInfo

from shops import Row, Tables

ZONE = ZoneInfo("Europe/Paris")
FIRST_MONTH = date(2022, 1, 1)
NOBODY, ONE, ALL_ALIKE = date(2022, 1, 31), date(2022, 2, 28), date(2022, 3, 31)
CENT = Decimal("0.01")
# Category and cost of a unit; either may be unknown.
PRODUCTS: dict[str, tuple[str | None, Decimal | None]] = {
    "cup": ("kitchen", Decimal("4.00")),
    "pan": ("kitchen", Decimal("11.50")),
    "rose": ("garden", Decimal("2.20")),
    "spade": ("garden", Decimal("19.00")),
    "thing": (None, Decimal("1.00")),
    "rarity": ("kitchen", None),
}
PRICES = ("5.00", "10.00", "10.00", "12.49", "15.00", "40.00")
# The channel that a visit's utm_medium gives.
MEDIA = {"email": "email", "sms": "sms", "affiliate": "affiliate", "organic": "organic_search"}


def day_of(moment: datetime) -> date:
    """The shop's day of a UTC time."""
    return moment.astimezone(ZONE).date()


@dataclass
class Line:
    """A line of an order; its cost is that of the product."""

    product: str
    quantity: int
    price: Decimal

    @property
    def net(self) -> Decimal:
        return self.quantity * self.price

    @property
    def unit_cost(self) -> Decimal | None:
        return PRODUCTS[self.product][1]


@dataclass
class Refund:
    """Units of one line that came back, and what was paid for them."""

    at: datetime
    line_number: int
    quantity: int
    amount: Decimal


@dataclass
class Order:
    """An order; the lines are numbered from 1."""

    order_id: str
    at: datetime
    status: str
    lines: list[Line]
    refund: Refund | None = None

    @cached_property
    def day(self) -> date:
        return day_of(self.at)

    @property
    def counts(self) -> bool:
        return self.status != "cancelled"

    @property
    def has_revenue(self) -> bool:
        return self.status in {"paid", "shipped", "delivered"}

    @cached_property
    def net(self) -> Decimal:
        """Net before refunds; 0 while there is no revenue."""
        return (
            sum((line.net for line in self.lines), Decimal(0)) if self.has_revenue else Decimal(0)
        )

    @cached_property
    def cost(self) -> Decimal | None:
        """What the lines cost; None where that is unknown of one."""
        costs = [line.unit_cost for line in self.lines]
        if any(cost is None for cost in costs):
            return None
        pairs = zip(self.lines, costs, strict=True)
        return sum((line.quantity * cost for line, cost in pairs if cost is not None), Decimal(0))

    def refund_by(self, day: date) -> tuple[Decimal, Decimal]:
        """What was refunded by a day, and the cost of what came back."""
        refund = self.refund
        if not refund or not self.has_revenue or day_of(refund.at) > day:
            return Decimal(0), Decimal(0)
        cost = self.lines[refund.line_number - 1].unit_cost or Decimal(0)
        return refund.amount, refund.quantity * cost

    @cached_property
    def main_category(self) -> str | None:
        """That of the line with the largest value, the first one of equals."""
        largest = max(self.lines, key=lambda line: line.net)
        return PRODUCTS[largest.product][0]


@dataclass
class Life:
    """A customer; `visits` are the starts of sessions with their utm_medium."""

    customer_id: str
    has_account: bool = True
    created_at: datetime | None = None
    orders: list[Order] = field(default_factory=list)
    visits: list[tuple[datetime, str]] = field(default_factory=list)

    @cached_property
    def bought(self) -> list[Order]:
        """The orders that count, in their order."""
        counted = (order for order in self.orders if order.counts)
        return sorted(counted, key=lambda order: (order.at, order.order_id))

    @cached_property
    def first_channel(self) -> str | None:
        """The channel of the first visit, if it was before the first order."""
        at, medium = min(self.visits, default=(None, ""))
        return MEDIA[medium] if at and at <= self.bought[0].at else None


@dataclass
class Lives:
    """A shop: its customers, the orders of guests, and what advertising cost by day."""

    customers: list[Life]
    guests: list[Order]
    spend: dict[date, Decimal]

    def tables(self, until: datetime | None = None, seed: int = 0) -> Tables:
        """The raw tables as they were at a time (half-open), their rows shuffled by the seed."""
        orders = [(life.customer_id, order) for life in self.customers for order in life.orders]
        orders += [("", order) for order in self.guests]
        known = [pair for pair in orders if not until or pair[1].at < until]
        tables: dict[str, list[Row]] = {
            "customers": [
                {"customer_id": life.customer_id, "created_at": _text(life.created_at)}
                for life in self.customers
                if life.has_account and not (until and life.created_at and life.created_at >= until)
            ],
            "products": [
                {"product_id": product, "category": category, "unit_cost": cost}
                for product, (category, cost) in PRODUCTS.items()
            ],
            "orders": [
                {
                    "order_id": order.order_id,
                    "ordered_at": _text(order.at),
                    "customer_id": customer_id or None,
                    "status": order.status,
                }
                for customer_id, order in known
            ],
            "order_items": [
                {
                    "order_id": order.order_id,
                    "line_number": number,
                    "product_id": line.product,
                    "quantity": line.quantity,
                    "unit_price": line.price,
                }
                for _, order in known
                for number, line in enumerate(order.lines, start=1)
            ],
            "refunds": [
                {
                    "refund_id": f"R-{order.order_id}",
                    "order_id": order.order_id,
                    "line_number": order.refund.line_number,
                    "quantity": order.refund.quantity,
                    "amount": order.refund.amount,
                    "refunded_at": _text(order.refund.at),
                }
                for _, order in known
                if order.refund and not (until and order.refund.at >= until)
            ],
            "events": [
                {
                    "event_id": f"{life.customer_id}-{number}",
                    "event_at": _text(at),
                    "anonymous_id": f"browser of {life.customer_id}",
                    "event_name": "page_view",
                    "customer_id": life.customer_id,
                    "utm_source": "x",
                    "utm_medium": medium,
                }
                for life in self.customers
                for number, (at, medium) in enumerate(life.visits)
                if not until or at < until
            ],
            "ad_spend": [
                {"spend_date": day, "utm_source": "x", "utm_medium": "cpc", "spend": amount}
                for day, amount in self.spend.items()
                if not until or day < until.astimezone(ZONE).date()
            ],
        }
        rng = random.Random(seed)
        for rows in tables.values():
            rng.shuffle(rows)
        # A table without rows would have no header.
        return {name: rows for name, rows in tables.items() if rows}


def make_lives(count: int, month_count: int, seed: int) -> Lives:
    """So many random customers, who come from the fourth month on, besides the first ten."""
    rng = random.Random(seed)
    last_day = first_of_month(FIRST_MONTH, month_count) - timedelta(days=1)
    customers = [*_first_ones(), *(_life(n, last_day, rng) for n in range(count))]
    guests = [_order(f"G{n}", _moment(ALL_ALIKE, last_day, rng), rng) for n in range(count // 20)]
    # A month without advertising between others, and none in the first and the last months.
    spend = {
        first_of_month(FIRST_MONTH, month) + timedelta(days=day): Decimal(rng.randrange(100, 9999))
        * CENT
        for month in range(2, month_count - 3)
        for day in (0, 11, 27)
        if month != 7
    }
    return Lives(customers, guests, spend)


def first_of_month(day: date, months: int = 0) -> date:
    """The first day of a day's month, or of one so many months later."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def last_of_month(day: date) -> date:
    """The last day of a day's month."""
    return first_of_month(day, 1) - timedelta(days=1)


def months_between(start: date, end: date) -> Iterator[date]:
    """The first days of the months from that of a day to that of another, both included."""
    month = first_of_month(start)
    while month <= end:
        yield month
        month = first_of_month(month, 1)


def _first_ones() -> Iterable[Life]:
    noon = time(12, tzinfo=UTC)
    yield Life("account", created_at=datetime(2022, 1, 10, 12, tzinfo=UTC))
    yield Life("always known")
    for number in range(10):
        days = [date(2022, 2, 5) if number == 0 else date(2022, 3, 10), date(2022, 3, 10)]
        orders = [
            Order(
                f"alike-{number}-{place}",
                datetime.combine(day, noon),
                "paid",
                [Line("cup", 1, Decimal("10.00"))],
            )
            for place, day in enumerate(days)
        ]
        yield Life(f"alike {number}", has_account=False, orders=orders)


def _life(number: int, last_day: date, rng: random.Random) -> Life:
    """Some order once, some often, some stop for long and come back, some never order."""
    life = Life(f"C{number}", has_account=rng.random() < 0.8)
    came_at = _moment(ALL_ALIKE, last_day, rng)
    if life.has_account and rng.random() < 0.8:
        life.created_at = came_at
    pause, at = rng.choice((5, 20, 45, 90)), came_at + timedelta(minutes=rng.choice((0, 5, 90_000)))
    for place in range(rng.choice((0, 1, 1, 1, 2, 3, 5, 12))):
        life.orders.append(_order(f"{life.customer_id}-{place}", at, rng))
        days = rng.choice((0, 1, round(rng.expovariate(1 / pause)), 45, 46, 180))
        at += timedelta(days=days, minutes=rng.randint(1, 600))
    for offset in rng.choice(((), (), (0,), (0, 30), (2,), (400,))):
        life.visits.append((came_at + timedelta(days=offset), rng.choice(list(MEDIA))))
    return life


def _order(order_id: str, at: datetime, rng: random.Random) -> Order:
    lines = [
        Line(
            rng.choice(("cup", "cup", "pan", "rose", "spade", "thing", *_rarely("rarity", rng))),
            rng.choice((1, 1, 2, 3)),
            Decimal(rng.choice(PRICES)),
        )
        for _ in range(rng.choice((1, 1, 2, 3)))
    ]
    order = Order(order_id, at, rng.choice(("paid",) * 7 + ("pending", "cancelled")), lines)
    if rng.random() < 0.25:
        number = rng.randint(1, len(lines))
        line = lines[number - 1]
        quantity = rng.randint(1, line.quantity)
        days = rng.choice((0, 1, 12, 40, 200))
        order.refund = Refund(
            at + timedelta(days=days, seconds=5), number, quantity, quantity * line.price
        )
    return order


def _rarely(product: str, rng: random.Random) -> tuple[str, ...]:
    return (product,) if rng.random() < 0.2 else ()


def _moment(after: date, last_day: date, rng: random.Random) -> datetime:
    """A second after a day, often around the shop's midnight."""
    day = after + timedelta(days=rng.randint(2, (last_day - after).days))
    clock = rng.choice((time(21, 59, 59), time(22), time(23), time(12), time(15, 30)))
    return datetime.combine(day, clock, tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None

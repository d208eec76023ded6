"""Seeded random shops for the money tests: small, independent, full of awkward amounts."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from money_ledger import Item, Order, Product, Rates, Refund
from shops import Row

FIRST_DAY = date(2024, 1, 1)
DAY_COUNT = 300
CURRENCIES = (None, None, "EUR", "USD", "usd", "JPY", "KWD", "LATE")
# NONE has no rate at all: a product in it is rejected, and its cost unknown.
PRODUCT_CURRENCIES = (None, "EUR", "CHF", "jpy", "LATE", "NONE")
STATUSES = ("paid", "shipped", "delivered", "paid", "shipped", "pending", "cancelled")
# A quarter of orders is placed around the shop's midnight, where a day is easily lost or won.
NEAR_MIDNIGHT = ("21:59:59", "22:00:00", "22:59:59", "23:00:00", "23:59:59.999999", "00:00:00")


@dataclass
class Shop:
    """One random shop: ids start with its number, so that shops in one folder do not meet."""

    products: list[Product]
    orders: list[Order]


def make_shops(count: int, seed: int) -> list[Shop]:
    """So many shops; the same ones for the same seed."""
    return [_make_shop(number, random.Random(f"{seed}/{number}")) for number in range(count)]


def make_rates(seed: int) -> Rates:
    """Rates with gaps of up to two weeks; LATE has its first one in May."""
    rng = random.Random(f"{seed}/rates")
    by_currency = {}
    for currency, typical, first in (
        ("USD", 0.92, FIRST_DAY - timedelta(days=3)),
        ("CHF", 1.04, FIRST_DAY - timedelta(days=1)),
        ("JPY", 0.0061, FIRST_DAY + timedelta(days=4)),
        ("KWD", 3.01, FIRST_DAY + timedelta(days=20)),
        ("LATE", 17.3, date(2024, 5, 1)),
    ):
        days, day = [], first
        while day < FIRST_DAY + timedelta(days=DAY_COUNT):
            value = Decimal(str(round(typical * rng.uniform(0.9, 1.1), 8)))
            days.append((day, value))
            day += timedelta(days=rng.choice((1, 1, 1, 3, 5, 14)))
        by_currency[currency] = days
    return Rates(by_currency)


def _make_shop(number: int, rng: random.Random) -> Shop:
    products = [
        Product(
            product_id=f"S{number}-P{position}",
            unit_cost=rng.choice((None, _price(rng), _price(rng))),
            currency=rng.choice(PRODUCT_CURRENCIES),
        )
        for position in range(rng.randint(0, 3))
    ]
    ids = [product.product_id for product in products] + [f"S{number}-UNDESCRIBED"]
    orders = [_make_order(f"S{number}-O{n}", ids, rng) for n in range(rng.randint(1, 6))]
    return Shop(products, orders)


def _make_order(order_id: str, product_ids: list[str], rng: random.Random) -> Order:
    ordered_at = _moment(rng)
    items: list[Item] = []
    for line_number in rng.sample(range(12), rng.randint(1, 5)):
        twin = items[-1] if items and rng.random() < 0.35 else None
        quantity = twin.quantity if twin else rng.choice((0, 1, 1, 2, 3, 7, 1000))
        price = twin.unit_price if twin else _price(rng)
        items.append(
            Item(
                line_number=line_number,
                product_id=rng.choice(product_ids),
                quantity=quantity,
                unit_price=price,
                discount=_discount(rng, price * quantity),
                unit_cost=rng.choice((None, _price(rng))),
            )
        )
    gross = sum((item.unit_price * item.quantity for item in items), Decimal(0))
    return Order(
        order_id=order_id,
        ordered_at=ordered_at,
        status=rng.choice(STATUSES),
        currency=rng.choice(CURRENCIES),
        discount=_discount(rng, gross),
        customer_id=rng.choice(
            (None, f"{order_id.split('-', maxsplit=1)[0]}-C{rng.randint(1, 3)}")
        ),
        items=tuple(items),
        refunds=tuple(_make_refunds(order_id, ordered_at, items, gross, rng)),
    )


def _make_refunds(
    order_id: str, ordered_at: datetime, items: list[Item], gross: Decimal, rng: random.Random
) -> Iterable[Refund]:
    repeated = ordered_at + timedelta(days=5)
    for number in range(rng.choice((0, 0, 1, 1, 2, 3, 5))):
        # Several refunds at one instant, so that refund_id must break the tie.
        later = ordered_at + timedelta(minutes=rng.randint(1, 60 * 24 * 60))
        yield Refund(
            refund_id=f"{order_id}-R{rng.randint(0, 99):02}{number}",
            line_number=rng.choice((None, rng.choice(items).line_number)),
            quantity=rng.choice((None, 0, 1, 1, 2, 5, 2000)),
            amount=rng.choice(
                (_cents(rng, gross), Decimal("0.00"), Decimal("0.01"), Decimal("0.05"))
            ),
            refunded_at=rng.choice((repeated, later)),
        )


def _moment(rng: random.Random) -> datetime:
    day = FIRST_DAY + timedelta(days=rng.randrange(DAY_COUNT))
    if rng.random() < 0.25:
        return datetime.fromisoformat(f"{day}T{rng.choice(NEAR_MIDNIGHT)}+00:00")
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(
        seconds=rng.randrange(86400)
    )


def _price(rng: random.Random) -> Decimal:
    """Up to four decimals; 0, halves of a cent and plain prices each have their turn."""
    return rng.choice(
        (
            Decimal(0),
            Decimal("9.99"),
            Decimal("0.0050"),
            Decimal("0.3333"),
            Decimal(rng.randrange(1, 20000)) / 100,
            Decimal(rng.randrange(1, 2000000)) / 10000,
        )
    )


def _discount(rng: random.Random, gross: Decimal) -> Decimal | None:
    """None, nothing, cents that do not divide, a part of the gross, or more than all of it."""
    return rng.choice(
        (
            None,
            Decimal("0.00"),
            Decimal(rng.randrange(1, 12)) / 100,
            _cents(rng, gross),
            _cents(rng, gross) + Decimal(int(gross) + 1) if rng.random() < 0.3 else None,
        )
    )


def _cents(rng: random.Random, gross: Decimal) -> Decimal:
    return Decimal(rng.randint(0, int(gross * 100))) / 100


def as_tables(shops: list[Shop], rates: Rates, seed: int) -> dict[str, list[Row]]:
    """The shops as raw tables, their rows shuffled, times written in several ways."""
    rng = random.Random(f"{seed}/tables")
    orders = [order for shop in shops for order in shop.orders]
    tables: dict[str, list[Row]] = {
        "orders": [_order_row(order, rng) for order in orders],
        "order_items": [
            _item_row(order.order_id, item) for order in orders for item in order.items
        ],
        "refunds": [
            _refund_row(order.order_id, refund, rng) for order in orders for refund in order.refunds
        ],
        "products": [
            {
                "product_id": product.product_id,
                "unit_cost": product.unit_cost,
                "currency": product.currency,
            }
            for shop in shops
            for product in shop.products
        ],
        "fx_rates": [
            {"rate_date": day, "currency": rng.choice((currency, currency.lower())), "rate": rate}
            for currency, days in rates.by_currency.items()
            for day, rate in days
        ],
    }
    for rows in tables.values():
        rng.shuffle(rows)
    return tables


def _order_row(order: Order, rng: random.Random) -> Row:
    return {
        "order_id": order.order_id,
        "ordered_at": _written(order.ordered_at, rng),
        "customer_id": order.customer_id,
        "status": rng.choice((order.status, order.status.upper())),
        "currency": order.currency,
        "discount_amount": order.discount,
    }


def _item_row(order_id: str, item: Item) -> Row:
    return {
        "order_id": order_id,
        "line_number": item.line_number,
        "product_id": item.product_id,
        "quantity": item.quantity,
        "unit_price": item.unit_price,
        "discount_amount": item.discount,
        "unit_cost": item.unit_cost,
    }


def _refund_row(order_id: str, refund: Refund, rng: random.Random) -> Row:
    return {
        "refund_id": refund.refund_id,
        "order_id": order_id,
        "line_number": refund.line_number,
        "quantity": refund.quantity,
        "amount": refund.amount,
        "refunded_at": _written(refund.refunded_at, rng),
    }


def _written(moment: datetime, rng: random.Random) -> str:
    """The same moment as UTC with Z, as UTC without an offset, or with another offset."""
    utc = moment.replace(tzinfo=None).isoformat()
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    return rng.choice((f"{utc}Z", utc, utc.replace("T", " "), elsewhere))

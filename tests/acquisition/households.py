"""Seeded random households: sessions at the edges of orders' lookbacks, spend, messages, codes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from session_ledger import end_of_day
from shops import Row

MICROSECOND, MINUTE, DAY = timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=1)
LOOKBACK = 30 * DAY
FIRST, LAST = date(2024, 1, 10), date(2024, 4, 30)  # clocks change on 31 March
KNOWN_UNTIL = end_of_day(LAST)
# From a session to an order: the edges of the lookback, ties, and half-lives.
OFFSETS = (
    timedelta(0), timedelta(0), MICROSECOND, -MICROSECOND, LOOKBACK, LOOKBACK - MICROSECOND,
    LOOKBACK + MICROSECOND, 7 * DAY, 14 * DAY, 21 * DAY, 45 * MINUTE, 90 * MINUTE, 5 * DAY,
    12 * DAY, 29 * DAY, 31 * DAY,
)  # fmt: skip
# Source, medium, campaign: paid ones with and without a campaign, and what nobody pays for.
PLACES: tuple[tuple[str | None, str | None, str | None], ...] = (
    (None, None, None), (None, None, None), ("google", "cpc", "brand"), ("google", "cpc", None),
    ("facebook", "paid_social", "spring"), ("newsletter", "email", "april"),
    ("crm", "sms", None),
)  # fmt: skip
PAID_PLACES = (*PLACES[2:5], ("awin", "affiliate", "cashback"))
STATUSES = ("paid", "shipped", "delivered", "paid", "pending", "cancelled")
PRICES = ("0.00", "0.01", "0.05", "10.00", "19.99", "33.33", "1234.57")
COSTS = (None, "0.00", "0.01", "7.77", "25.00", "2000.00")  # some above the price: a loss
SPEND = ("0.00", "0.01", "0.02", "0.05", "0.99", "1.00", "10.00", "33.33")
CODES = ("SPRING", "SUMMER", "UNLISTED")
KINDS = ("newsletter", "newsletter", "welcome", "transactional", None)
CHANNELS = ("email", "email", "sms", "push")
WINDOWS = (
    timedelta(0), MICROSECOND, -MICROSECOND, 7 * DAY, 7 * DAY - MICROSECOND, 6 * DAY, DAY,
    timedelta(hours=3),
)  # fmt: skip


@dataclass
class Raw:
    """Rows of the raw tables."""

    tables: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        """One more row."""
        self.tables.setdefault(table, []).append(row)


def make_raw(household_count: int, seed: int) -> dict[str, list[Row]]:
    """The raw tables of so many households; the same ones for the same seed."""
    raw = Raw()
    for number in range(household_count):
        _add_household(raw, number, random.Random(f"{seed}/{number}"))
    rng = random.Random(f"{seed}/spend")
    for number in range((LAST - FIRST).days + 40):
        for source, medium, campaign in PAID_PLACES:
            if rng.random() < 0.6:
                raw.add(
                    "ad_spend",
                    spend_date=FIRST + (number - 20) * DAY,
                    utm_source=source,
                    utm_medium=medium,
                    utm_campaign=campaign,
                    spend=Decimal(rng.choice(SPEND)) * (1, 4, 20)[number // 40 % 3],
                    clicks=rng.choice((None, 0, 3, 7)),
                    impressions=rng.choice((None, 50, 100)),
                )
    february, march, april = (
        end_of_day(day) for day in (date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31))
    )
    for code, kind, starts_at, ends_at in (
        ("SPRING", "percent", march, april),
        ("SUMMER", "amount", february, None),
        ("NEVER USED", "free_shipping", february, None),
    ):
        raw.add("promotions", promo_code=code, kind=kind, starts_at=starts_at, ends_at=ends_at)
    for rows in raw.tables.values():
        rng.shuffle(rows)
    return raw.tables


def _add_household(raw: Raw, number: int, rng: random.Random) -> None:
    devices = [f"d{number}-{position}" for position in range(rng.choice((1, 1, 2)))]
    customers = [f"c{number}-{position}" for position in range(rng.choice((0, 1, 1, 1, 2)))]
    days = (LAST - FIRST).days
    at = datetime.combine(FIRST, datetime.min.time()) + timedelta(minutes=rng.randrange(days * 900))
    moments: list[datetime] = []
    for position in range(rng.choice((1, 1, 2, 3, 4))):
        moments.append(at)
        _add_order(raw, f"o{number}-{position}", at, devices, customers, rng)
        at += rng.choice((timedelta(0), MICROSECOND, timedelta(hours=2), 10 * DAY, LOOKBACK))
    for position in range(rng.choice((0, 1, 2, 2, 3, 4, 6))):
        source, medium, campaign = rng.choice(PLACES)
        raw.add(
            "events",
            event_id=f"{rng.randrange(1000):03}-{number}-{position}",
            event_at=rng.choice(moments) - rng.choice(OFFSETS),
            anonymous_id=rng.choice(devices),
            event_name=rng.choice(("page_view", "page_view", "product_view", "newsletter_signup")),
            customer_id=rng.choice(customers) if customers and rng.random() < 0.35 else None,
            utm_source=source,
            utm_medium=medium,
            utm_campaign=campaign,
        )
    for position, customer in enumerate(customers):
        if rng.random() < 0.8:
            raw.add(
                "customers",
                customer_id=customer,
                marketing_opt_in=rng.choice((True, True, True, False, None)),
                created_at=rng.choice((None, moments[0], moments[0] - 5 * DAY)),
            )
        for copy in range(rng.choice((0, 1, 2, 3))):
            sent_at = rng.choice(moments) - rng.choice(WINDOWS)
            raw.add(
                "messages",
                message_id=f"m{rng.randrange(1000):03}-{number}-{position}-{copy}",
                customer_id=customer,
                channel=rng.choice(CHANNELS),
                kind=rng.choice(KINDS),
                sent_at=sent_at,
                opened_at=rng.choice((None, sent_at)),
                unsubscribed_at=rng.choice((None, None, None, sent_at + DAY)),
                cost=rng.choice((None, "0.0008", "0.0600")),
            )


def _add_order(
    raw: Raw,
    order_id: str,
    at: datetime,
    devices: list[str],
    customers: list[str],
    rng: random.Random,
) -> None:
    raw.add(
        "orders",
        order_id=order_id,
        ordered_at=at,
        status=rng.choice(STATUSES),
        customer_id=rng.choice((None, *customers, *customers)),
        anonymous_id=rng.choice((None, *devices, *devices)),
        promo_code=rng.choice((None, None, None, *CODES)),
        discount_amount=rng.choice(("0.00", "0.01", "1.00")),
    )
    for line_number in range(1, rng.choice((2, 2, 3))):
        raw.add(
            "order_items",
            order_id=order_id,
            line_number=line_number,
            product_id="P",
            quantity=rng.choice((1, 1, 2, 3)),
            unit_price=rng.choice(PRICES),
            unit_cost=rng.choice(COSTS),
        )

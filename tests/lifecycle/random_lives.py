"""Seeded random customers: what they did and said, as rows of the raw contract."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shops import Row, item

FIRST_DAY, AS_OF = date(2024, 1, 1), date(2025, 9, 14)
PARIS, UTC = ZoneInfo("Europe/Paris"), ZoneInfo("UTC")
# Gaps around the days on which a customer is lapsing or lost, so that a day too many is found.
GAPS = (0, 1, 1, 2, 5, 10, 10, 14, 20, 29, 30, 31, 45, 59, 60, 61, 88, 89, 90, 91, 150, 200)
# A day is easily lost or won around the shop's midnight.
CLOCK = ("00:00:00", "00:00:01", "09:30:00", "12:00:00", "23:59:59", "23:59:59.999999")
STATUSES = ("paid", "paid", "shipped", "delivered", "pending", "cancelled")
PRICES = ("9.99", "10.01", "0.05", "20.00", "33.33", "0.00")
COUNTRIES, CATEGORIES = ("FR", "BE", None), ("tea", "garden", None)

Tables = dict[str, list[Row]]


def make_lives(count: int, seed: int) -> Tables:
    """The raw tables of so many customers; the same ones for the same seed."""
    tables: Tables = defaultdict(list)
    tables["products"] = [
        {"product_id": f"P{number}", "category": CATEGORIES[number % 3]} for number in range(6)
    ]
    tables["fx_rates"] = [
        {"rate_date": "2024-01-01", "currency": "USD", "rate": "0.9"},
        {"rate_date": "2024-09-01", "currency": "USD", "rate": "0.95"},
    ]
    for number in range(count):
        _Life(number, count, random.Random(f"{seed}/{number}")).tell(tables)
    return dict(tables)


class _Life:
    """One customer's rows."""

    def __init__(self, number: int, count: int, rng: random.Random) -> None:
        self.customer_id, self.number, self.count, self.rng = f"C{number}", number, count, rng

    def tell(self, tables: Tables) -> None:
        rng = self.rng
        if rng.random() < 0.85:
            tables["customers"].append(self._account())
        self._orders(tables)
        if rng.random() < 0.4:
            tables["events"] += self._events()
        for kind, often, most in (
            ("nps_responses", 0.5, 4), ("reviews", 0.3, 3), ("support_tickets", 0.3, 3),
            ("referrals", 0.3, 3), ("loyalty_entries", 0.4, 6), ("subscriptions", 0.3, 4),
        ):  # fmt: skip
            if rng.random() < often:
                make: Any = getattr(self, f"_{kind}")
                tables[kind] += [make(f"{self.number}-{n}") for n in range(rng.randint(1, most))]

    def _account(self) -> Row:
        return {
            "customer_id": self.customer_id,
            "created_at": self.rng.choice((None, *[self._moment()] * 6)),
            "country": self.rng.choice(COUNTRIES),
            "birth_date": self.rng.choice((None, "1990-05-05", "1960-01-01")),
            "referred_by_customer_id": self.rng.choice((None, None, None, self._somebody())),
        }

    def _orders(self, tables: Tables) -> None:
        day = FIRST_DAY + timedelta(days=self.rng.randint(0, 600))
        for position in range(self.rng.choice((0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 8, 12))):
            order_id = f"O{self.number}-{position}"
            tables["orders"].append(
                {
                    "order_id": order_id,
                    "customer_id": self.customer_id,
                    "ordered_at": self._at(day),
                    "status": self.rng.choice(STATUSES),
                    "payment_method": self.rng.choice((None, "card", "paypal")),
                    "device": self.rng.choice((None, "mobile", "desktop")),
                }
            )
            tables["order_items"] += [
                {
                    **item(order_id, line, self.rng.randint(1, 4), self.rng.choice(PRICES)),
                    "product_id": f"P{self.rng.randint(0, 7)}",
                }
                for line in range(self.rng.randint(0, 3))
            ]
            day += timedelta(days=self.rng.choice(GAPS))

    def _events(self) -> list[Row]:
        """Events of a device of the customer's own, one of which says whose it is."""
        events: list[dict[str, object]] = [
            {
                "event_id": f"E{self.number}-{position}",
                "event_at": self._moment(),
                "anonymous_id": f"A{self.number}",
                "event_name": self.rng.choice(("page_view", "search", "newsletter_signup")),
                "device": self.rng.choice((None, "mobile", "desktop")),
            }
            for position in range(self.rng.randint(1, 5))
        ]
        self.rng.choice(events)["customer_id"] = self.customer_id
        return list(events)

    def _nps_responses(self, key: str) -> Row:
        # Few moments, so that answers come at one instant and response_id must break the tie.
        return {
            "response_id": f"N{self.rng.randint(0, 9)}-{key}",
            "customer_id": self.customer_id,
            "responded_at": self._at(FIRST_DAY + timedelta(days=30 * self.rng.randint(0, 21))),
            "score": self.rng.randint(0, 10) if self.rng.random() < 0.6 else 9,
        }

    def _reviews(self, key: str) -> Row:
        return {
            "review_id": f"V{key}",
            "product_id": f"P{self.rng.randint(0, 7)}",
            "customer_id": self.customer_id,
            "rating": self.rng.randint(1, 5),
            "reviewed_at": self._moment(),
        }

    def _support_tickets(self, key: str) -> Row:
        opened, response, solution = (self._moment() for _ in range(3))
        return {
            "ticket_id": f"T{key}",
            "customer_id": self.rng.choice((None, self.customer_id)),
            "topic": self.rng.choice((None, "delivery", "return")),
            "channel": self.rng.choice((None, "email", "chat")),
            "opened_at": opened,
            "first_response_at": self.rng.choice((None, response)),
            "resolved_at": self.rng.choice((None, solution)),
            "satisfaction": self.rng.choice((None, 1, 3, 5)),
        }

    def _referrals(self, key: str) -> Row:
        signed_up, ordered = self._moment(), self._moment()
        return {
            "referral_id": f"F{key}",
            "referrer_customer_id": self.customer_id,
            "referee_customer_id": self.rng.choice((None, self.customer_id, self._somebody())),
            "invited_at": self._moment(),
            "signed_up_at": self.rng.choice((None, signed_up)),
            "first_order_at": self.rng.choice((None, None, ordered)),
            "reward_amount": self.rng.choice((None, "5.00", "0.01")),
        }

    def _loyalty_entries(self, key: str) -> Row:
        reason = self.rng.choice((None, "earn", "earn", "bonus", "redeem", "expire"))
        sign = -1 if reason in ("redeem", "expire") else self.rng.choice((1, 1, 1, -1))
        return {
            "entry_id": f"L{key}",
            "customer_id": self.customer_id,
            "points": sign * self.rng.randint(0, 90),
            "reason": reason,
            "entered_at": self._moment(),
        }

    def _subscriptions(self, key: str) -> Row:
        started = self._day()
        ended = started + timedelta(days=self.rng.choice((0, 1, 20, 35, 100, 200, 300)))
        return {
            "subscription_id": f"S{key}",
            "customer_id": self.customer_id,
            "product_id": "P1",
            "status": self.rng.choice((None, "active", "paused")),
            "interval_months": self.rng.choice((None, 1, 1, 2, 3, 12)),
            "price": self.rng.choice(PRICES),
            "currency": self.rng.choice((None, "EUR", "USD")),
            "started_at": self._at(started),
            "ended_at": self.rng.choice((None, self._at(ended))),
        }

    def _somebody(self) -> str:
        return f"C{self.rng.randint(0, self.count + 5)}"

    def _day(self) -> date:
        return FIRST_DAY + timedelta(days=self.rng.randint(0, (AS_OF - FIRST_DAY).days + 20))

    def _moment(self) -> str:
        return self._at(self._day())

    def _at(self, day: date) -> str:
        """A time of the day in Paris, as UTC."""
        local = datetime.fromisoformat(f"{day}T{self.rng.choice(CLOCK)}").replace(tzinfo=PARIS)
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day_in_paris(moment: str) -> date:
    """The shop's day of a raw time."""
    return datetime.fromisoformat(moment).astimezone(PARIS).date()

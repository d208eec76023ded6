"""Seeded random households: people who share devices, and events where sessions are hard to cut."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from session_ledger import Event, Order, raw_row
from shops import Row, item

MICROSECOND = timedelta(microseconds=1)
BUCKET = timedelta(minutes=30)
FIRST_MOMENT = datetime(2024, 1, 1)  # noqa: DTZ001 - UTC, as in the ledger
# Midnights and clock changes in Paris (as UTC), and the ends of the days that are built.
ANCHORS = tuple(
    datetime.fromisoformat(text)
    for text in (
        "2024-03-30T23:00", "2024-03-31T01:00", "2024-03-31T01:00", "2024-03-31T22:00",
        "2024-03-31T22:00", "2024-10-26T22:00", "2024-10-27T00:00", "2024-10-27T01:00",
        "2024-10-27T23:00", "2024-10-27T23:00", "2024-02-28T23:00", "2024-07-14T22:00",
        "2024-07-15T00:00",
    )
)  # fmt: skip
GAPS = (
    timedelta(0), timedelta(0), MICROSECOND, timedelta(seconds=1), timedelta(seconds=150),
    BUCKET / 2 - MICROSECOND, BUCKET / 2, timedelta(minutes=22), BUCKET - MICROSECOND,
    BUCKET - MICROSECOND, BUCKET, BUCKET, BUCKET + MICROSECOND, timedelta(minutes=45),
    timedelta(hours=3), timedelta(days=9),
)  # fmt: skip
NAMES = (
    "page_view", "page_view", "page_view", "page_view", "PAGE_VIEW", "product_view", "view_item",
    "select_item", "search", "view_search_results", "review_view", "wishlist_add",
    "add_to_wishlist", "add_to_cart", "Add_To_Cart", "remove_from_cart", "begin_checkout",
    "add_shipping_info", "add_payment_info", "purchase", "sign_up", "login", "newsletter_signup",
    "generate_lead", "share", "session_start", "first_visit", "user_engagement", "view_item_list",
    "view_promotion", "gift_quiz_done", "Page View",
)  # fmt: skip
QUIET_NAMES = ("page_view", "session_start", "first_visit", "user_engagement", "view_item_list")
PAGES = (
    None, "/", "/p/12", "/p/12?email=a%40b.c#top", "https://www.shop.example/c/tea?utm_source=x",
    "https://shop.example", "https://shop.example/?q=1", "https://Shop.Example:8443/blog/3#end",
)  # fmt: skip
PAGE_TYPES = (None, "home", "category", "product", "blog", "cart", "checkout", "other", "Home")
REFERRERS = (
    None, None, None, "https://www.shop.example/cart", "https://shop.example/", "no address",
    "https://www.google.com/search?q=tea", "https://WWW.Google.fr", "https://mail.google.com/u/0",
    "https://l.facebook.com/", "https://t.co/abc", "https://x.com", "https://notx.com/",
    "https://news.example:8080/a", "http://www.bing.com", "https://outlook.live.com/mail",
    "https://googleshop.example/",
)  # fmt: skip
SOURCES = (
    None, None, None, "google", "Facebook", "instagram", "newsletter", "E-Mail", "awin", "criteo",
    "tiktok.com",
)  # fmt: skip
MEDIUMS = (
    None, None, None, "cpc", "CPC", "ppc", "cpm", "email", "sms", "affiliate", "paid_social",
    "paid search", "paid_search", "organic", "social", "referral", "display", "ads", "adsense",
    "qr",
)  # fmt: skip
ENGAGED = (None, None, 0, 1, 4_999, 5_000, 9_999, 10_000, 86_400_000)
LOADS = (None, None, 0, 120, 2_500, 86_400_000)
STATUSES = ("paid", "paid", "shipped", "delivered", "pending", "cancelled")
ID_LETTERS = "0123456789ABCXYZabcxyzé"


@dataclass
class Household:
    """People, their devices' events (each once) and their orders."""

    events: list[Event]
    orders: list[Order]


def make_households(count: int, seed: int) -> list[Household]:
    """So many households; the same ones for the same seed."""
    return [_make_household(number, random.Random(f"{seed}/{number}")) for number in range(count)]


def _make_household(number: int, rng: random.Random) -> Household:
    devices = [f"h{number}-{position}" for position in range(rng.randint(1, 4))]
    customers = [f"c{number}-{position}" for position in range(rng.choice((0, 0, 1, 1, 2, 3)))]
    maker = _Maker(rng, f"h{number}", customers)
    start = _start(rng)
    events: list[Event] = []
    for device in devices:
        start = start if rng.random() < 0.5 else _start(rng)
        events += maker.device(device, start)
    orders = []
    for position in range(rng.choice((0, 0, 1, 2, 3))):
        order, purchases = maker.order(f"o{number}-{position}", events, devices)
        orders.append(order)
        events += purchases
    return Household(events, orders)


def _start(rng: random.Random) -> datetime:
    """A moment near an anchor, or anywhere in 300 days."""
    if rng.random() < 0.6:
        before = rng.choice((0, 0, 1, 10, 29, 30, 31, 45, 180, 400))
        return (
            rng.choice(ANCHORS) - timedelta(minutes=before) + rng.choice((-1, 0, 1)) * MICROSECOND
        )
    return FIRST_MOMENT + timedelta(seconds=rng.randrange(300 * 86_400))


@dataclass
class _Maker:
    """Makes the events of one household."""

    rng: random.Random
    prefix: str
    customers: list[str]
    made: int = 0

    def event(self, device: str, at: datetime, names: tuple[str, ...], bot_rate: float) -> Event:
        rng = self.rng
        self.made += 1
        # Ids in no order, so that a tie in time is broken by the id alone.
        event_id = "".join(rng.choices(ID_LETTERS, k=4)) + f"-{self.prefix}-{self.made}"
        identified = self.customers and rng.random() < 0.3
        return Event(
            event_id=event_id,
            event_at=at,
            anonymous_id=device,
            event_name=rng.choice(names),
            customer_id=rng.choice(self.customers) if identified else None,
            received_at=at + timedelta(seconds=rng.choice((1, 5, 86_400))),
            page_url=rng.choice(PAGES),
            page_type=rng.choice(PAGE_TYPES),
            device=rng.choice((None, "mobile", "desktop")),
            browser=rng.choice((None, "chrome", "safari")),
            country=rng.choice((None, "FR", "BE")),
            referrer=rng.choice(REFERRERS),
            utm_source=rng.choice(SOURCES),
            utm_medium=rng.choice(MEDIUMS),
            utm_campaign=rng.choice((None, "Spring", "brand")),
            utm_content=rng.choice((None, "A", "b")),
            page_load_ms=rng.choice(LOADS),
            engaged_ms=rng.choice(ENGAGED),
            is_bot=True if rng.random() < bot_rate else rng.choice((False, False, None)),
        )

    def device(self, device: str, start: datetime) -> list[Event]:
        """Events of a device; some do little, some go on for hours, some are bots."""
        rng = self.rng
        quiet = rng.random() < 0.4
        names = QUIET_NAMES if quiet else NAMES
        count = rng.choice((1, 1, 2, 3)) if quiet else rng.choice((1, 2, 4, 8, 12))
        gaps: tuple[timedelta, ...] = GAPS
        if rng.random() < 0.04:
            count, gaps = rng.randint(20, 40), (BUCKET - MICROSECOND, BUCKET / 2)
        bot_rate = rng.choice((0.0, 0.0, 0.15, 1.0 if rng.random() < 0.2 else 0.0))
        events, at = [], start
        for _ in range(count):
            events.append(self.event(device, at, names, bot_rate))
            at += rng.choice(gaps)
            if rng.random() < 0.1:
                at = _edge(at) - rng.choice((0, 1)) * MICROSECOND
        return events

    def order(
        self, order_id: str, events: list[Event], devices: list[str]
    ) -> tuple[Order, list[Event]]:
        """An order, and the purchase events that tell of it: none, one, or several."""
        rng = self.rng
        near = rng.choice(events)
        delay = rng.choice((timedelta(0), MICROSECOND, BUCKET - MICROSECOND, BUCKET, BUCKET / 3))
        order = Order(
            order_id=order_id,
            ordered_at=near.event_at + rng.choice((1, 1, 1, -1)) * delay,
            status=rng.choice(STATUSES),
            customer_id=rng.choice([None, *self.customers]),
            anonymous_id=rng.choice([None, "unknown device", *devices, *[near.anonymous_id] * 4]),
            quantity=rng.randint(1, 5),
            unit_cents=rng.choice((0, 1, 995, 123_456)),
        )
        purchases = []
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            at = rng.choice(events).event_at + rng.choice((timedelta(0), timedelta(minutes=1)))
            event = self.event(rng.choice(devices), at, ("purchase", "Purchase"), 0.1)
            purchases.append(replace(event, order_id=order_id))
        if purchases and rng.random() < 0.3:  # at one instant on two devices
            device = rng.choice(devices)
            twin = self.event(device, purchases[0].event_at, ("purchase",), 0.0)
            purchases.append(replace(twin, order_id=order_id))
        return order, purchases


def _edge(at: datetime) -> datetime:
    """The bucket edge at or before a time."""
    return at - (at - FIRST_MOMENT) % BUCKET


def delivered(households: Iterable[Household], seed: int) -> list[Event]:
    """The events as the collector got them: one in ten once more, another time."""
    rng = random.Random(f"{seed}/delivered")
    rows = []
    for household in households:
        for event in household.events:
            rows.append(event)
            if rng.random() < 0.1:
                again = event.event_at + timedelta(hours=rng.randint(1, 70))
                rows += [replace(event, received_at=again)] * rng.randint(1, 2)
    return rows


def as_tables(
    households: Iterable[Household], rows: Iterable[Event], seed: int
) -> dict[str, list[Row]]:
    """The raw tables, with a rejected event here and there that would bridge a gap."""
    rng = random.Random(f"{seed}/tables")
    events: list[Row] = []
    for event in rows:
        row = raw_row(event)
        row["event_at"] = _as_text(event.event_at, rng)
        row["received_at"] = event.received_at and _as_text(event.received_at, rng)
        row["is_bot"] = None if event.is_bot is None else str(event.is_bot).lower()
        events.append(row | {"quantity": None})
        if rng.random() < 0.02:
            at = _as_text(event.event_at + BUCKET * 2 / 3, rng)
            broken = {"event_id": f"broken-{event.event_id}", "event_at": at, "quantity": -1}
            events.append(row | broken)
    orders = [order for household in households for order in household.orders]
    return {
        "events": events,
        "orders": [
            {
                "order_id": order.order_id,
                "ordered_at": _as_text(order.ordered_at, rng),
                "status": order.status,
                "customer_id": order.customer_id,
                "anonymous_id": order.anonymous_id,
            }
            for order in orders
        ],
        "order_items": [
            item(order.order_id, 1, order.quantity, f"{order.unit_cents / 100:.2f}")
            for order in orders
        ],
    }


def _as_text(at: datetime, rng: random.Random) -> str:
    """ISO 8601, with an offset or in UTC."""
    hours = rng.choice((None, 0, 0, 2, -5))
    if hours is None:
        return at.isoformat()
    zone = timezone(timedelta(hours=hours))
    return (at + timedelta(hours=hours)).replace(tzinfo=zone).isoformat()

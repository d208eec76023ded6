"""Web sessions event by event: the words of the definitions as a state machine in plain Python.

Times are UTC without a zone, as the warehouse holds them. Nothing here knows of the models: the
names of events and their meaning are written down once more, and only the rules of the channels,
which are data, are read from their seed.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from shops import PROJECT

UTC, PARIS = ZoneInfo("UTC"), ZoneInfo("Europe/Paris")
GAP = timedelta(minutes=30)
ENGAGED_MS = 10_000

# GA4's name: ours. Events of any other name keep it.
ALIASES = {
    "view_item": "product_view",
    "select_item": "product_view",
    "add_to_wishlist": "wishlist_add",
    "view_search_results": "search",
    "generate_lead": "newsletter_signup",
}
# Sent by the tag, not by the visitor: they end no bounce.
TECHNICAL = {
    "session_start",
    "first_visit",
    "user_engagement",
    "view_item_list",
    "view_promotion",
}
INTEREST = {"search"}
CONSIDERATION = {"product_view", "review_view", "wishlist_add"}
INTENT = {
    "add_to_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
}
REVENUE_STATUSES = {"paid", "shipped", "delivered"}


@dataclass(frozen=True)
class Event:
    """An event as the shop sends it; properties say what it means."""

    event_id: str
    event_at: datetime
    anonymous_id: str
    event_name: str
    customer_id: str | None = None
    received_at: datetime | None = None
    page_url: str | None = None
    page_type: str | None = None
    order_id: str | None = None
    device: str | None = None
    browser: str | None = None
    country: str | None = None
    referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_content: str | None = None
    page_load_ms: int | None = None
    engaged_ms: int | None = None
    is_bot: bool | None = None

    @property
    def name(self) -> str:
        """The standard name, lower case."""
        return ALIASES.get(self.event_name.lower(), self.event_name.lower())

    @property
    def page_kind(self) -> str | None:
        """The page type, lower case."""
        return self.page_type.lower() if self.page_type else None

    @property
    def page_path(self) -> str | None:
        """The page's address without host, query and fragment."""
        return (urlsplit(self.page_url).path or None) if self.page_url else None

    @property
    def referrer_host(self) -> str | None:
        """The site that led here; the shop's own pages are no referrer."""
        found = host(self.referrer)
        return None if found == host(self.page_url) else found

    @property
    def source(self) -> str | None:
        """utm_source, lower case."""
        return self.utm_source.lower() if self.utm_source else None

    @property
    def medium(self) -> str | None:
        """utm_medium, lower case."""
        return self.utm_medium.lower() if self.utm_medium else None

    @property
    def is_interaction(self) -> bool:
        """Whether somebody did something beyond opening a page."""
        return self.name != "page_view" and self.name not in TECHNICAL

    @property
    def shows_interest(self) -> bool:
        """A search, or a page of the blog."""
        return self.name in INTEREST or self.page_kind == "blog"

    @property
    def shows_consideration(self) -> bool:
        """A product or review viewed, a wish."""
        return self.name in CONSIDERATION or self.page_kind == "product"

    @property
    def journey_stage(self) -> str | None:
        """The stage that the name alone tells."""
        stages = {"interest": INTEREST, "consideration": CONSIDERATION, "intent": INTENT}
        stages["purchase"] = {"purchase"}
        return next((stage for stage, names in stages.items() if self.name in names), None)


@dataclass(frozen=True)
class Order:
    """An order of one line; cents and UTC."""

    order_id: str
    ordered_at: datetime
    status: str
    customer_id: str | None
    anonymous_id: str | None
    quantity: int
    unit_cents: int

    @property
    def is_revenue(self) -> bool:
        """Neither pending nor cancelled."""
        return self.status in REVENUE_STATUSES


@dataclass
class Session:
    """Events of one anonymous_id in order of time, no gap between them."""

    events: list[Event]

    @property
    def anonymous_id(self) -> str:
        """Whose events these are."""
        return self.events[0].anonymous_id

    @property
    def started_at(self) -> datetime:
        """The first event's time."""
        return self.events[0].event_at

    @property
    def ended_at(self) -> datetime:
        """The last event's time."""
        return self.events[-1].event_at

    @property
    def key(self) -> tuple[str, datetime]:
        """What identifies a session."""
        return self.anonymous_id, self.started_at

    @property
    def is_bounced(self) -> bool:
        """One page view (or none), no engaged time of ten seconds, no other event."""
        pages = sum(event.name == "page_view" for event in self.events)
        engaged = sum(event.engaged_ms or 0 for event in self.events)
        acted = any(event.is_interaction for event in self.events)
        return pages <= 1 and engaged < ENGAGED_MS and not acted


def host(url: str | None) -> str | None:
    """The host of an address, lower case, without www."""
    found = urlsplit(url).hostname if url else None
    return found.removeprefix("www.") if found else None


def reporting_date(at: datetime) -> date:
    """The day in Paris of a UTC time."""
    return at.replace(tzinfo=UTC).astimezone(PARIS).date()


def end_of_day(day: date) -> datetime:
    """The UTC time at which a day in Paris is over."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=PARIS)
    return midnight.astimezone(UTC).replace(tzinfo=None)


def known_human_events(rows: Iterable[Event], known_until: datetime) -> list[Event]:
    """Each event once, however often it was delivered, without bots and what comes later."""
    once = {replace(row, received_at=None) for row in rows}
    return [event for event in once if event.event_at < known_until and not event.is_bot]


def cut_sessions(events: Iterable[Event]) -> list[Session]:
    """Event by event: a gap of 30 minutes or more, or another device, starts a session."""
    sessions: list[Session] = []
    last: Event | None = None
    for event in sorted(events, key=lambda e: (e.anonymous_id, e.event_at, e.event_id)):
        if (
            last is None
            or event.anonymous_id != last.anonymous_id
            or event.event_at - last.event_at >= GAP
        ):
            sessions.append(Session([]))
        sessions[-1].events.append(event)
        last = event
    return sessions


class Identities:
    """Who is known on a device, and when.

    Of two customers at one instant the greater event_id is the later one, so only that one is ever
    carried by an event: before the first instant, it is the one that is filled back.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._by_device: dict[str, list[Event]] = defaultdict(list)
        for event in sorted(events, key=lambda e: (e.event_at, e.event_id)):
            if event.customer_id:
                self._by_device[event.anonymous_id].append(event)

    def customer_at(self, anonymous_id: str, at: datetime) -> str | None:
        """The last customer identified at or before a time; the first one before that."""
        customer = None
        identified = self._by_device.get(anonymous_id, [])
        for event in identified:
            if event.event_at <= max(at, identified[0].event_at):
                customer = event.customer_id
        return customer

    def known_since(self, anonymous_id: str, at: datetime) -> datetime | None:
        """When it became known who the customer at a time is: the first event of their turn."""
        by_instant = {event.event_at: event for event in self._by_device.get(anonymous_id, [])}
        since, customer = None, None
        for instant, event in by_instant.items():
            if since and instant > at:
                break
            if event.customer_id != customer:
                since, customer = instant, event.customer_id
        return since

    def devices(self) -> set[str]:
        """The devices on which anybody is known."""
        return set(self._by_device)

    def instants(self, anonymous_id: str) -> list[datetime]:
        """When somebody was identified on a device."""
        return [event.event_at for event in self._by_device[anonymous_id]]


@cache
def channel_rules() -> list[tuple[list[str | None], str]]:
    """The shop's rules in order: patterns of source, medium and referrer (None: any), channel."""
    path = PROJECT / "seeds" / "reference" / "ref_channel_rules.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: int(row["rule_number"]))
    columns = ("utm_source_pattern", "utm_medium_pattern", "referrer_host_pattern")
    return [([row[column] or None for column in columns], row["channel"]) for row in rows]


def channel_of(event: Event) -> str:
    """The channel of a session that begins with this event: the first rule that fits."""
    values = (event.source or "", event.medium or "", event.referrer_host or "")
    for patterns, channel in channel_rules():
        if all(
            pattern is None or re.search(pattern, value)
            for pattern, value in zip(patterns, values, strict=True)
        ):
            return channel
    raise AssertionError("the last rule takes what is left")


class Ledger:
    """Sessions, customers and orders as they are known at a time."""

    def __init__(
        self, rows: Iterable[Event], orders: Iterable[Order], known_until: datetime
    ) -> None:
        self.events = known_human_events(rows, known_until)
        self.sessions = cut_sessions(self.events)
        self.identities = Identities(self.events)
        self.orders = [order for order in orders if order.ordered_at < known_until]
        self._by_device: dict[str, list[Session]] = defaultdict(list)
        for session in self.sessions:
            self._by_device[session.anonymous_id].append(session)
        self.purchases: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            if event.name == "purchase" and event.order_id:
                self.purchases[event.order_id].append(event)
        self.session_of = {order.order_id: self._session_of(order) for order in self.orders}
        self.number_of = self._order_numbers()

    def customer_of(self, session: Session) -> str | None:
        """A session belongs to the customer that its last event carries."""
        return self.identities.customer_at(session.anonymous_id, session.ended_at)

    def visitor_of(self, session: Session) -> str:
        """The customer, else the anonymous_id."""
        return self.customer_of(session) or session.anonymous_id

    def _session_of(self, order: Order) -> Session | None:
        """The session of the first purchase event, else the one that the order came in."""
        anonymous_id, at = order.anonymous_id, order.ordered_at
        if found := self.purchases.get(order.order_id):
            first = min(found, key=lambda event: (event.event_at, event.anonymous_id))
            anonymous_id, at = first.anonymous_id, first.event_at
        if anonymous_id is None:
            return None
        for session in self._by_device.get(anonymous_id, []):
            if session.started_at <= at and at - session.ended_at < GAP:
                return session
        return None

    def _order_numbers(self) -> dict[str, int]:
        """Of each order of a customer that was not cancelled: the how manieth it is."""
        numbers: dict[str, int] = {}
        count: dict[str, int] = defaultdict(int)
        for order in sorted(self.orders, key=lambda order: (order.ordered_at, order.order_id)):
            if order.customer_id and order.status != "cancelled":
                count[order.customer_id] += 1
                numbers[order.order_id] = count[order.customer_id]
        return numbers

    def visitor_numbers(
        self, session_ids: Mapping[tuple[str, datetime], str]
    ) -> dict[tuple[str, datetime], int]:
        """The how manieth session of its visitor each one is; ties go by session_id."""
        numbers: dict[tuple[str, datetime], int] = {}
        count: dict[str, int] = defaultdict(int)
        for session in sorted(
            self.sessions, key=lambda s: (s.started_at, session_ids.get(s.key, ""))
        ):
            visitor = self.visitor_of(session)
            count[visitor] += 1
            numbers[session.key] = count[visitor]
        return numbers

    def session_rows(
        self, session_ids: Mapping[tuple[str, datetime], str]
    ) -> dict[tuple[str, datetime], dict[str, Any]]:
        """What fct_sessions should hold, by anonymous_id and start, session_id left out."""
        numbers = self.visitor_numbers(session_ids)
        orders: dict[tuple[str, datetime], list[Order]] = defaultdict(list)
        for order in self.orders:
            if session := self.session_of[order.order_id]:
                orders[session.key].append(order)
        return {
            session.key: {
                **self._origin(session),
                **_behaviour(session),
                **self._stages(session, orders[session.key]),
                **self._bought(orders[session.key]),
                "visitor_session_number": numbers[session.key],
                "is_new_visitor": numbers[session.key] == 1,
            }
            for session in self.sessions
        }

    def _origin(self, session: Session) -> dict[str, Any]:
        first = session.events[0]
        on_pages = [event for event in session.events if event.page_path]
        landing, exit_ = (on_pages[0], on_pages[-1]) if on_pages else (None, None)
        return {
            "anonymous_id": session.anonymous_id,
            "customer_id": self.customer_of(session),
            "customer_known_at": self.identities.known_since(
                session.anonymous_id, session.ended_at
            ),
            "visitor_id": self.visitor_of(session),
            "channel": channel_of(first),
            "utm_source": first.source,
            "utm_medium": first.medium,
            "utm_campaign": first.utm_campaign,
            "utm_content": first.utm_content,
            "referrer_host": first.referrer_host,
            "landing_page_path": landing.page_path if landing else None,
            "landing_page_type": landing.page_kind if landing else None,
            "landing_page_load_ms": landing.page_load_ms if landing else None,
            "exit_page_path": exit_.page_path if exit_ else None,
            "exit_page_type": exit_.page_kind if exit_ else None,
            "exit_page_load_ms": exit_.page_load_ms if exit_ else None,
            "device": first.device,
            "browser": first.browser,
            "country": first.country,
        }

    def _stages(self, session: Session, orders: list[Order]) -> dict[str, Any]:
        events = session.events
        repeats = [order for order in orders if self.number_of.get(order.order_id, 0) >= 2]
        interested = [event for event in events if event.shows_interest]
        bought = _first(events, {"purchase"}) or min(
            (order.ordered_at for order in orders), default=None
        )
        return {
            "interest_at": min((event.event_at for event in interested), default=None)
            if session.is_bounced
            else session.started_at,
            "consideration_at": min(
                (event.event_at for event in events if event.shows_consideration), default=None
            ),
            "intent_at": _first(events, INTENT),
            "add_to_cart_at": _first(events, {"add_to_cart"}),
            "begin_checkout_at": _first(events, {"begin_checkout"}),
            "add_shipping_info_at": _first(events, {"add_shipping_info"}),
            "add_payment_info_at": _first(events, {"add_payment_info"}),
            "purchase_at": bought,
            "is_converted": bought is not None,
            "loyalty_at": min((order.ordered_at for order in repeats), default=None),
        }

    def _bought(self, orders: list[Order]) -> dict[str, Any]:
        revenue = [order for order in orders if order.is_revenue]
        cents = sum(order.quantity * order.unit_cents for order in revenue)
        return {
            "order_count": sum(order.status != "cancelled" for order in orders),
            "unit_count": sum(order.quantity for order in revenue),
            "net_amount": Decimal(cents) / 100,
        }


def _first(events: Iterable[Event], names: set[str]) -> datetime | None:
    return min((event.event_at for event in events if event.name in names), default=None)


def _behaviour(session: Session) -> dict[str, Any]:
    """How long and how busy a session was."""
    names = [event.name for event in session.events]
    loads = [event.page_load_ms for event in session.events if event.page_load_ms is not None]
    return {
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "session_date": reporting_date(session.started_at),
        "is_bounced": session.is_bounced,
        "is_engaged": not session.is_bounced,
        "event_count": len(names),
        "page_view_count": names.count("page_view"),
        "product_view_count": names.count("product_view"),
        "add_to_cart_count": names.count("add_to_cart"),
        "page_load_count": len(loads),
        "page_load_ms": sum(loads),
        "slowest_page_load_ms": max(loads, default=None),
        "engaged_ms": sum(event.engaged_ms or 0 for event in session.events),
    }


def raw_row(event: Event) -> dict[str, object]:
    """The event as a row of `events`, times and booleans as they are."""
    return {field.name: getattr(event, field.name) for field in fields(event)}

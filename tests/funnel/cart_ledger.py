"""Carts event by event: decision 10 as a state machine in plain Python, slow and plain to read.

Times are UTC without a zone, money is in cents. Nothing here knows of the models; sessions,
visitors and the orders' sessions are those of `session_ledger`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from session_ledger import Event, Ledger, Order, Session, reporting_date

IDLE = timedelta(hours=24)
RECOVERY = timedelta(days=7)
# The order of events at one instant: what a cart begins with comes first.
STEPS = (
    "add_to_cart", "remove_from_cart", "begin_checkout", "add_shipping_info", "add_payment_info",
)  # fmt: skip
STAGES = {"begin_checkout": 1, "add_shipping_info": 2, "add_payment_info": 3}
OF_THE_SESSION = ("visitor_id", "customer_id", "channel", "device", "country", "is_new_visitor")
STAGE_NAMES = ("cart", "checkout", "shipping", "payment")

Key = tuple[str, datetime]


@dataclass(frozen=True)
class CartEvent(Event):
    """An event with what it puts into a cart or takes out."""

    product_id: str | None = None
    quantity: int | None = None
    value_cents: int | None = None


@dataclass(frozen=True)
class Message:
    """A message to a customer."""

    message_id: str
    customer_id: str
    channel: str
    kind: str
    sent_at: datetime
    opened_at: datetime | None = None
    clicked_at: datetime | None = None


@dataclass(frozen=True)
class Ordered:
    """That a visitor ordered; without an order_id tracking alone has seen it."""

    ordered_at: datetime
    order_id: str | None = None
    customer_id: str | None = None
    is_booked: bool = True
    net_cents: int | None = None


@dataclass
class Line:
    """One product of a cart; `added_cents` is None once a value is unknown."""

    units: int = 0
    added_units: int = 0
    added_cents: int | None = 0

    @property
    def cents(self) -> int | None:
        """The share of the units left, rounded half up."""
        if self.added_cents is None:
            return None
        return (2 * self.added_cents * self.units + self.added_units) // (2 * self.added_units)


@dataclass
class Cart:
    """A cart and what became of it."""

    visitor_id: str
    session: Session
    started_at: datetime
    last_event_at: datetime
    stage: int = 0
    adds: int = 0
    removals: int = 0
    lines: dict[str | None, Line] = field(default_factory=lambda: defaultdict(Line))
    order: Ordered | None = None
    recovery: Ordered | None = None
    is_booked: bool = False

    def note(self, event: CartEvent, prices: Mapping[str, int]) -> None:
        """Take note of an event of this cart."""
        self.last_event_at = event.event_at
        self.stage = max(self.stage, STAGES.get(event.name, 0))
        units = 1 if event.quantity is None else event.quantity
        line = self.lines[event.product_id]
        if event.name == "add_to_cart":
            self.adds += 1
            cents = event.value_cents
            price = prices.get(event.product_id or "")
            if cents is None and price is not None:
                cents = units * price
            line.units += units
            line.added_units += units
            known = line.added_cents is not None and cents is not None
            line.added_cents = (line.added_cents or 0) + (cents or 0) if known else None
        elif event.name == "remove_from_cart":
            self.removals += 1
            line.units = max(0, line.units - units)

    @property
    def cents(self) -> int | None:
        """What is left is worth; None where a line's value is unknown."""
        values = [line.cents for line in self.lines.values() if line.units]
        return None if None in values else sum(value or 0 for value in values)


class CartLedger:
    """The carts of all visitors, as they are known at a time."""

    def __init__(
        self,
        ledger: Ledger,
        messages: Iterable[Message],
        prices: Mapping[str, int],
        known_until: datetime,
    ) -> None:
        self.ledger = ledger
        self.prices = prices
        self.known_until = known_until
        self.messages = [
            message
            for message in messages
            if message.kind == "cart_recovery" and message.sent_at < known_until
        ]
        self.orders = self._orders_of_visitors()
        self.carts = self._carts()
        self._recover()

    def _visitors_of(self, order: Order) -> list[str]:
        """The visitor that an order's amount is booked with, and another one that it counts for."""
        session = self.ledger.session_of[order.order_id]
        of_session = self.ledger.visitor_of(session) if session else None
        own = order.customer_id or of_session or order.anonymous_id
        return list(dict.fromkeys(visitor for visitor in (of_session, own) if visitor))

    def _orders_of_visitors(self) -> dict[str, list[Ordered]]:
        """Of each visitor one order an instant, in order of time."""
        at: dict[Key, list[Ordered]] = defaultdict(list)
        for order in self.ledger.orders:
            if order.status != "cancelled":
                cents = order.quantity * order.unit_cents if order.is_revenue else None
                for number, visitor in enumerate(self._visitors_of(order)):
                    at[visitor, order.ordered_at].append(
                        Ordered(
                            order.ordered_at, order.order_id, order.customer_id, not number, cents
                        )
                    )
        for session, event in self._unknown_purchases():
            at[self.ledger.visitor_of(session), event.event_at].append(Ordered(event.event_at))
        orders: dict[str, list[Ordered]] = defaultdict(list)
        for (visitor, _), rivals in sorted(at.items()):
            orders[visitor].append(
                min(rivals, key=lambda one: (one.order_id is None, one.order_id or ""))
            )
        return orders

    def _unknown_purchases(self) -> Iterable[tuple[Session, Event]]:
        """Purchases that no order tells of, each order_id once, of sessions without an order."""
        known = {order.order_id for order in self.ledger.orders}
        placed = {session.key for session in self.ledger.session_of.values() if session is not None}
        first: dict[str, tuple[Session, Event]] = {}
        for session in self.ledger.sessions:
            for event in session.events:
                key = event.order_id or f"no order: {event.event_id}"
                if event.name != "purchase" or event.order_id in known:
                    continue
                rank = (event.event_at, event.event_id)
                if key not in first or rank < (first[key][1].event_at, first[key][1].event_id):
                    first[key] = (session, event)
        return [found for found in first.values() if found[0].key not in placed]

    def _carts(self) -> list[Cart]:
        """Visitor by visitor, moment by moment; at one instant an order comes last."""
        moments: dict[str, list[tuple[Any, Session | None, CartEvent | Ordered]]]
        moments = defaultdict(list)
        for session in self.ledger.sessions:
            for event in session.events:
                if isinstance(event, CartEvent) and event.name in STEPS:
                    rank = (event.event_at, 0, STEPS.index(event.name), event.event_id)
                    moments[self.ledger.visitor_of(session)].append((rank, session, event))
        for visitor, orders in self.orders.items():
            for ordered in orders:
                moments[visitor].append(((ordered.ordered_at, 1), None, ordered))
        carts = []
        for visitor in sorted(moments):
            cart: Cart | None = None
            for rank, place, moment in sorted(moments[visitor], key=lambda entry: entry[0]):
                if cart and rank[0] - cart.last_event_at >= IDLE:
                    cart = None
                if isinstance(moment, Ordered):
                    if cart:
                        cart.order, cart = moment, None
                    continue
                if cart is None and moment.name == "add_to_cart":
                    assert place
                    cart = Cart(visitor, place, moment.event_at, moment.event_at)
                    carts.append(cart)
                if cart:
                    cart.note(moment, self.prices)
        return carts

    def _recover(self) -> None:
        """The first order within the time after, booked on the last cart that it recovers."""
        last: dict[tuple[str, datetime], Cart] = {}
        for cart in sorted(self.carts, key=lambda cart: cart.started_at):
            ended_at = cart.last_event_at + IDLE
            for order in self.orders.get(cart.visitor_id, []) if cart.order is None else []:
                if ended_at <= order.ordered_at < ended_at + RECOVERY:
                    cart.recovery = order
                    last[cart.visitor_id, order.ordered_at] = cart
                    break
        for cart in last.values():
            assert cart.recovery
            cart.is_booked = cart.recovery.is_booked

    def _message(self, cart: Cart) -> Message | None:
        """The last one to the cart's customer, else the order's, between cart and order."""
        if cart.recovery is None:
            return None
        customer = self.ledger.customer_of(cart.session) or cart.recovery.customer_id
        sent = [
            message
            for message in self.messages
            if message.customer_id == customer
            and cart.last_event_at < message.sent_at < cart.recovery.ordered_at
        ]
        return max(sent, key=lambda message: (message.sent_at, message.message_id), default=None)

    def rows(
        self, session_ids: Mapping[Key, str], sessions: Mapping[Key, Mapping[str, Any]]
    ) -> dict[Key, dict[str, Any]]:
        """What fct_carts should hold, by visitor and start, cart_id left out."""
        return {
            (cart.visitor_id, cart.started_at): {
                "session_id": session_ids[cart.session.key],
                **{name: sessions[cart.session.key][name] for name in OF_THE_SESSION},
                **_contents(cart),
                **self._fate(cart),
                **self._won_back(cart),
            }
            for cart in self.carts
        }

    def _fate(self, cart: Cart) -> dict[str, Any]:
        order, ended_at = cart.order, cart.last_event_at + IDLE
        is_mature = ended_at <= self.known_until
        is_open = order is None and not is_mature
        return {
            "is_mature": is_mature,
            "is_ordered": order is not None,
            "is_abandoned": None if is_open else order is None,
            "order_id": order.order_id if order else None,
            "ordered_at": order.ordered_at if order else None,
            "closed_at": None if is_open else order.ordered_at if order else ended_at,
        }

    def _won_back(self, cart: Cart) -> dict[str, Any]:
        is_mature = cart.last_event_at + IDLE + RECOVERY <= self.known_until
        order, message = cart.recovery, self._message(cart)
        at = order.ordered_at if order else None
        net = _money(order.net_cents if cart.is_booked else 0) if order else None
        return {
            "is_recovery_mature": is_mature,
            "is_recovered": order is not None if order or cart.order or is_mature else None,
            "recovered_order_id": order.order_id if order else None,
            "recovered_net_amount": net,
            "recovered_at": at,
            "recovery_message_id": message.message_id if message else None,
            "recovery_message_channel": message.channel if message else None,
            "recovery_message_hours": (at - message.sent_at) / timedelta(hours=1)
            if at and message
            else None,
            "recovery_message_sent_at": message.sent_at if message else None,
            "recovery_message_opened_at": _by(at, message.opened_at) if message else None,
            "recovery_message_clicked_at": _by(at, message.clicked_at) if message else None,
        }


def _contents(cart: Cart) -> dict[str, Any]:
    lines = [line for line in cart.lines.values() if line.units]
    return {
        "cart_amount": _money(cart.cents),
        "line_count": len(lines),
        "unit_count": sum(line.units for line in lines),
        "add_to_cart_count": cart.adds,
        "remove_from_cart_count": cart.removals,
        "furthest_stage": STAGE_NAMES[cart.stage],
        "cart_date": reporting_date(cart.started_at),
        "started_at": cart.started_at,
        "last_event_at": cart.last_event_at,
    }


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents) / 100


def _by(at: datetime | None, happened_at: datetime | None) -> datetime | None:
    """A time that is not after another one."""
    return happened_at if at and happened_at and happened_at <= at else None

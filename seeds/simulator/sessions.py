"""Which sessions there are: whose, on which device, when, and through which channel.

The plan holds one row per session and no events. Two sessions of one device are planned at least
six hours apart and no session lasts longer than three, so that planned sessions are sessions by the
definition (a gap of 30 minutes or more), except where a gap is planted on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from seeds.simulator.config import (
    ANOMALY_CHANNEL,
    ANOMALY_CONVERSION_FACTOR,
    ANOMALY_WINDOW,
    BOT_EVENT_SHARE,
    CHANNEL_OF_PLACEMENT,
    CHANNELS,
    DATA_END,
    DAY,
    EVENTS_PER_BOT_SESSION,
    FRIEND_PLACEMENT,
    HOUR,
    MINUTE,
    RECOVERY_PLACEMENT,
    Bools,
    Codes,
    Ints,
    Shop,
    Streams,
    channel_weights,
    draw,
    placements_for,
)
from seeds.simulator.orders import Orders
from seeds.simulator.people import Devices, People, make_devices
from seeds.simulator.season import Season

BROWSE, ORDER, SIGN_UP, CART, BOT = range(5)
# How a session becomes known: at its start, by a new account, or within the checkout.
NO_LOGIN, LOGIN_START, SIGN_UP_MIDDLE, LOGIN_CHECKOUT, SIGN_UP_CHECKOUT = range(5)
NO_EDGE, EDGE_SAME, EDGE_NEW = range(3)  # a planted gap of 29:59.999 or of exactly 30:00

SPACING = 6 * HOUR
MAX_LENGTH = 150 * MINUTE  # of a session without its planted gap
VISITOR_SESSIONS = 0.62  # parameter of the geometric number of sessions of a visitor
RECOVERED_SHARE = 0.13  # orders that an abandoned cart came before


@dataclass
class Plan:
    """One row per session, in blocks of days. `anchor` is the start, or the order's time (ms)."""

    person: Ints
    device: Ints
    anchor: Ints
    kind: Ints
    order: Ints  # -1 = none
    placement: Ints
    login: Ints
    edge: Ints

    @property
    def size(self) -> int:
        """Sessions."""
        return len(self.person)

    @property
    def day(self) -> Ints:
        """The first day (since 1970) that an event of the session can fall on."""
        return (self.anchor - np.where(self.kind == ORDER, MAX_LENGTH, 0)) // DAY

    @property
    def channel(self) -> Ints:
        """Channel index of each session."""
        return CHANNEL_OF_PLACEMENT[self.placement]

    def take(self, rows: Ints | Bools | slice) -> Plan:
        """The plan of some sessions."""
        return Plan(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass
class Recovery:
    """Per order: when a cart was abandoned before it (-1 = none), whether a message won it back."""

    cart_at: Ints
    by_message: Bools


class _Builder:
    """Collects groups of sessions and concatenates them once."""

    def __init__(self) -> None:
        self.parts: list[tuple[Ints, ...]] = []

    def add(
        self, person: Ints, device: Codes, anchor: Ints, kind: int, placement: Ints,
        login: Ints | int = NO_LOGIN, order: Ints | int = -1,
    ) -> None:  # fmt: skip
        size = len(person)
        self.parts.append((
            person.astype(np.int32), device.astype(np.int32), anchor, np.full(size, kind, np.int8),
            np.broadcast_to(np.asarray(order, np.int32), size), placement.astype(np.int8),
            np.broadcast_to(np.asarray(login, np.int8), size), np.zeros(size, np.int8),
        ))  # fmt: skip

    def plan(self) -> Plan:
        columns = [np.concatenate([part[i] for part in self.parts]) for i in range(8)]
        self.parts.clear()
        return Plan(*columns)


def _returning(rng: np.random.Generator, size: int) -> Ints:
    """Placements of people who know the shop. Cart recovery is only for those it is sent to."""
    placement = placements_for(rng, draw(rng, channel_weights("returning_share"), size))
    return np.where(placement == RECOVERY_PLACEMENT, RECOVERY_PLACEMENT - 1, placement)


def _order_sessions(
    builder: _Builder, rng: np.random.Generator, shop: Shop, people: People, devices: Devices,
    orders: Orders,
) -> Recovery:  # fmt: skip
    """The sessions that end in an order, those that lead to it, and carts left before it."""
    rows = np.flatnonzero(orders.is_tracked)
    person, at, size = orders.person[rows], orders.ordered_at[rows], len(rows)
    is_first = orders.ordinal[rows] == 0
    is_account = orders.is_account[rows]
    which = draw(rng, (0.74, 0.2, 0.06), size)
    device = devices.of(person, which)
    acquired = placements_for(rng, people.channel[person])
    friend = (people.referrer[person] >= 0) & is_first
    acquired = np.where(friend, FRIEND_PLACEMENT, acquired)
    acquired = np.where(acquired == RECOVERY_PLACEMENT, RECOVERY_PLACEMENT - 1, acquired)
    by_acquisition = is_first & (rng.random(size) < 0.65)
    placement = np.where(by_acquisition, acquired, _returning(rng, size))

    # A cart left 1.3 to 6.5 days before: recovered within the seven days of the definition.
    cart_at = at - (rng.uniform(1.3, 6.5, size) * DAY).astype(np.int64) // 1000 * 1000
    has_cart = (rng.random(size) < RECOVERED_SHARE) & (cart_at > shop.tracking_start)
    knew = is_account & (people.created_at[person] < cart_at)
    by_message = has_cart & knew & people.opted_in[person] & (rng.random(size) < 0.6)
    placement[by_message] = RECOVERY_PLACEMENT

    # The planted anomaly: half of the channel's orders of those days come some other way.
    start, end = shop.window(ANOMALY_WINDOW, 0.6)
    hit = CHANNEL_OF_PLACEMENT[placement] == CHANNELS.index(ANOMALY_CHANNEL)
    hit &= (at >= start) & (at < end)
    chosen = np.flatnonzero(hit)
    chosen = chosen[: len(chosen) - int(len(chosen) * ANOMALY_CONVERSION_FACTOR)]
    placement[chosen] = 0

    u = rng.random(size)
    login = np.where(u < 0.45, LOGIN_START, np.where(u < 0.8, LOGIN_CHECKOUT, NO_LOGIN))
    login = np.where(people.created_at_checkout[person] & is_first, SIGN_UP_CHECKOUT, login)
    login = np.where(is_account, login, NO_LOGIN)
    builder.add(person, device, at, ORDER, placement, login, rows)

    known = people.created_at[person]
    carts = np.flatnonzero(has_cart)
    login = (known[carts] < cart_at[carts]) & is_account[carts] & (rng.random(len(carts)) < 0.6)
    login |= by_message[carts]
    builder.add(
        person[carts], device[carts], cart_at[carts], CART, _returning(rng, len(carts)),
        np.where(login, LOGIN_START, NO_LOGIN),
    )  # fmt: skip

    # Research before the order; the first visit of a new customer shows the acquisition channel.
    visits = rng.poisson(np.where(is_first, 1.2, 0.6))
    owner = np.repeat(np.arange(size), visits)
    ahead = rng.exponential(3.5 * DAY, len(owner)) + 7 * HOUR
    when = at[owner] - ahead.astype(np.int64) // 1000 * 1000
    # Within an order the earliest visit comes first, so that it can carry the acquisition.
    by_time = np.lexsort((when, owner))
    owner, when = owner[by_time], when[by_time]
    earliest = (
        np.concatenate(([True], owner[1:] != owner[:-1])) if len(owner) else np.zeros(0, bool)
    )
    placement = np.where(earliest & is_first[owner], acquired[owner], _returning(rng, len(owner)))
    login = (known[owner] < when) & is_account[owner] & (rng.random(len(owner)) < 0.3)
    keep = when > shop.tracking_start
    spread = draw(rng, (0.6, 0.3, 0.1), len(owner))
    visit_device = np.where(
        rng.random(len(owner)) < 0.7, device[owner], devices.of(person[owner], spread)
    )
    builder.add(
        person[owner][keep], visit_device[keep], when[keep], BROWSE, placement[keep],
        np.where(login[keep], LOGIN_START, NO_LOGIN),
    )  # fmt: skip

    full_cart = np.full(orders.size, -1, dtype=np.int64)
    full_message = np.zeros(orders.size, dtype=bool)
    full_cart[rows] = np.where(has_cart, cart_at, -1)
    full_message[rows] = by_message
    return Recovery(full_cart, full_message)


def _account_sessions(
    builder: _Builder, rng: np.random.Generator, shop: Shop, people: People, devices: Devices
) -> None:
    """Sign-ups outside the checkout, and account holders' visits without a purpose."""
    accounts = np.arange(people.accounts)
    created = people.created_at[: people.accounts]
    signs_up = ~people.created_at_checkout[: people.accounts] & (created > shop.tracking_start)
    new = accounts[signs_up]
    placement = placements_for(rng, people.channel[new])
    placement = np.where(people.referrer[new] >= 0, FRIEND_PLACEMENT, placement)
    placement = np.where(placement == RECOVERY_PLACEMENT, RECOVERY_PLACEMENT - 1, placement)
    zeros = np.zeros(len(new), dtype=np.int64)
    builder.add(
        new, devices.of(new, zeros), created[new] - 2 * MINUTE, SIGN_UP, placement, SIGN_UP_MIDDLE
    )
    # Those who have left still come by now and then.
    since = np.maximum(created, shop.tracking_start)
    months = np.maximum(DATA_END - since, 0) / (30.4 * DAY)
    active = people.is_buyer[: people.accounts] & (people.dropped_at[: people.accounts] < 0)
    visits = rng.poisson(months * np.where(active, 0.4, 0.1))
    owner = np.repeat(accounts, visits)
    when = since[owner] + (rng.random(len(owner)) * (DATA_END - since[owner])).astype(np.int64)
    when = when // 1000 * 1000
    login = (when > created[owner]) & (rng.random(len(owner)) < 0.4)
    device = devices.of(owner, draw(rng, (0.6, 0.3, 0.1), len(owner)))
    builder.add(
        owner, device, when, BROWSE, _returning(rng, len(owner)),
        np.where(login, LOGIN_START, NO_LOGIN),
    )  # fmt: skip


def _visitor_sessions(
    builder: _Builder, rng: np.random.Generator, shop: Shop, season: Season, first_person: int,
    devices: Devices, visitors: int, wanted: int,
) -> None:  # fmt: skip
    """`wanted` sessions of people who never identify; visitors beyond that number never come."""
    count = np.minimum(rng.geometric(VISITOR_SESSIONS, visitors), 12)
    owner = np.repeat(np.arange(visitors), count)
    first_row = np.cumsum(count) - count
    gap = rng.exponential(9.0, len(owner)) + 0.4
    gap[first_row] = rng.random(visitors) * season.cumulative[-1]
    clock = np.cumsum(gap)
    clock -= np.repeat(clock[first_row] - gap[first_row], count)
    when = season.at(clock)
    inside = clock < season.cumulative[-1]
    owner, when = owner[inside][:wanted], when[inside][:wanted]
    person = first_person + owner
    device = devices.of(person, draw(rng, (0.7, 0.3), len(person)))
    channel = draw(rng, channel_weights("visitor_share"), len(person))
    placement = placements_for(rng, channel)
    placement = np.where(placement == RECOVERY_PLACEMENT, RECOVERY_PLACEMENT - 1, placement)
    builder.add(person, device, when, BROWSE, placement)


def _without_conflicts(plan: Plan, orders: Orders) -> Plan:
    """Drop sessions closer than `SPACING` on one device; an order gives way only to an order."""
    by_device = np.lexsort((np.arange(plan.size), plan.anchor, plan.device))
    plan = plan.take(by_device)
    while True:
        near = (plan.device[1:] == plan.device[:-1]) & (np.diff(plan.anchor) < SPACING)
        is_order = plan.kind == ORDER
        # Of two that are too near: the later one goes, unless only the later one is an order.
        drops_earlier = near & is_order[1:] & ~is_order[:-1]
        drop = np.zeros(plan.size, dtype=bool)
        drop[1:] |= near & ~drops_earlier
        drop[:-1] |= drops_earlier
        if not drop.any():
            return plan
        lost = plan.order[drop & is_order]
        orders.is_tracked[lost] = False
        orders.is_lost[lost] = False
        plan = plan.take(~drop)


def make_plan(
    shop: Shop, people: People, orders: Orders, streams: Streams
) -> tuple[Plan, Devices, Recovery]:
    """All sessions; fills `orders.device` and `device_kind` of tracked orders."""
    rng = streams.get("plan")
    builder = _Builder()
    # An upper bound on the visitors that the wanted sessions need; the rest never comes.
    visitors = max(60, int(shop.sessions * VISITOR_SESSIONS * 1.35))
    bot_sessions = max(2, int(shop.events * BOT_EVENT_SHARE / EVENTS_PER_BOT_SESSION))
    bots = max(2, bot_sessions // 5)
    devices = make_devices(people, visitors, bots, streams)
    season = Season(shop.tracking_start, DATA_END - HOUR)

    recovery = _order_sessions(builder, rng, shop, people, devices, orders)
    _account_sessions(builder, rng, shop, people, devices)
    have = sum(len(part[0]) for part in builder.parts)
    wanted = max(shop.sessions - have, 20)
    _visitor_sessions(builder, rng, shop, season, people.size, devices, visitors, wanted)
    owner = people.size + visitors + rng.integers(0, bots, bot_sessions)
    when = season.draw(rng, bot_sessions)
    builder.add(owner, devices.start[owner], when, BOT, np.zeros(bot_sessions, dtype=np.int64))

    plan = builder.plan()
    latest = np.where(plan.kind == ORDER, DATA_END, DATA_END - 5 * MINUTE)
    plan = plan.take((plan.anchor >= shop.tracking_start) & (plan.anchor < latest))
    plan = _without_conflicts(plan, orders)
    plan = plan.take(np.lexsort((plan.anchor, plan.device, plan.day)))

    # Planted gaps: a handful of ordinary sessions, spread over the whole period.
    ordinary = np.flatnonzero((plan.kind == BROWSE) & (plan.anchor < DATA_END - DAY))
    planted = min(max(8, plan.size // 4_000), len(ordinary) // 4)
    chosen = ordinary[np.linspace(0, len(ordinary) - 1, 2 * planted, dtype=np.int64)]
    plan.edge[chosen[::2]] = EDGE_SAME
    plan.edge[chosen[1::2]] = EDGE_NEW

    placed = plan.kind == ORDER
    orders.device[plan.order[placed]] = plan.device[placed]
    orders.device_kind[plan.order[placed]] = devices.kind[plan.device[placed]]
    return plan, devices, recovery

"""From planned sessions to events, block by block: many days are made at once, none twice.

A session runs through segments (landing, login, browsing, carts, checkout, ...); how many events
each segment has is drawn per session, and all events of a block are then
laid out by `numpy.repeat`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seeds.simulator import columns as col
from seeds.simulator.catalogue import CATEGORIES, PRODUCTS, Catalogue
from seeds.simulator.config import (
    ANOMALY_CHANNEL,
    ANOMALY_LOAD_FACTOR,
    ANOMALY_WINDOW,
    BROWSERS,
    CHANNELS,
    CHF,
    COUNTRIES,
    DATA_END,
    DAY,
    DEVICES,
    DUPLICATE_EVENT_SHARE,
    LATE_EVENT_SHARE,
    MAX_ARRIVAL_DELAY,
    MINUTE,
    PLACEMENTS,
    QUALITY,
    SECOND,
    Bools,
    Ints,
    Shop,
    Streams,
    draw,
)
from seeds.simulator.contract import build
from seeds.simulator.orders import CHF_PER_EUR, Lines, Orders
from seeds.simulator.people import Devices, People
from seeds.simulator.sessions import (
    BOT,
    BROWSE,
    CART,
    EDGE_SAME,
    LOGIN_CHECKOUT,
    LOGIN_START,
    MAX_LENGTH,
    NO_EDGE,
    ORDER,
    SIGN_UP_CHECKOUT,
    SIGN_UP_MIDDLE,
    Plan,
)

SESSION_GAP = 30 * MINUTE
BOUNCE_ENGAGED_MS = 10_000
EVENTS_PER_BLOCK = 400_000

NAMES = (
    "page_view", "product_view", "search", "review_view", "wishlist_add", "add_to_cart",
    "remove_from_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase",
    "sign_up", "login", "newsletter_signup", "share",
    # GA4's names, used by the sessions of one tag version.
    "session_start", "view_item", "view_item_list", "generate_lead",
)  # fmt: skip
(PAGE_VIEW, PRODUCT_VIEW, SEARCH, REVIEW_VIEW, WISHLIST_ADD, ADD_TO_CART, REMOVE_FROM_CART,
 BEGIN_CHECKOUT, ADD_SHIPPING, ADD_PAYMENT, PURCHASE, SIGNED_UP, LOGIN, NEWSLETTER, SHARE,
 SESSION_START, VIEW_ITEM, VIEW_ITEM_LIST, GENERATE_LEAD) = range(len(NAMES))  # fmt: skip

PAGE_TYPES = ("home", "category", "product", "blog", "cart", "checkout", "account", "other")
HOME, CATEGORY, PRODUCT, BLOG, CART_PAGE, CHECKOUT, ACCOUNT, OTHER = range(8)
BLOG_POSTS = 8
URLS = (
    ["/", "/help", "/search", "/cart", "/checkout", "/account"]
    + [f"/blog/{n + 1}" for n in range(BLOG_POSTS)]
    + [f"/c/{category.name}" for category in CATEGORIES]
    + [f"/p/{n + 1}" for n in range(PRODUCTS)]
)
URL_BLOG, URL_CATEGORY = 6, 6 + BLOG_POSTS
URL_PRODUCT = URL_CATEGORY + len(CATEGORIES)
URL_OF_PAGE = np.array([0, URL_CATEGORY, URL_PRODUCT, URL_BLOG, 3, 4, 5, 1])

# Segments of a session, in their order.
(S_START, S_LANDING, S_LOGIN, S_BROWSE, S_SIGN_UP, S_CART, S_REMOVE, S_CART_PAGE, S_CHECKOUT,
 S_AUTH, S_SHIPPING, S_PAYMENT, S_PURCHASE, S_AFTER) = range(14)  # fmt: skip
SEGMENTS = 14
NAME_OF_SEGMENT = np.array([
    SESSION_START, PAGE_VIEW, LOGIN, PAGE_VIEW, SIGNED_UP, PRODUCT_VIEW, REMOVE_FROM_CART,
    PAGE_VIEW, BEGIN_CHECKOUT, LOGIN, ADD_SHIPPING, ADD_PAYMENT, PURCHASE, PAGE_VIEW,
], dtype=np.int16)  # fmt: skip
# What a browsing event is: (name, page type, weight).
BROWSING = (
    (PAGE_VIEW, CATEGORY, 0.27), (PRODUCT_VIEW, PRODUCT, 0.40), (SEARCH, -1, 0.10),
    (REVIEW_VIEW, -1, 0.09), (WISHLIST_ADD, -1, 0.035), (PAGE_VIEW, BLOG, 0.04),
    (PAGE_VIEW, OTHER, 0.03), (PAGE_VIEW, HOME, 0.025), (NEWSLETTER, -1, 0.005), (SHARE, -1, 0.005),
)  # fmt: skip


@dataclass
class Events:
    """One row per event, column arrays of one length; -1 stands for NULL."""

    number: Ints  # running number, which makes event_id
    at: Ints  # ms
    received: Ints  # ms
    device: Ints
    name: Ints
    customer: Ints
    page_type: Ints
    url: Ints
    product: Ints
    quantity: Ints
    value: Ints  # cents
    order: Ints
    placement: Ints  # on the first event of a session only
    load: Ints  # ms
    engaged: Ints  # ms
    is_bot: Bools

    def take(self, rows: Ints | Bools) -> Events:
        """Some of the events."""
        return Events(*(getattr(self, f.name)[rows] for f in fields(self)))


def concat(parts: list[Events]) -> Events:
    """Events one after the other."""
    names = [f.name for f in fields(Events)]
    return Events(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


@dataclass
class Sessions:
    """One row per session by the definition: what the truth file says."""

    person: Ints
    device: Ints
    started_at: Ints
    ended_at: Ints
    events: Ints
    is_bot: Bools
    channel: Ints
    bounced: Bools
    stages: Ints  # bits of STAGES
    order: Ints
    customer: Ints  # identified within the session, -1 = nobody
    identified_at: Ints
    load: Ints  # of the first page, ms


STAGES = ("interest", "consideration", "intent", "checkout", "shipping", "payment", "purchase")
STAGE_BITS = np.zeros(len(NAMES), dtype=np.int64)
for _name, _bit in (
    (SEARCH, 0), (PRODUCT_VIEW, 1), (VIEW_ITEM, 1), (REVIEW_VIEW, 1), (WISHLIST_ADD, 1),
    (ADD_TO_CART, 2), (BEGIN_CHECKOUT, 3), (ADD_SHIPPING, 4), (ADD_PAYMENT, 5), (PURCHASE, 6),
):  # fmt: skip
    STAGE_BITS[_name] = 1 << _bit


@dataclass
class World:
    """Everything that the events are made from."""

    shop: Shop
    people: People
    devices: Devices
    catalogue: Catalogue
    orders: Orders
    lines: Lines
    plan: Plan
    streams: Streams
    bounce_by_channel: np.ndarray = field(init=False)
    cart_by_channel: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.bounce_by_channel = np.array([QUALITY[c].bounce for c in CHANNELS])
        factor = [QUALITY[c].buyer_share / QUALITY[c].visitor_share for c in CHANNELS]
        self.cart_by_channel = np.clip(factor, 0.55, 1.5)


def _lay_out(
    world: World, plan: Plan, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Counts (sessions, SEGMENTS) of events, the first page's load time (ms), GA4's tag (0/1)."""
    size = plan.size
    kind, channel = plan.kind, plan.channel
    mobile = world.devices.kind[plan.device] == 0
    load = rng.lognormal(0.26, 0.5, size) * np.where(mobile, 1.25, 1.0) * 1000
    start, end = world.shop.window(ANOMALY_WINDOW, 0.6)
    slow = (
        (channel == CHANNELS.index(ANOMALY_CHANNEL)) & (plan.anchor >= start) & (plan.anchor < end)
    )
    load = np.minimum(np.where(slow, load * ANOMALY_LOAD_FACTOR, load), 30_000)

    is_bot, ordered, plain = kind == BOT, kind == ORDER, kind == BROWSE
    chance = 0.085 + 0.000125 * load + world.bounce_by_channel[channel]
    bounced = plain & (rng.random(size) < np.minimum(chance, 0.92))
    bounced &= (plan.login != LOGIN_START) & (plan.edge == NO_EDGE)
    ga4 = (rng.random(size) < 0.08) & ~is_bot

    chance = 0.14 * world.cart_by_channel[channel] * np.where(mobile, 0.9, 1.15)
    carts = (rng.random(size) < chance) & plain & ~bounced | (kind == CART)
    u = rng.random(size)
    lines = 1 + (u < 0.3) + (u < 0.08)
    lines = np.where(ordered, np.minimum(world.orders.line_count[plan.order], 5), lines)
    deep = rng.random((3, size))
    checkout = (carts & (deep[0] < 0.42)) | ordered
    shipping = (checkout & (deep[1] < 0.6)) | ordered
    payment = (shipping & (deep[2] < 0.55)) | ordered

    browse = rng.geometric(0.26, size) - (rng.random(size) < 0.5)
    browse = np.where(ordered, np.minimum(browse, 6), browse)
    browse = np.where(plan.edge != NO_EDGE, browse + 3, browse)
    browse = np.where(is_bot, 4 + rng.geometric(1 / 24, size), np.where(bounced, 0, browse))

    counts = np.zeros((size, SEGMENTS), dtype=np.int64)
    counts[:, S_START] = ga4 & ~bounced & (plan.edge == NO_EDGE)
    counts[:, S_LANDING] = 1
    counts[:, S_LOGIN] = plan.login == LOGIN_START
    counts[:, S_BROWSE] = browse
    counts[:, S_SIGN_UP] = plan.login == SIGN_UP_MIDDLE
    counts[:, S_CART] = np.where(carts | ordered, 2 * lines, 0)
    counts[:, S_REMOVE] = carts & (rng.random(size) < 0.1)
    counts[:, S_CART_PAGE] = (carts | ordered) & (rng.random(size) < 0.7)
    counts[:, S_CHECKOUT] = checkout
    counts[:, S_AUTH] = (plan.login == LOGIN_CHECKOUT) | (plan.login == SIGN_UP_CHECKOUT)
    counts[:, S_SHIPPING] = shipping
    counts[:, S_PAYMENT] = payment
    counts[:, S_PURCHASE] = ordered & ~world.orders.is_lost[plan.order]
    counts[:, S_AFTER] = ordered & (rng.random(size) < 0.3)
    return counts, load.astype(np.int64), ga4.astype(np.int64)


def _times(
    plan: Plan, rng: np.random.Generator, first: Ints, session: Ints, segment: Ints
) -> tuple[Ints, Bools]:
    """Each event's time in ms, and whether the session's clock has milliseconds.

    Shapes: `first` (sessions,) is each session's first event; `session`, `segment` (events,).
    """
    size = len(session)
    is_bot = (plan.kind == BOT)[session]
    seconds = np.clip(rng.lognormal(3.0, 0.95, size), 1, 1500)
    gap = np.where(is_bot, 1 + rng.integers(0, 4, size), seconds).astype(np.int64) * SECOND
    precise = rng.random(plan.size) < 0.04
    jitter = np.flatnonzero(precise[session])
    gap[jitter] += rng.integers(0, SECOND, len(jitter))
    gap[first] = 0

    def elapsed() -> Ints:
        total = np.cumsum(gap)
        return total - total[first][session]

    clock = elapsed()
    last = np.append(first[1:], size) - 1
    limit = MAX_LENGTH - 10 * MINUTE
    too_long = clock[last] > limit
    if too_long.any():
        rows = np.flatnonzero(too_long[session])
        ratio = limit / clock[last][session[rows]]
        gap[rows] = np.maximum(gap[rows] * ratio // SECOND * SECOND, SECOND).astype(np.int64)
        gap[first] = 0
        clock = elapsed()
    planted = plan.edge != NO_EDGE
    if planted.any():
        third = first[planted] + 2
        gap[third] = np.where(plan.edge[planted] == EDGE_SAME, SESSION_GAP - 1, SESSION_GAP)
        clock = elapsed()

    start = plan.anchor.copy()
    ordered = plan.kind == ORDER
    start[ordered] -= 5 * SECOND  # a lost purchase came five seconds after the payment step
    final = np.flatnonzero((segment == S_PAYMENT) & ordered[session])
    start[session[final]] -= clock[final]
    bought = np.flatnonzero(segment == S_PURCHASE)
    start[session[bought]] = plan.anchor[session[bought]] - clock[bought]
    return start[session] + clock, precise


def expand(world: World, plan: Plan, block: int, first_number: int) -> tuple[Events, Sessions]:
    """The events of some planned sessions, by session and time, and the sessions they make."""
    rng = world.streams.get("events", block)
    counts, base_load, ga4 = _lay_out(world, plan, rng)
    flat = counts.ravel()
    per_session = counts.sum(axis=1)
    size = int(per_session.sum())
    session = np.repeat(np.arange(plan.size), per_session)
    segment = np.repeat(np.tile(np.arange(SEGMENTS), plan.size), flat)
    within = np.arange(size) - np.repeat(np.cumsum(flat) - flat, flat)
    first = np.cumsum(per_session) - per_session
    at, _ = _times(plan, rng, first, session, segment)
    is_bot = (plan.kind == BOT)[session]

    name = NAME_OF_SEGMENT[segment].astype(np.int64)
    page_type = np.full(size, -1, dtype=np.int64)
    product = np.full(size, -1, dtype=np.int64)
    quantity = np.full(size, -1, dtype=np.int64)
    value = np.full(size, -1, dtype=np.int64)
    order = np.full(size, -1, dtype=np.int64)

    # Browsing.
    rows = np.flatnonzero(segment == S_BROWSE)
    what = draw(rng, [b[2] for b in BROWSING], len(rows))
    name[rows] = np.array([b[0] for b in BROWSING])[what]
    page_type[rows] = np.array([b[1] for b in BROWSING])[what]
    # Landing pages; a product page is landed on only where a product view follows.
    landing = first + counts[:, S_START]
    landed = draw(rng, (0.46, 0.30, 0.16, 0.08), plan.size)
    no_view = (counts[:, S_BROWSE] == 0) & (landed == PRODUCT) | (plan.kind == BOT)
    page_type[landing] = np.where(no_view, HOME, landed)
    opened = np.flatnonzero(page_type[landing] == PRODUCT)
    view = landing[opened] + 1 + counts[opened, S_LOGIN]
    name[view], page_type[view] = PRODUCT_VIEW, PRODUCT
    # Reviews and wishes belong to the product just viewed; without one they become a view.
    about = np.flatnonzero((name == REVIEW_VIEW) | (name == WISHLIST_ADD))
    orphan = about[name[about - 1] != PRODUCT_VIEW]
    name[orphan], page_type[orphan] = PRODUCT_VIEW, PRODUCT
    page_type[segment == S_CART] = PRODUCT
    page_type[segment == S_CART_PAGE] = CART_PAGE
    page_type[segment == S_AFTER] = ACCOUNT

    # Products.
    viewed = np.flatnonzero((name == PRODUCT_VIEW) & (segment != S_CART))
    product[viewed] = world.catalogue.draw(rng, (len(viewed),), at[viewed])
    product[landing[opened]] = product[view]
    about = np.flatnonzero((name == REVIEW_VIEW) | (name == WISHLIST_ADD))
    product[about] = product[about - 1]
    in_cart = np.flatnonzero(segment == S_CART)
    pairs = in_cart[within[in_cart] % 2 == 0]
    owner = session[pairs]
    ordered = plan.kind[owner] == ORDER
    line = world.orders.line_start[plan.order[owner]] + within[pairs] // 2
    line = np.where(ordered, line, 0)
    drawn = world.catalogue.draw(rng, (len(pairs),), at[pairs])
    product[pairs] = np.where(ordered, world.lines.product[line], drawn)
    adds = pairs + 1
    name[adds], page_type[adds] = ADD_TO_CART, -1
    product[adds] = product[pairs]
    quantity[adds] = np.where(ordered, world.lines.quantity[line], 1)
    is_chf = world.devices.country[plan.device[owner]] == CHF
    listed = np.where(is_chf, np.rint(world.catalogue.price * CHF_PER_EUR)[product[adds]],
                      world.catalogue.price[product[adds]]).astype(np.int64)  # fmt: skip
    unit = np.where(ordered, world.lines.price[line] // 100, listed)
    value[adds] = unit * quantity[adds]
    removed = np.flatnonzero(segment == S_REMOVE)
    product[removed], quantity[removed] = product[removed - 1], 1
    bought = np.flatnonzero(segment == S_PURCHASE)
    order[bought] = plan.order[session[bought]]
    value[bought] = world.orders.net[order[bought]]

    # Who is known, from the first login, sign-up or purchase of the session on.
    auth = np.flatnonzero(segment == S_AUTH)
    name[auth] = np.where(plan.login[session[auth]] == SIGN_UP_CHECKOUT, SIGNED_UP, LOGIN)
    owner = np.where(plan.person < world.people.accounts, plan.person, -1).astype(np.int64)
    marks = (name == LOGIN) | (name == SIGNED_UP) | (name == PURCHASE)
    known = np.flatnonzero(marks & (owner[session] >= 0))[::-1]
    known_from = np.full(plan.size, size, dtype=np.int64)
    known_from[session[known]] = known  # reversed: the first one is written last
    customer = np.where(np.arange(size) >= known_from[session], owner[session], -1)

    # Pages: address, load and engagement times.
    pages = np.flatnonzero(page_type >= 0)
    url = np.full(size, -1, dtype=np.int64)
    extra = np.zeros(len(pages), dtype=np.int64)
    kinds = page_type[pages]
    extra[kinds == BLOG] = rng.integers(0, BLOG_POSTS, int((kinds == BLOG).sum()))
    extra[kinds == CATEGORY] = rng.integers(0, len(CATEGORIES), int((kinds == CATEGORY).sum()))
    extra[kinds == PRODUCT] = product[pages[kinds == PRODUCT]]
    url[pages] = URL_OF_PAGE[kinds] + extra
    load = np.full(size, -1, dtype=np.int64)
    load[pages] = (base_load[session[pages]] * rng.uniform(0.7, 1.3, len(pages))).astype(np.int64)
    load[landing] = base_load
    engaged = np.full(size, -1, dtype=np.int64)
    engaged[pages] = np.minimum(rng.exponential(21.0, len(pages)), 900) * 10 // 1 * 100
    alone = per_session == 1
    short = rng.integers(2, 99, plan.size) * 100
    long = rng.integers(101, 900, plan.size) * 100
    single = landing[alone]
    # A single page is a bounce unless it was read for 10 seconds: one in ten of those left was.
    read = counts[:, S_BROWSE] == 0
    read &= alone & (rng.random(plan.size) < 0.06)
    engaged[single] = np.where(read, long, short)[alone]
    engaged[is_bot] = np.minimum(engaged[is_bot], 0)

    tagged = ga4[session] == 1
    name[tagged & (name == PRODUCT_VIEW)] = VIEW_ITEM
    name[tagged & (page_type == CATEGORY) & (segment == S_BROWSE)] = VIEW_ITEM_LIST
    name[tagged & (name == NEWSLETTER)] = GENERATE_LEAD
    placement = np.full(size, -1, dtype=np.int64)
    placement[first] = plan.placement
    placement[landing] = plan.placement

    received = at + rng.integers(1, 9, size) * SECOND
    late = np.flatnonzero(rng.random(size) < LATE_EVENT_SHARE)
    delayed = at[late] + rng.integers(600, MAX_ARRIVAL_DELAY // SECOND, len(late)) * SECOND
    received[late] = np.where(delayed < DATA_END, delayed, received[late])

    events = Events(
        number=first_number + np.arange(size), at=at, received=received,
        device=plan.device[session].astype(np.int64), name=name, customer=customer,
        page_type=page_type, url=url, product=product, quantity=quantity, value=value, order=order,
        placement=placement, load=load, engaged=engaged, is_bot=is_bot,
    )  # fmt: skip
    inside = received < DATA_END
    if not inside.all():
        events, session = events.take(inside), session[inside]
    return events, _sessions(plan, events, session)


def _sessions(plan: Plan, events: Events, planned: Ints) -> Sessions:
    """Sessions by the definition: a planned one ends where a gap of 30 minutes or more begins."""
    begins = np.ones(len(planned), dtype=bool)
    begins[1:] = (planned[1:] != planned[:-1]) | (np.diff(events.at) >= SESSION_GAP)
    first = np.flatnonzero(begins)
    count = np.diff(np.append(first, len(planned)))
    last = first + count - 1
    owner = planned[first]
    bits = STAGE_BITS[events.name]
    bits[events.page_type == BLOG] |= 1
    stages = np.bitwise_or.reduceat(bits, first)
    engaged = np.add.reduceat(np.maximum(events.engaged, 0).astype(np.int64), first)
    viewed = np.add.reduceat((events.name == PAGE_VIEW).astype(np.int64), first)
    # What a tracker sends by itself is no act of the visitor.
    technical = np.isin(events.name, (SESSION_START, VIEW_ITEM_LIST))
    acted = count - viewed - np.add.reduceat(technical.astype(np.int64), first)
    bounced = (viewed <= 1) & (acted == 0) & (engaged < BOUNCE_ENGAGED_MS)
    stages = np.where(bounced, stages, stages | 1)
    customer = np.maximum.reduceat(events.customer, first)
    # The first identified event of a session: the count of unidentified ones before it.
    unknown = np.add.reduceat((events.customer < 0).astype(np.int64), first)
    identified = events.at[np.minimum(first + unknown, last)]
    # A part after a planted gap carries no campaign and no referrer: it is direct.
    channel = np.where(events.placement[first] >= 0, plan.channel[owner], 0)
    return Sessions(
        person=plan.person[owner].astype(np.int64), device=events.device[first],
        started_at=events.at[first], ended_at=events.at[last], events=count,
        is_bot=events.is_bot[first], channel=channel, bounced=bounced, stages=stages,
        order=np.maximum.reduceat(events.order, first), customer=customer,
        identified_at=np.where(customer >= 0, identified, -1),
        load=np.maximum(events.load[first], events.load[np.minimum(first + 1, last)]),
    )  # fmt: skip


def to_arrow(world: World, events: Events) -> pa.Table:
    """`events` as the contract has it."""
    device = events.device
    place = events.placement
    return build(
        "events",
        event_id=col.scrambled("", events.number, 7),
        event_at=col.times(events.at),
        anonymous_id=col.scrambled("", device, 6),
        event_name=col.pick(NAMES, events.name),
        customer_id=world.people.ids(events.customer, events.customer >= 0),
        received_at=col.times(events.received),
        page_url=col.pick(URLS, events.url),
        page_type=col.pick(PAGE_TYPES, events.page_type),
        product_id=world.catalogue.ids(events.product, events.product >= 0),
        quantity=col.integers(events.quantity, events.quantity >= 0),
        value=col.decimals(events.value, 2, events.value >= 0),
        order_id=world.orders.ids(events.order, events.order >= 0),
        device=col.pick(DEVICES, world.devices.kind[device]),
        browser=col.pick(BROWSERS, world.devices.browser[device]),
        country=col.pick([c.code for c in COUNTRIES], world.devices.country[device]),
        referrer=col.pick([p.referrer for p in PLACEMENTS], place),
        utm_source=col.pick([p.source for p in PLACEMENTS], place),
        utm_medium=col.pick([p.medium for p in PLACEMENTS], place),
        utm_campaign=col.pick([p.campaign for p in PLACEMENTS], place),
        utm_content=col.pick([p.content for p in PLACEMENTS], place),
        page_load_ms=col.integers(events.load, events.load >= 0),
        engaged_ms=col.integers(events.engaged, events.engaged >= 0),
        is_bot=col.booleans(events.is_bot),
    )


def _blocks(plan: Plan, events_per_session: float) -> list[tuple[int, int, int]]:
    """Runs of whole days: (first row, row after the last, the day after the last)."""
    day = plan.day
    first_day, last_day = int(day[0]), int(DATA_END // DAY)
    ends = np.searchsorted(day, np.arange(first_day, last_day + 1), side="right")
    blocks: list[tuple[int, int, int]] = []
    start = 0
    for number, end in enumerate(ends.tolist()):
        is_last = number == len(ends) - 1
        if is_last or (end - start) * events_per_session >= EVENTS_PER_BLOCK:
            blocks.append((start, end, first_day + number + 1))
            start = end
    return blocks


def generate(world: World) -> Iterator[tuple[int, list[tuple[int, Events, Events]], Sessions]]:
    """Per block: events done so far, (arrival day, events, exact duplicates) by day, and sessions.

    The events of a day are in the order of their arrival; what arrives after the block's last day
    waits for the next block.
    """
    waiting: list[Events] = []
    number = 0
    for block, (start, end, next_day) in enumerate(_blocks(world.plan, 4.5)):
        plan = world.plan.take(slice(start, end))
        sessions = None
        if plan.size:
            events, sessions = expand(world, plan, block, number)
            number += len(events.at)
            waiting.append(events)
        everything = concat(waiting)
        is_last = end == world.plan.size
        ready = everything.received < next_day * DAY
        if is_last:
            ready[:] = True
        waiting = [everything.take(~ready)]
        done = everything.take(ready)
        done = done.take(np.lexsort((done.number, done.received)))
        days = done.received // DAY
        partitions = []
        for day in np.unique(days).tolist():
            low, high = np.searchsorted(days, [day, day + 1])
            part = done.take(np.arange(low, high))
            rng = world.streams.get("duplicates", day)
            wanted = int(rng.binomial(high - low, DUPLICATE_EVENT_SHARE))
            again = np.sort(rng.choice(high - low, wanted, replace=False))
            partitions.append((day, part, part.take(again)))
        if sessions is not None:
            yield number, partitions, sessions

"""The whole shop in one pass: tables, truth, and events handed on day by day."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from seeds.simulator import columns as col
from seeds.simulator import crm, damage, marketing
from seeds.simulator.catalogue import make_catalogue, products_table, truth_affinities
from seeds.simulator.config import (
    ANOMALY_CHANNEL,
    ANOMALY_CONVERSION_FACTOR,
    ANOMALY_LOAD_FACTOR,
    ANOMALY_WINDOW,
    CHANNELS,
    CHF,
    DATA_END,
    DAY,
    EXPERIMENT_WINDOW,
    NULL_EXPERIMENT_WINDOW,
    Bools,
    Ints,
    Shop,
    Streams,
)
from seeds.simulator.events import STAGES, Sessions, World, generate, to_arrow
from seeds.simulator.orders import (
    make_orders,
    make_refunds,
    order_items_table,
    orders_table,
    payments_table,
    promotions_table,
    refunds_table,
)
from seeds.simulator.people import People, customers_table, make_people, truth_customers
from seeds.simulator.sessions import make_plan

CART_WINDOW = DAY
PROGRESS_EVERY = 5.0  # seconds

EventSink = Callable[[int, pa.Table], None]
TableSink = Callable[[str, pa.Table], None]
SessionSink = Callable[[pa.Table], None]


@dataclass
class Result:
    """The truth, what was damaged, and how many events were handed on."""

    truth: dict[str, pa.Table]
    injected: damage.Injected
    events_written: int


@dataclass
class _Tally:
    """What the blocks leave behind for the tables and truths made after the events."""

    identified: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)  # device, at, customer
    visits: list[tuple[Ints, Ints, Bools, Bools]] = field(default_factory=list)
    carts: list[tuple[Ints, Ints, Ints, Ints, Bools]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, sessions: Sessions, windows: tuple[int, int]) -> None:
        """Take note of a block's sessions; `windows` bounds the experiments."""
        known = sessions.customer >= 0
        self.identified.append(
            (sessions.device[known], sessions.identified_at[known], sessions.customer[known])
        )
        human = ~sessions.is_bot
        cart = (sessions.stages >> STAGES.index("intent")) & 1 == 1
        order = (sessions.stages >> STAGES.index("purchase")) & 1 == 1
        inside = human & (sessions.started_at >= windows[0]) & (sessions.started_at < windows[1])
        self.visits.append(
            (sessions.device[inside], sessions.started_at[inside], cart[inside], order[inside])
        )
        rows = human & (cart | order)
        self.carts.append((
            sessions.person[rows], sessions.started_at[rows], sessions.ended_at[rows],
            sessions.customer[rows], order[rows],
        ))  # fmt: skip
        for name, value in (
            ("human_sessions", human.sum()),
            ("bot_sessions", (~human).sum()),
            ("human_events", sessions.events[human].sum()),
            ("bot_events", sessions.events[~human].sum()),
            ("bounced_sessions", sessions.bounced[human].sum()),
            ("cart_sessions", (cart & human).sum()),
            ("purchase_sessions", (order & human).sum()),
        ):
            self.counts[name] = self.counts.get(name, 0) + int(value)

    def gather(self, name: str) -> list[np.ndarray]:
        """The blocks' arrays of one kind, concatenated."""
        return [np.concatenate(parts) for parts in zip(*getattr(self, name), strict=True)]


def _truth_sessions(world: World, sessions: Sessions) -> pa.Table:
    """truth_sessions of a block: by person and time, with stages as booleans."""
    size = len(sessions.person)
    repeat = np.zeros(size, dtype=bool)
    ordered = sessions.order >= 0
    repeat[ordered] = world.orders.ordinal[sessions.order[ordered]] > 0
    columns = {
        "anonymous_id": col.scrambled("", sessions.device, 6),
        "person_id": col.numbered("P", sessions.person, 9),
        "customer_id": world.people.ids(sessions.person, sessions.person < world.people.accounts),
        "identified_customer_id": world.people.ids(sessions.customer, sessions.customer >= 0),
        "started_at": col.times(sessions.started_at),
        "ended_at": col.times(sessions.ended_at),
        "event_count": col.integers(sessions.events),
        "is_bot": col.booleans(sessions.is_bot),
        "channel": col.pick(CHANNELS, sessions.channel).cast(pa.string()),
        "page_load_ms": col.integers(sessions.load, sessions.load >= 0),
        "is_bounced": col.booleans(sessions.bounced),
        "order_id": world.orders.ids(sessions.order, ordered),
        "is_repeat_order": col.booleans(repeat),
    }
    for bit, name in enumerate(STAGES):
        columns[f"reached_{name}"] = col.booleans((sessions.stages >> bit) & 1 == 1)
    return pa.table(columns)


def _truth_identities(people: People, tally: _Tally) -> pa.Table:
    """Who an anonymous_id is, and when, by the identity definition; one row per stretch.

    valid_from_at is NULL for the first customer (events before the login are theirs as well),
    valid_to_at NULL for the last one. Anonymous ids that nobody logged in on have no row.
    """
    device, at, customer = tally.gather("identified")
    order = np.lexsort((at, device))
    device, at, customer = device[order], at[order], customer[order]
    same = np.zeros(len(device), dtype=bool)
    same[1:] = (device[1:] == device[:-1]) & (customer[1:] == customer[:-1])
    device, at, customer = device[~same], at[~same], customer[~same]
    first = np.ones(len(device), dtype=bool)
    first[1:] = device[1:] != device[:-1]
    last = np.append(first[1:], True)[: len(device)]
    return pa.table(
        {
            "anonymous_id": col.scrambled("", device, 6),
            "customer_id": people.ids(customer),
            "person_id": col.numbered("P", customer, 9),
            "identified_at": col.times(at),
            "valid_from_at": col.times(at, ~first),
            "valid_to_at": col.times(np.append(at[1:], 0)[: len(at)], ~last),
        }
    )


def _abandonment(tally: _Tally) -> tuple[int, int, int]:
    """Mature, abandoned and recovered carts by person, from sessions with a cart or an order."""
    person, started, ended, _, ordered = tally.gather("carts")
    order = np.lexsort((started, person))
    person, started, ended, ordered = (a[order] for a in (person, started, ended, ordered))
    begins = np.ones(len(person), dtype=bool)
    begins[1:] = (person[1:] != person[:-1]) | ordered[:-1]
    begins[1:] |= started[1:] - ended[:-1] >= CART_WINDOW
    first = np.flatnonzero(begins)
    if not len(first):
        return 0, 0, 0
    bought = np.maximum.reduceat(ordered.astype(np.int64), first) == 1
    end = np.maximum.reduceat(ended, first)
    mature = bought | (end + CART_WINDOW <= DATA_END)
    left = mature & ~bought
    # The next cart of the same person that ended in an order, within seven days.
    following = np.append(first[1:], 0)
    next_bought = np.append(bought[1:], False) & (person[following] == person[first])
    recovered = left & next_bought & (np.append(end[1:], 0) - end <= 8 * DAY)
    return int(mature.sum()), int(left.sum()), int(recovered.sum())


def simulate(
    shop: Shop,
    on_events: EventSink,
    on_table: TableSink,
    on_sessions: SessionSink,
    break_events: bool,
) -> Result:
    """Make the shop and hand it on piece by piece, so that little of it is in memory at once.

    Events go to `on_events` by arrival day (days since 1970) in order, with their broken rows when
    `break_events`; then the 17 other tables go to `on_table`, and the truth's sessions, block by
    block, to `on_sessions`.
    """
    streams = Streams(shop.seed)
    people, purchases = make_people(shop, streams)
    catalogue = make_catalogue(streams, shop.orders_start)
    orders, lines = make_orders(shop, people, purchases, catalogue, streams)
    plan, devices, recovery = make_plan(shop, people, orders, streams)
    world = World(shop, people, devices, catalogue, orders, lines, plan, streams)
    injected = damage.Injected()
    fx_rates, rates, business = marketing.fx_rates_table(shop, streams)
    ad_spend = marketing.ad_spend_table(shop, plan, rates, business, streams)

    windows = [
        shop.window(EXPERIMENT_WINDOW, 0.4),
        shop.window(NULL_EXPERIMENT_WINDOW, 0.1),
    ]
    bounds = (min(w[0] for w in windows), max(w[1] for w in windows))
    tally = _Tally()
    written = duplicates = 0
    # Events are broken in the partition of one day, at 40% of the way.
    damaged_day = shop.tracking_start // DAY + int(shop.tracking_days * 0.4)
    told = time.monotonic()
    for done, partitions, sessions in generate(world):
        for day, events, again in partitions:
            table = to_arrow(world, events)
            if len(again.at):
                table = pa.concat_tables([table, to_arrow(world, again)]).combine_chunks()
            if break_events and day == damaged_day:
                table = damage.damage_table(
                    "events", table, damage.TYPED, streams, injected,
                    candidates=damage.event_candidates(table.slice(0, len(events.at))),
                )  # fmt: skip
            written += table.num_rows
            duplicates += len(again.at)
            on_events(day, table)
        on_sessions(_truth_sessions(world, sessions))
        tally.add(sessions, bounds)
        if time.monotonic() - told > PROGRESS_EVERY:
            told = time.monotonic()
            print(f"simulator: {done:,} of about {shop.events:,} events", file=sys.stderr)
    injected.add("events", "exact_duplicate", None, "all columns equal", duplicates)
    # The largest arrays of all have done their work.
    world.plan = plan = plan.take(slice(0, 0))
    del devices, world.devices

    refunds = make_refunds(orders, lines, catalogue, streams)
    experiments, truth_experiment = marketing.experiments_table(
        shop, marketing.Visits(*tally.gather("visits")), streams
    )
    _, _, ended, customer, ordered = tally.gather("carts")
    abandoned = (customer >= 0) & ~ordered

    def messages() -> pa.Table:
        lost = (customer[abandoned], ended[abandoned])
        return crm.messages_table(shop, people, orders, recovery, lost, streams)

    def reviews() -> pa.Table:
        return crm.reviews_table(orders, lines, refunds, people, catalogue, streams)

    tables: dict[str, Callable[[], pa.Table]] = {
        "customers": lambda: customers_table(people, streams),
        "products": lambda: products_table(catalogue, streams),
        "orders": lambda: orders_table(orders, people, streams),
        "order_items": lambda: order_items_table(orders, lines, catalogue),
        "refunds": lambda: refunds_table(refunds, orders, lines),
        "payments": lambda: payments_table(orders, refunds, streams),
        "promotions": lambda: promotions_table(shop.orders_start),
        "ad_spend": lambda: ad_spend,
        "messages": messages,
        "experiments": lambda: experiments,
        "nps_responses": lambda: crm.nps_table(orders, people, streams),
        "reviews": reviews,
        "support_tickets": lambda: crm.support_table(orders, people, streams),
        "referrals": lambda: crm.referrals_table(people, streams),
        "loyalty_entries": lambda: crm.loyalty_table(orders, people, streams),
        "subscriptions": lambda: crm.subscriptions_table(people, catalogue, streams, CHF),
        "fx_rates": lambda: fx_rates,
    }
    for name, make in tables.items():
        duplicated = damage.DUPLICATED.get(name, 0)
        table = damage.damage_table(name, make(), damage.TYPED, streams, injected, duplicated)
        on_table(name, table)

    start, end = shop.window(ANOMALY_WINDOW, 0.6)
    human = tally.counts["human_sessions"]
    mature, left, recovered = _abandonment(tally)
    summary = dict(tally.counts) | {
        "tracked_orders": int(orders.is_tracked.sum()),
        "lost_purchase_events": int(orders.is_lost.sum()),
        "mature_carts_by_person": mature,
        "abandoned_carts_by_person": left,
        "recovered_carts_by_person": recovered,
        "conversion_rate": tally.counts["purchase_sessions"] / human,
        "bounce_rate": tally.counts["bounced_sessions"] / human,
        "cart_abandonment_rate": left / max(mature, 1),
    }
    truth = {
        "truth_customers": truth_customers(people, purchases),
        "truth_identities": _truth_identities(people, tally),
        "truth_experiment": truth_experiment,
        "truth_affinities": truth_affinities(catalogue),
        "truth_anomaly": pa.table(
            {
                "channel": [ANOMALY_CHANNEL],
                "starts_at": col.times(np.array([start])),
                "ends_at": col.times(np.array([end])),
                "conversion_factor": [ANOMALY_CONVERSION_FACTOR],
                "page_load_factor": [ANOMALY_LOAD_FACTOR],
            }
        ),
        "truth_summary": pa.table(
            {"name": list(summary), "value": [float(v) for v in summary.values()]}
        ),
    }
    return Result(truth, injected, written)

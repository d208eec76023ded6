"""Carts: the marts against a state machine by hand, and against what the simulator planted."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import md5
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from differences import differences
from funnel.cart_ledger import IDLE, RECOVERY, Cart, CartEvent, CartLedger, Key, Message
from session_ledger import Ledger, Order, end_of_day, raw_row
from shops import Row, dicts, item, write_tables
from warehouses import Build

from seeds.simulator.__main__ import demo as simulate

SEED, HOUSEHOLD_COUNT = 20240331, 2000
MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
DAY = date(2024, 3, 31)  # of 23 hours
KNOWN_UNTIL = end_of_day(DAY)
# Times at which a cart's fate is just known or just not, and days of 23 hours.
ANCHORS = (
    KNOWN_UNTIL - IDLE,
    KNOWN_UNTIL - IDLE - RECOVERY,
    KNOWN_UNTIL - IDLE - RECOVERY,
    KNOWN_UNTIL,
    end_of_day(date(2024, 3, 30)) - IDLE,
)
EDGES = tuple(span + step * MICROSECOND for span in (IDLE, IDLE + RECOVERY) for step in (-1, 0, 1))
GAPS = (
    timedelta(0), timedelta(0), MICROSECOND, MINUTE, 20 * MINUTE, 31 * MINUTE, timedelta(hours=5),
    timedelta(hours=12), *EDGES, *EDGES[:3], timedelta(days=3), RECOVERY,
)  # fmt: skip
DELAYS = (timedelta(0), MICROSECOND, 3 * MINUTE, *EDGES, *EDGES, timedelta(days=2))
NAMES = (
    "add_to_cart", "add_to_cart", "add_to_cart", "add_to_cart", "Add_To_Cart", "remove_from_cart",
    "remove_from_cart", "begin_checkout", "begin_checkout", "add_shipping_info", "add_payment_info",
    "page_view", "product_view", "purchase",
)  # fmt: skip
STATUSES = ("paid", "paid", "shipped", "delivered", "pending", "cancelled")
PRICES = {"p1": 1999, "p2": 1}  # p3 is sold without one, p4 is unknown
PRODUCTS = ("p1", "p1", "p2", "p3", "p4", None)
LATER = tuple(timedelta(hours=hours) for hours in (1, 30, 200))


@dataclass
class Household:
    """Events on some devices, orders and messages of some people."""

    events: list[CartEvent]
    orders: list[Order]
    messages: list[Message]


def make_household(number: int, rng: random.Random) -> Household:
    """A visitor or a few who share devices; the same one for the same number and seed."""
    devices = [f"d{number}-{position}" for position in range(rng.choice((1, 1, 2, 3)))]
    customers = [f"c{number}-{position}" for position in range(rng.choice((0, 0, 1, 1, 2)))]
    at = rng.choice(ANCHORS) - rng.choice((0, 0, 0, 1, 20)) * timedelta(hours=rng.randint(1, 30))
    events: list[CartEvent] = []
    for position in range(rng.choice((1, 3, 6, 9))):
        identified = customers and rng.random() < 0.25
        name = rng.choice(NAMES)
        events.append(
            CartEvent(
                event_id=f"{rng.randrange(10_000):04}-{number}-{position}",
                event_at=at,
                anonymous_id=rng.choice(devices),
                event_name=name,
                customer_id=rng.choice(customers) if identified else None,
                device=rng.choice((None, "mobile", "desktop")),
                country=rng.choice((None, "FR", "BE")),
                utm_source=rng.choice((None, "newsletter")),
                order_id=rng.choice((None, f"u{number}")) if name == "purchase" else None,
                is_bot=rng.choice((None, False)) if rng.random() < 0.97 else True,
                product_id=rng.choice(PRODUCTS),
                quantity=rng.choice((None, 0, 1, 1, 1, 2, 3)),
                value_cents=rng.choice((None, 0, 1, 995, 2000, 123_456)),
            )
        )
        at += rng.choice(GAPS)
    orders = [
        make_order(f"o{number}-{position}", events, devices, customers, rng)
        for position in range(rng.choice((0, 1, 1, 2)))
    ]
    purchases = [
        CartEvent(
            event_id=f"{rng.randrange(10_000):04}-{number}-p{position}",
            event_at=rng.choice(events).event_at,
            anonymous_id=rng.choice(devices),
            event_name="purchase",
            order_id=order.order_id,
        )
        for position, order in enumerate(orders)
        if rng.random() < 0.5
    ]
    messages = [
        make_message(f"m{number}-{position}", events, orders, rng.choice(customers), rng)
        for position in range(rng.choice((0, 1, 2, 4)) if customers else 0)
    ]
    return Household(events + purchases, orders, messages)


def make_order(
    order_id: str,
    events: list[CartEvent],
    devices: list[str],
    customers: list[str],
    rng: random.Random,
) -> Order:
    """An order at the edge of what it may end or recover."""
    near = rng.choice(events)
    return Order(
        order_id=order_id,
        ordered_at=near.event_at + rng.choice(DELAYS),
        status=rng.choice(STATUSES),
        customer_id=rng.choice([None, *customers]),
        anonymous_id=rng.choice([None, near.anonymous_id, near.anonymous_id, *devices]),
        quantity=rng.randint(1, 5),
        unit_cents=rng.choice((0, 1, 995, 123_456)),
    )


def make_message(
    message_id: str,
    events: list[CartEvent],
    orders: list[Order],
    customer_id: str,
    rng: random.Random,
) -> Message:
    """A message soon after an event, or at the edge of an order."""
    near = rng.choice(events).event_at + rng.choice(
        (timedelta(0), MICROSECOND, timedelta(hours=4), timedelta(hours=25), timedelta(days=3))
    )
    if orders and rng.random() < 0.3:
        near = rng.choice(orders).ordered_at - rng.choice((0, 1)) * MICROSECOND
    opened_at = rng.choice((None, *(near + later for later in LATER)))
    return Message(
        message_id=message_id,
        customer_id=customer_id,
        channel=rng.choice(("email", "sms", "push")),
        kind=rng.choice(("cart_recovery", "cart_recovery", "cart_recovery", "newsletter")),
        sent_at=near,
        opened_at=opened_at,
        clicked_at=rng.choice((None, opened_at)),
    )


def as_tables(households: list[Household]) -> dict[str, list[Row]]:
    """The raw tables of all households, events in no order."""
    events: list[Row] = []
    for event in (event for household in households for event in household.events):
        row = raw_row(event)
        row["value"] = _euros(event.value_cents)
        del row["value_cents"]
        events.append(row)
    random.Random(SEED).shuffle(events)
    orders = [order for household in households for order in household.orders]
    return {
        "events": events,
        "orders": [
            {
                name: getattr(order, name)
                for name in ("order_id", "ordered_at", "status", "customer_id", "anonymous_id")
            }
            for order in orders
        ],
        "order_items": [
            item(order.order_id, 1, order.quantity, _euros(order.unit_cents)) for order in orders
        ],
        "messages": [
            dict(vars(message)) for household in households for message in household.messages
        ],
        "products": [
            {"product_id": "p3", "list_price": None},
            *({"product_id": name, "list_price": _euros(c)} for name, c in PRICES.items()),
        ],
    }


def _euros(cents: int | None) -> str | None:
    return None if cents is None else f"{cents // 100}.{cents % 100:02}"


@dataclass
class Shop:
    """A build of the households, and the ledger of the same day."""

    connection: duckdb.DuckDBPyConnection
    ledger: CartLedger
    found: dict[Key, dict[str, Any]]
    expected: dict[Key, dict[str, Any]]


@pytest.fixture(scope="module")
def shop(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The households, built from raw rows to the marts."""
    rng = random.Random(SEED)
    households = [make_household(number, rng) for number in range(HOUSEHOLD_COUNT)]
    raw_path = write_tables(tmp_path_factory.mktemp("carts"), as_tables(households))
    connection = build(
        tests=False,
        select="+agg_cart_abandonment_daily",
        raw_path=str(raw_path),
        load_date="2024-12-31",
        as_of_date=str(DAY),
    )
    events = [event for household in households for event in household.events]
    orders = [order for household in households for order in household.orders]
    messages = [message for household in households for message in household.messages]
    ledger = Ledger(events, orders, KNOWN_UNTIL)
    ids = {
        (row["anonymous_id"], row["started_at"]): row["session_id"]
        for row in dicts(connection, "from marts.fct_sessions")
    }
    carts = CartLedger(ledger, messages, PRICES, KNOWN_UNTIL)
    rows = dicts(connection, "from marts.fct_carts")
    found = {(row["visitor_id"], row["started_at"]): row for row in rows}
    assert len(rows) == len(found), "two carts of one visitor at one time"
    assert len({row.pop("cart_id") for row in rows}) == len(rows)
    return Shop(connection, carts, found, carts.rows(ids, ledger.session_rows(ids)))


def next_start(shop: Shop, cart: Cart) -> datetime | None:
    """When the visitor's next cart begins."""
    starts = [
        other.started_at
        for other in shop.ledger.carts
        if other.visitor_id == cart.visitor_id and other.started_at > cart.started_at
    ]
    return min(starts, default=None)


def test_the_households_have_what_is_awkward(shop: Shop) -> None:
    """The generator makes the cases that the other tests are about; else they prove nothing."""
    carts, rows = shop.ledger.carts, list(shop.expected.values())
    sessions = shop.ledger.ledger.sessions
    times: dict[str, list[datetime]] = {}
    for session in sessions:
        visitor = shop.ledger.ledger.visitor_of(session)
        times.setdefault(visitor, []).extend(event.event_at for event in session.events)
    gaps = Counter(
        later - sooner for events in times.values() for sooner, later in pairwise(sorted(events))
    )
    ordered = Counter(
        order.ordered_at - cart.last_event_at
        for cart in carts
        for order in shop.ledger.orders.get(cart.visitor_id, [])
    )
    recovered_by = Counter(
        (cart.visitor_id, cart.recovery.ordered_at) for cart in carts if cart.recovery
    )
    known = Counter(KNOWN_UNTIL - cart.last_event_at for cart in carts)
    counts = {
        "carts": len(carts) // 50,
        "events at one instant": gaps[timedelta(0)],
        **{f"events {edge} apart": gaps[edge] for edge in EDGES[:3]},
        **{f"orders {edge} after a cart": ordered[edge] for edge in EDGES},
        "orders at the last event's instant": ordered[timedelta(0)],
        "just mature": known[IDLE],
        "just settled": known[IDLE + RECOVERY],
        "open": sum(row["is_abandoned"] is None for row in rows),
        "recovery open": sum(row["is_recovered"] is None for row in rows),
        "ordered": sum(row["is_ordered"] for row in rows),
        "ordered, tracked alone": sum(row["is_ordered"] and not row["order_id"] for row in rows),
        "recovered": sum(row["is_recovered"] is True for row in rows),
        "recovered in vain": sum(
            row["is_recovered"] is True and row["recovered_net_amount"] is None for row in rows
        ),
        "recovered by one order": sum(count > 1 for count in recovered_by.values()),
        "ordered on behalf of another visitor": sum(
            not (cart.order or cart.recovery).is_booked  # type: ignore[union-attr]
            for cart in carts
            if cart.order or cart.recovery
        ),
        "recovered after a message": sum(row["recovery_message_id"] is not None for row in rows),
        "message to the order's customer": sum(
            row["recovery_message_id"] is not None and row["customer_id"] is None for row in rows
        ),
        "message opened": sum(row["recovery_message_opened_at"] is not None for row in rows),
        "emptied": sum(row["line_count"] == 0 for row in rows),
        "of unknown value": sum(row["cart_amount"] is None for row in rows),
        "with something taken out": sum(
            row["remove_from_cart_count"] > 0 and row["unit_count"] > 0 for row in rows
        ),
        "over several sessions": sum(cart.session.ended_at < cart.last_event_at for cart in carts),
        "started again": sum(next_start(shop, cart) is not None for cart in carts),
        "of customers": sum(row["customer_id"] is not None for row in rows),
        **{
            f"left at {stage}": sum(row["furthest_stage"] == stage for row in rows)
            for stage in ("cart", "checkout", "shipping", "payment")
        },
    }
    assert not {name: count for name, count in counts.items() if count < 5}


def test_every_column_of_every_cart_is_the_ledgers(shop: Shop) -> None:
    """From raw rows to the mart: the same carts, what was in them and what became of them."""
    assert not differences(shop.found, shop.expected)


def test_the_same_day_comes_out_whatever_is_summed(shop: Shop) -> None:
    """The daily table adds up to the carts, over each of its dimensions and all of them."""
    dimensions = ("cart_date", "channel", "device", "country", "is_new_visitor")
    sums = {
        "cart_count": "count(*)",
        "mature_cart_count": "count(*) filter (is_mature)",
        "ordered_cart_count": "count(*) filter (is_ordered)",
        "abandoned_cart_count": "count(*) filter (is_abandoned)",
        "open_cart_count": "count(*) filter (is_abandoned is null)",
        **{
            f"abandoned_at_{stage}_count": f"count(*) filter (is_abandoned"
            f" and furthest_stage = '{stage}')"
            for stage in ("cart", "checkout", "shipping", "payment")
        },
        "recovered_cart_count": "count(*) filter (is_recovered)",
        "recovered_by_message_cart_count": "count(recovery_message_id)",
        "settled_cart_count": "count(*) filter (is_abandoned and is_recovery_mature)",
        "settled_recovered_cart_count": "count(*) filter (is_recovered and is_recovery_mature)",
        "valued_abandoned_cart_count": "count(cart_amount) filter (is_abandoned)",
        "cart_amount": "coalesce(sum(cart_amount), 0)",
        "abandoned_amount": "coalesce(sum(cart_amount) filter (is_abandoned), 0)",
        "recovered_net_amount": "coalesce(sum(recovered_net_amount), 0)",
        "recovered_by_message_net_amount": "coalesce(sum(recovered_net_amount)"
        " filter (recovery_message_id is not null), 0)",
    }
    columns = {row[0] for row in query(shop, "describe marts.agg_cart_abandonment_daily")}
    assert columns == {*dimensions, *sums, "abandonment_rate", "recovery_rate"}
    for grain in (*((name,) for name in dimensions), dimensions, ()):
        daily = ", ".join((*grain, *(f"sum({name})" for name in sums)))
        carts = ", ".join((*grain, *sums.values()))
        left, right = (
            Counter(query(shop, f"select {what} from marts.{table} group by all"))
            for what, table in ((daily, "agg_cart_abandonment_daily"), (carts, "fct_carts"))
        )
        assert left == right, grain
    assert query(shop, "select count(*) from marts.agg_cart_abandonment_daily") == query(
        shop,
        f"select count(*) from (select distinct {', '.join(dimensions)} from marts.fct_carts)",
    )


def test_rates_are_unknown_where_nothing_is_decided(shop: Shop) -> None:
    """A day of open carts has no abandonment of 0%, and one of fresh ones no recovery of 0%."""
    rows = query(
        shop,
        "select abandoned_cart_count, mature_cart_count, abandonment_rate,"
        " settled_recovered_cart_count, settled_cart_count, recovery_rate"
        " from marts.agg_cart_abandonment_daily",
    )
    for abandoned, mature, abandonment_rate, recovered, settled, recovery_rate in rows:
        assert abandonment_rate == (abandoned / mature if mature else None)
        assert recovery_rate == (recovered / settled if settled else None)
    assert any(row[1] == 0 for row in rows)
    assert any(row[4] == 0 < row[1] for row in rows)


def test_an_order_is_booked_once(shop: Shop) -> None:
    """What carts were recovered for is never more than the orders that recovered them."""
    (booked,) = query(shop, "select sum(recovered_net_amount) from marts.fct_carts")[0]
    (earned,) = query(
        shop,
        "select sum(net_amount) from marts.fct_orders where order_id in"
        " (select recovered_order_id from marts.fct_carts)",
    )[0]
    assert 0 < booked <= earned


def test_cart_id_is_the_same_in_every_version(shop: Shop) -> None:
    """Ids that a shop has stored elsewhere stay those of the same carts."""
    rows = query(
        shop, "select cart_id, visitor_id, cast(started_at as varchar) from marts.fct_carts"
    )
    for cart_id, visitor_id, started_at in rows:
        assert (
            cart_id == md5(f"{visitor_id}|{started_at}".encode(), usedforsecurity=False).hexdigest()
        )


def query(shop: Shop, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return shop.connection.execute(sql).fetchall()


# --- The demo shop and what its simulator knows ---

DEMO_SEED = 42  # of seeds/raw


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The numbers of truth_summary."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(DEMO_SEED, folder / "raw", folder / "truth")
    path = folder / "truth" / "truth_summary.parquet"
    return dict(duckdb.sql(f"select name, value from '{path}'").fetchall())


def test_abandonment_is_that_of_the_truth(
    demo: duckdb.DuckDBPyConnection, told: dict[str, float]
) -> None:
    """The rate that everybody quotes: visitors, in place of people, hardly change it."""
    carts, abandoned, rate, recovered = demo.execute(
        "select sum(mature_cart_count), sum(abandoned_cart_count),"
        " sum(abandoned_cart_count) / sum(mature_cart_count), sum(recovered_cart_count)"
        " from marts.agg_cart_abandonment_daily"
    ).fetchall()[0]
    assert carts == pytest.approx(told["mature_carts_by_person"], rel=0.01)
    assert abandoned == pytest.approx(told["abandoned_carts_by_person"], rel=0.01)
    assert rate == pytest.approx(told["cart_abandonment_rate"], abs=0.005)
    # A person on two devices is two visitors, and one order recovers more than the last cart.
    assert recovered == pytest.approx(told["recovered_carts_by_person"], rel=0.1)


def test_planned_recoveries_are_found_with_their_message(demo: duckdb.DuckDBPyConnection) -> None:
    """Orders that a message won back: each is told with that very message."""
    # A planned message is clicked 2 h 40 min before its order.
    planned = demo.execute(
        "select orders.order_id, messages.message_id"
        " from staging.stg_marketing__messages as messages"
        " inner join marts.fct_orders as orders on messages.customer_id = orders.customer_id"
        " and orders.ordered_at = messages.clicked_at + interval '160 minutes'"
        " where messages.kind = 'cart_recovery'"
    ).fetchall()
    found = demo.execute(
        "select recovered_order_id, recovery_message_id from marts.fct_carts"
        " where recovery_message_id is not null and recovery_message_clicked_at is not null"
    ).fetchall()
    assert len(planned) >= 20
    assert not set(planned) - set(found)

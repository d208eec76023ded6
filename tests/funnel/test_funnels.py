"""Funnels: the mart against a state machine by hand, on random streams and on whole shops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from differences import differences
from funnel.funnel_ledger import MOST_STEPS, Exposure, Funnel, Step, entry_rows
from funnel.funnel_projects import FunnelProject, definitions_of
from hypothesis import given, settings
from hypothesis import strategies as st
from random_devices import MICROSECOND, as_tables, delivered, make_households
from session_ledger import Event, Ledger, Order, end_of_day
from shops import dicts, small_shop, write_tables
from warehouses import Dbt

Found = dict[tuple[str, str, datetime], dict[str, Any]]


def rows_found(connection: duckdb.DuckDBPyConnection, query: str) -> Found:
    """Rows of fct_funnel_entries by funnel, unit and entry time, without entry_id."""
    rows = dicts(connection, query)
    assert len({row.pop("entry_id") for row in rows}) == len(rows), "an entry_id is there twice"
    found = {(row["funnel"], row["unit_id"], row["entry_at"]): row for row in rows}
    assert len(found) == len(rows), "two entries of one unit at one time"
    return found


# --- The models alone, on a database in memory: a failure shrinks to the few events it takes. ---

# 23:00 in Paris; the next day is 23 hours long, so that ends of windows are ends of days.
BASE = datetime(2024, 3, 30, 22)  # noqa: DTZ001 - UTC, as in the ledger
DAYS = [date(2024, month, day) for month, day in ((3, 30), (3, 31), (4, 6), (6, 28), (12, 1))]
WINDOWS = [1, 2, 24, 7 * 24, 90 * 24]
# Few moments, so that many events tie: an hour of one session, and the ends of all windows.
NEAR, FAR = (
    [
        BASE + timedelta(hours=hours, minutes=minutes) + microseconds * MICROSECOND
        for hours in all_hours
        for minutes in (0, 20, 40)
        for microseconds in (0, 1)
    ]
    for all_hours in ((0, 1), WINDOWS[1:])
)
MOMENTS = st.one_of(st.sampled_from(NEAR), st.sampled_from(NEAR), st.sampled_from(FAR))
NAMES = ["page_view", "product_view", "add_to_cart", "purchase"]
DERIVED = [
    "session_arrived", "visitor_arrived", "session_engaged",
    "order_placed", "order_placed_first", "order_placed_again",
]  # fmt: skip
# Name, page type, order: the last two are no step's, though one looks like it.
KINDS: list[tuple[str, str | None, str | None]] = [
    ("page_view", None, None), ("page_view", "home", None), ("page_view", "product", None),
    ("product_view", "product", None), ("product_view", None, None), ("add_to_cart", "home", None),
    ("add_to_cart", None, None), ("purchase", "home", "o"), ("purchase", None, "p"),
    ("purchase", None, None), ("share", "product", None), ("order_placed", "home", None),
]  # fmt: skip


@dataclass
class Stream:
    """What a household of two devices and two customers did."""

    events: list[Event]
    orders: list[Order]
    exposures: list[Exposure]


def make_event(
    at: datetime,
    kind: tuple[str, str | None, str | None],
    anonymous_id: str,
    customer_id: str | None,
    is_bot: bool,
) -> Event:
    """An event of one of the kinds, on some page."""
    name, page_type, order_id = kind
    event = Event("", at, anonymous_id, name, customer_id, is_bot=is_bot)
    return replace(event, page_url="/a", page_type=page_type, order_id=order_id)


STREAMS = st.builds(
    Stream,
    events=st.lists(
        st.builds(
            make_event,
            at=MOMENTS,
            kind=st.sampled_from(KINDS),
            anonymous_id=st.sampled_from("dde"),
            customer_id=st.sampled_from([None, None, None, None, "b", "c"]),
            is_bot=st.sampled_from([False] * 9 + [True]),
        ),
        min_size=1,
        max_size=14,
    ),
    orders=st.lists(
        st.builds(
            Order,
            order_id=st.sampled_from("op"),
            ordered_at=MOMENTS,
            status=st.sampled_from(["paid", "pending", "cancelled"]),
            customer_id=st.sampled_from([None, "b", "c"]),
            anonymous_id=st.sampled_from([None, "d", "e"]),
            quantity=st.just(1),
            unit_cents=st.just(100),
        ),
        max_size=2,
        unique_by=lambda order: order.order_id,
    ),
    exposures=st.lists(
        st.builds(
            Exposure,
            experiment_id=st.sampled_from("xy"),
            variant=st.sampled_from("ab"),
            anonymous_id=st.sampled_from("de"),
            exposed_at=MOMENTS,
        ),
        max_size=1,
    ),
)
STEPS = st.builds(
    Step,
    event_names=st.one_of(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        st.lists(st.sampled_from([*NAMES, *DERIVED]), min_size=1, max_size=3, unique=True),
    ).map(tuple),
    page_type=st.sampled_from([None, None, None, None, "product", "home"]),
)
FUNNELS = st.builds(
    Funnel,
    name=st.just(""),
    unit=st.sampled_from(["session", "visitor"]),
    mode=st.sampled_from(["ordered", "strict", "any"]),
    window_hours=st.sampled_from(WINDOWS),
    steps=st.one_of(
        st.lists(STEPS, min_size=2, max_size=4),
        st.lists(STEPS, min_size=1, max_size=MOST_STEPS),
        # A few steps again and again.
        st.lists(st.sampled_from([Step((name,)) for name in NAMES[:2]]), min_size=2, max_size=6),
    ).map(tuple),
)


def apart(streams: list[Stream]) -> Stream:
    """The streams as one shop's, no two of them on one device or of one customer."""
    shop = Stream([], [], [])
    for number, stream in enumerate(streams):
        shop.events += [
            replace(
                event,
                event_id=f"{number}-{position}",
                anonymous_id=f"{number}{event.anonymous_id}",
                customer_id=event.customer_id and f"{number}{event.customer_id}",
                order_id=event.order_id and f"{number}{event.order_id}",
                device=f"device of event {position}",
            )
            for position, event in enumerate(stream.events)
        ]
        shop.orders += [
            replace(
                order,
                order_id=f"{number}{order.order_id}",
                anonymous_id=order.anonymous_id and f"{number}{order.anonymous_id}",
                customer_id=order.customer_id and f"{number}{order.customer_id}",
            )
            for order in stream.orders
        ]
        shop.exposures += [
            replace(exposure, anonymous_id=f"{number}{exposure.anonymous_id}")
            for exposure in stream.exposures
        ]
    return shop


# What the models read; whatever lies between these and fct_funnel_entries is run.
GIVEN = (
    "stg_web__events", "stg_web__experiments", "stg_shop__as_of", "fct_sessions", "fct_orders",
    "ref_funnels", "ref_funnel_steps",
)  # fmt: skip


class Models:
    """The compiled SQL behind fct_funnel_entries, run on rows in memory."""

    def __init__(self, dbt: Dbt, shop: Path, warehouse: Path) -> None:
        results = dbt.run(
            "build", "--select", "+fct_funnel_entries",
            "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test",
            warehouse=warehouse, variables={"raw_path": str(shop)},
        ).results  # fmt: skip
        nodes = [result.node for result in results]
        behind = {node.unique_id for node in nodes if node.name == "fct_funnel_entries"}
        for node in reversed(nodes):
            if node.unique_id in behind and node.name not in GIVEN:
                behind |= set(node.depends_on.nodes)
        nodes = [node for node in nodes if node.unique_id in behind]
        self._given = {node.name: node.relation_name for node in nodes if node.name in GIVEN}
        self._models = [
            (node.relation_name, node.compiled_code) for node in nodes if node.name not in GIVEN
        ]
        with duckdb.connect(str(warehouse), read_only=True) as built:
            self._schemas = {
                name: built.sql(f"from {relation} limit 0").to_arrow_table().schema
                for name, relation in self._given.items()
            }
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 1")
        self.connection.execute("set TimeZone = 'UTC'")
        # The name of the warehouse that the SQL was compiled for.
        self.connection.execute("attach ':memory:' as cartwright")
        for schema in {node.schema for node in nodes}:
            self.connection.execute(f"create schema cartwright.{schema}")

    def run(self, rows: dict[str, list[dict[str, Any]]]) -> Found:
        """The entries that the models find in these rows."""
        for name, relation in self._given.items():
            table = pa.Table.from_pylist(rows[name], schema=self._schemas[name])
            self.connection.register("given", table)
            self.connection.execute(f"create or replace table {relation} as from given")
        for relation, code in self._models:
            self.connection.execute(f"create or replace table {relation} as {code}")
        return rows_found(self.connection, f"from {self._models[-1][0]}")


def inputs_of(
    funnels: list[Funnel], ledger: Ledger, shop: Stream, day: date
) -> dict[str, list[dict[str, Any]]]:
    """Rows of what the models read; columns that are left out are NULL."""
    ids = session_ids_of(ledger)
    orders = []
    for order in ledger.orders:
        session = ledger.session_of[order.order_id]
        number = ledger.number_of.get(order.order_id)
        visitor = ledger.visitor_of(session) if session else order.anonymous_id
        orders.append(
            vars(order)
            | {
                "visitor_id": order.customer_id or visitor,
                "session_id": ids[session.key] if session else None,
                "is_revenue": order.is_revenue,
                "is_guest": order.customer_id is None,
                "customer_order_number": number,
                "is_first_order": None if number is None else number == 1,
            }
        )
    return {
        "stg_web__events": [
            {name: getattr(event, name) for name in (*vars(event), "is_interaction")}
            | {"event_name": event.name, "is_bot": event.is_bot is True}
            for event in shop.events
            if event.event_at < end_of_day(day)
        ],
        "fct_sessions": [
            row | {"session_id": ids[key]} for key, row in ledger.session_rows(ids).items()
        ],
        "fct_orders": orders,
        "stg_web__experiments": [
            vars(exposure) for exposure in shop.exposures if exposure.exposed_at < end_of_day(day)
        ],
        "stg_shop__as_of": [{"as_of_date": day, "known_until_at": end_of_day(day)}],
        **definitions_of(funnels),
    }


def session_ids_of(ledger: Ledger) -> dict[tuple[str, datetime], str]:
    """Any ids do, as long as each session has its own."""
    return {
        session.key: f"{session.anonymous_id}@{session.started_at}" for session in ledger.sessions
    }


@pytest.fixture(scope="module")
def models(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """Everything between the public marts and fct_funnel_entries, compiled once."""
    folder = tmp_path_factory.mktemp("funnels")
    shop = write_tables(folder / "shop", small_shop())
    models = Models(dbt, shop, folder / "cartwright.duckdb")
    yield models
    models.connection.close()


@given(
    funnels=st.lists(FUNNELS, min_size=1, max_size=10),
    streams=st.lists(STREAMS, min_size=1, max_size=14),
    day=st.sampled_from(DAYS),
)
@settings(max_examples=250, deadline=None, derandomize=True)
def test_funnels_are_read_event_by_event(
    models: Models, funnels: list[Funnel], streams: list[Stream], day: date
) -> None:
    """Every mode, unit and window: ties, copies, ends of windows and of days, orders, devices."""
    funnels = [replace(funnel, name=f"f{number}") for number, funnel in enumerate(funnels)]
    shop = apart(streams)
    ledger = Ledger(shop.events, shop.orders, end_of_day(day))
    expected = entry_rows(funnels, ledger, shop.exposures, session_ids_of(ledger), end_of_day(day))
    found = models.run(inputs_of(funnels, ledger, shop, day))
    assert not differences(found, expected)


# --- Whole builds -----------------------------------------------------------------------

SEED, HOUSEHOLD_COUNT = 20240714, 1500
DAY = date(2024, 10, 27)


def step(names: str, page_type: str | None = None) -> Step:
    """A step of these names, a space between them."""
    return Step(tuple(names.split()), page_type)


INTEREST = step("session_engaged search")
CONSIDERATION = step("product_view review_view wishlist_add")
INTENT = step("add_to_cart begin_checkout add_shipping_info add_payment_info")
ANYTHING = step("page_view search product_view add_to_cart purchase sign_up login share")
TEST_FUNNELS = [
    Funnel(
        "all_stages", "visitor", "ordered", 720,
        (
            step("visitor_arrived"), INTEREST, CONSIDERATION, step("add_to_cart begin_checkout"),
            step("purchase order_placed"), step("order_placed_again"),
        ),
    ),
    Funnel(
        "bought_in_session", "session", "ordered", 24,
        (step("page_view product_view"), step("add_to_cart"), step("purchase")),
    ),
    Funnel("any_stages", "visitor", "any", 24, (INTEREST, CONSIDERATION, step("purchase"))),
    Funnel("strict_intent", "visitor", "strict", 48, (INTENT, CONSIDERATION, step("purchase"))),
    Funnel("intent_in_an_hour", "session", "any", 1, (INTENT, INTEREST, CONSIDERATION)),
    Funnel("to_first_order", "visitor", "ordered", 2160, (
        step("visitor_arrived session_arrived"), step("order_placed_first"),
    )),
    Funnel("again", "visitor", "ordered", 2160, (
        step("order_placed_first"), step("order_placed_again"),
    )),
    Funnel("orders", "session", "strict", 1, (step("order_placed"), step("order_placed"))),
    Funnel("pages", "visitor", "strict", 1, (
        step("page_view", "home"), step("page_view"), ANYTHING,
    )),
    Funnel("same_again", "session", "ordered", 2, (ANYTHING,) * MOST_STEPS),
    Funnel("either_or", "visitor", "any", 24, (
        step("page_view", "product"), step("page_view search"), step("search page_view"),
    )),
    Funnel("sessions_again", "visitor", "strict", 9 * 24, (step("session_arrived"),) * 3),
]  # fmt: skip


@dataclass
class Shop:
    """A build of the households with the test's funnels, and the ledger of the same day."""

    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    found: Found
    expected: Found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Random households, built in a project that has other funnels than ours."""
    households = make_households(HOUSEHOLD_COUNT, SEED)
    rows = delivered(households, SEED)
    orders = [order for household in households for order in household.orders]
    folder = tmp_path_factory.mktemp("households")
    raw_path = write_tables(folder / "shop", as_tables(households, rows, SEED))
    project = FunnelProject(folder / "project")
    project.define(definitions_of(TEST_FUNNELS))
    project.build(
        "+fct_funnel_entries", raw_path=raw_path, load_date="2024-12-31", as_of_date=str(DAY)
    )
    known_until = end_of_day(DAY)
    ledger = Ledger(rows, orders, known_until)
    with duckdb.connect(str(project.warehouse), read_only=True) as connection:
        session_ids = {
            (anonymous_id, started_at): session_id
            for session_id, anonymous_id, started_at in connection.execute(
                "select session_id, anonymous_id, started_at from marts.fct_sessions"
            ).fetchall()
        }
        expected = entry_rows(TEST_FUNNELS, ledger, [], session_ids, known_until)
        found = rows_found(connection, "from marts.fct_funnel_entries")
        yield Shop(connection, ledger, found, expected)


def test_the_households_have_what_is_awkward(shop: Shop) -> None:
    """Every funnel is entered, gone through and left on the way; else comparing proves little."""
    for funnel in TEST_FUNNELS:
        rows = [row for row in shop.expected.values() if row["funnel"] == funnel.name]
        reached = [
            sum(row["furthest_step"] >= number for row in rows)
            for number in range(1, len(funnel.steps) + 1)
        ]
        assert len(rows) >= 20, funnel.name
        assert reached[-1] >= 3, (funnel.name, reached)


@pytest.mark.parametrize("name", [funnel.name for funnel in TEST_FUNNELS])
def test_every_column_of_every_entry_is_the_ledgers(shop: Shop, name: str) -> None:
    """From raw rows to the mart: the same entries, step times, origins and dates."""
    found, expected = (
        {key: row for key, row in rows.items() if row["funnel"] == name}
        for rows in (shop.found, shop.expected)
    )
    assert not differences(found, expected)

"""Funnels: the mart against a state machine by hand, on random streams and on whole shops."""

from __future__ import annotations

import math
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from differences import differences
from funnel.funnel_ledger import MOST_STEPS, Exposure, Funnel, Step, entry_rows
from funnel.funnel_projects import FunnelProject, definitions_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_devices import MICROSECOND, Household, as_tables, delivered, make_households
from session_ledger import Event, Ledger, Order, end_of_day
from shops import PROJECT, Row, dicts, small_shop, write_csv, write_tables
from warehouses import NO_TESTS, BuildFailed, Dbt

from orchestration.funnels import funnel_faults

Found = dict[tuple[str, str, datetime], dict[str, Any]]


def rows_found(connection: duckdb.DuckDBPyConnection, query: str) -> Found:
    """Rows of fct_funnel_entries by funnel, unit and entry time, without entry_id."""
    rows = dicts(connection, query)
    assert len({row.pop("entry_id") for row in rows}) == len(rows), "an entry_id is there twice"
    found = {(row["funnel"], row["unit_id"], row["entry_at"]): row for row in rows}
    assert len(found) == len(rows), "two entries of one unit at one time"
    return found


# --- The models alone, on a database in memory ------------------------------------

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
MOMENTS = [*NEAR, *NEAR, *FAR]
NAMES = ["page_view", "product_view", "add_to_cart", "purchase"]
PAGES = ["product_page_view", "home_page_view"]
DERIVED = [
    "session_arrived", "visitor_arrived", "session_engaged",
    "order_placed", "order_placed_first", "order_placed_again",
]  # fmt: skip
# Name, page type, order. The last three are no step's, though two have names as steps ask for them.
KINDS: list[tuple[str, str | None, str | None]] = [
    ("page_view", None, None), ("page_view", "home", None), ("page_view", "product", None),
    ("product_view", "product", None), ("product_view", None, None), ("add_to_cart", "home", None),
    ("add_to_cart", None, None), ("purchase", "home", "o"), ("purchase", None, "p"),
    ("purchase", None, None), ("share", "product", None), ("order_placed", "home", None),
    ("home_page_view", "home", None),
]  # fmt: skip


@dataclass
class Stream:
    """What a household of two devices and two customers did."""

    events: list[Event]
    orders: list[Order]
    exposures: list[Exposure]


def made(make: Callable[..., Any], *choices: Sequence[Any]) -> st.SearchStrategy[Any]:
    """What `make` makes of one of each of the choices; drawn at once, which is quick."""

    def pick(number: int) -> Any:
        picked = []
        for choice in choices:
            number, place = divmod(number, len(choice))
            picked.append(choice[place])
        return make(*picked)

    return st.integers(0, math.prod(map(len, choices)) - 1).map(pick)


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


def make_order(
    order_id: str, at: datetime, status: str, customer_id: str | None, anonymous_id: str | None
) -> Order:
    """An order of one unit."""
    return Order(order_id, at, status, customer_id, anonymous_id, 1, 100)


STREAMS = st.builds(
    Stream,
    events=st.lists(
        made(make_event, MOMENTS, KINDS, "dde", [None] * 4 + ["b", "c"], [False] * 9 + [True]),
        min_size=1,
        max_size=14,
    ),
    orders=st.lists(
        made(
            make_order,
            "op",
            MOMENTS,
            ("paid", "pending", "cancelled"),
            (None, "b", "c"),
            (None, "d", "e"),
        ),
        max_size=2,
        unique_by=lambda order: order.order_id,
    ),
    exposures=st.lists(made(Exposure, "xy", "ab", "de", MOMENTS), max_size=1),
)
STEPS = st.builds(
    Step,
    event_names=st.one_of(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
        st.lists(st.sampled_from([*NAMES, *PAGES, *DERIVED]), min_size=1, max_size=3),
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
        st.lists(STEPS, min_size=2, max_size=MOST_STEPS),
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
            *NO_TESTS,
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


# The message tells of one household; the whole example would be pages long.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@given(
    funnels=st.lists(FUNNELS, min_size=4, max_size=14),
    streams=st.lists(STREAMS, min_size=20, max_size=60),
    day=st.sampled_from(DAYS),
)
@settings(max_examples=100, derandomize=True, phases=[Phase.generate])
def test_funnels_are_read_event_by_event(
    models: Models, funnels: list[Funnel], streams: list[Stream], day: date
) -> None:
    """Every mode, unit and window: ties, copies, ends of windows and of days, orders, devices."""
    funnels = [replace(funnel, name=f"f{number}") for number, funnel in enumerate(funnels)]
    shop = apart(streams)
    ledger = Ledger(shop.events, shop.orders, end_of_day(day))
    expected = entry_rows(funnels, ledger, shop.exposures, session_ids_of(ledger), end_of_day(day))
    found = models.run(inputs_of(funnels, ledger, shop, day))
    assert found == expected, told(found, expected, funnels, shop)


def told(found: Found, expected: Found, funnels: list[Funnel], shop: Stream) -> str:
    """The first differences, and what happened in the household of the first one."""
    keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    name, unit_id, _ = min(keys, key=str)
    household = re.compile(re.split(r"\D", str(unit_id))[0] + r"\D")
    happened = [
        f"{event.event_at} {event.anonymous_id} {event.name}, page {event.page_type}, order"
        f" {event.order_id}, customer {event.customer_id}{', a bot' if event.is_bot else ''}"
        for event in shop.events
        if household.match(event.anonymous_id)
    ]
    happened += [str(order) for order in shop.orders if household.match(order.order_id)]
    asked = next(funnel for funnel in funnels if funnel.name == name)
    return "\n".join([*differences(found, expected), str(asked), *happened])


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
    Funnel("orders_of_anybody", "visitor", "any", 720, (step("order_placed"),) * 2),
    Funnel("pages", "visitor", "strict", 1, (
        step("page_view", "home"), step("page_view"), ANYTHING,
    )),
    Funnel("same_again", "session", "ordered", 2, (ANYTHING,) * MOST_STEPS),
    Funnel("either_or", "visitor", "any", 24, (
        step("page_view", "product"), step("page_view search"), step("search page_view"),
    )),
    Funnel("sessions_again", "visitor", "strict", 9 * 24, (step("session_arrived"),) * 3),
]  # fmt: skip


def make_exposures(households: list[Household]) -> list[Exposure]:
    """Variants shown at an event, a microsecond after it, or days before."""
    rng = random.Random(SEED)
    exposures = set()
    for household in households:
        for event in rng.sample(household.events, min(2, len(household.events))):
            later = rng.choice((timedelta(0), MICROSECOND, timedelta(days=-3)))
            names = rng.choice("xy"), rng.choice("ab")
            exposures.add(Exposure(*names, event.anonymous_id, event.event_at + later))
    return sorted(exposures, key=str)


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
    exposures = make_exposures(households)
    tables = as_tables(households, rows, SEED) | {"experiments": list(map(vars, exposures))}
    raw_path = write_tables(folder / "shop", tables)
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
        expected = entry_rows(TEST_FUNNELS, ledger, exposures, session_ids, known_until)
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
    rows = list(shop.expected.values())
    assert sum(row["experiment_variant"] is not None for row in rows) >= 100
    assert sum(row["session_id"] is None for row in rows) >= 20
    assert sum(not row["is_mature"] for row in rows) >= 100


@pytest.mark.parametrize("name", [funnel.name for funnel in TEST_FUNNELS])
def test_every_column_of_every_entry_is_the_ledgers(shop: Shop, name: str) -> None:
    """From raw rows to the mart: the same entries, step times, origins and dates."""
    found, expected = (
        {key: row for key, row in rows.items() if row["funnel"] == name}
        for rows in (shop.found, shop.expected)
    )
    assert not differences(found, expected)


# --- Definitions ------------------------------------------------------------------------

GOOD = definitions_of(
    [
        Funnel("short", "visitor", "ordered", 24, (step("page_view"), step("purchase"))),
        Funnel(
            "long", "session", "any", 1,
            (step("session_arrived"), step("page_view", "blog"), step("blog_page_view purchase")),
        ),
    ]
)  # fmt: skip


def faults_of(folder: Path, definitions: Mapping[str, Sequence[Row]]) -> list[str]:
    """What is said of these definitions."""
    shutil.copy(PROJECT / "seeds" / "reference" / "ref_event_names.csv", folder)
    for name, rows in definitions.items():
        write_csv(folder / f"{name}.csv", rows)
    return funnel_faults(folder)


def test_good_definitions_have_no_faults(tmp_path: Path) -> None:
    """Neither those that are shipped nor the tests' own."""
    assert funnel_faults() == []
    assert faults_of(tmp_path, GOOD) == []
    assert faults_of(tmp_path, definitions_of(TEST_FUNNELS)) == []


# The file, the row (from 0, None: one more at the end), what is changed in it, and what the one
# sentence has to say.
FAULTS: dict[str, tuple[str, int | None, dict[str, object], tuple[str, ...]]] = {
    "window of 0": ("funnels", 0, {"window_hours": 0}, ("line 2", "window_hours", "'0'")),
    "no window": ("funnels", 1, {"window_hours": None}, ("line 3", "window_hours")),
    "window below 0": ("funnels", 1, {"window_hours": -24}, ("line 3", "'-24'")),
    "part of an hour": ("funnels", 1, {"window_hours": 0.5}, ("line 3", "'0.5'")),
    "unknown unit": ("funnels", 0, {"unit": "user"}, ("line 2", "'user'", "session, visitor")),
    "unknown mode": ("funnels", 1, {"mode": "loose"}, ("line 3", "'loose'", "ordered, strict")),
    "funnel twice": ("funnels", None, {}, ("lines 3 and 4", "'long'")),
    "unknown event": ("steps", 3, {"event_names": "page_view buy"}, ("line 5", "'buy'")),
    "alias of an event": ("steps", 1, {"event_names": "view_item"}, ("line 3", "'view_item'")),
    "no event": ("steps", 4, {"event_names": None}, ("line 6", "event_names")),
    "unknown page type": ("steps", 0, {"page_type": "shop"}, ("line 2", "'shop'", "home")),
    "step of no funnel": (
        "steps", None, {"funnel": "lost", "step_number": 1}, ("line 7", "'lost'"),
    ),
    "number twice": ("steps", 4, {"step_number": 2}, ("lines 5 and 6", "step 2", "'long'")),
    "row twice": ("steps", None, {}, ("lines 6 and 7", "step 3", "'long'")),
    "step missing": ("steps", 4, {"step_number": 4}, ("step 3", "'long'", "missing")),
    "first step missing": ("steps", 2, {"step_number": 4}, ("step 1", "'long'", "missing")),
    "no number": ("steps", 4, {"step_number": None}, ("line 6", "step_number")),
    "number in words": ("steps", 4, {"step_number": "third"}, ("line 6", "'third'")),
    "number that is none": ("steps", 4, {"step_number": "\u00b2"}, ("line 6", "step_number")),
    "step 0": ("steps", None, {"step_number": 0}, ("line 7", "step_number", "'0'")),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_definition_is_told_in_one_sentence(fault: str, tmp_path: Path) -> None:
    """Each names the file, the row or the funnel, and what to do."""
    table, place, change, words = FAULTS[fault]
    name = f"ref_funnel{'_' if table == 'steps' else ''}{table.removeprefix('funnel')}"
    rows = list(GOOD[name])
    if place is None:
        rows.append(rows[-1] | change)
    else:
        rows[place] = rows[place] | change
    (told,) = faults_of(tmp_path, GOOD | {name: rows})
    assert told.startswith(f"{name}.csv")
    assert all(word in told for word in words), told
    assert re.search(r"expected|[Aa]dd|[Kk]eep|[Ww]rite|[Nn]umber the", told), "what to do"


def test_a_funnel_has_two_to_ten_steps(tmp_path: Path) -> None:
    """Fewer are no funnel, and fct_funnel_entries has columns for ten."""
    for count, problem in ((0, "0 steps"), (1, "1 step"), (11, "11")):
        asked = [Funnel("odd", "visitor", "any", 1, (step("page_view"),) * 2)]
        rows = definitions_of(asked)["ref_funnel_steps"]
        steps = [rows[0] | {"step_number": number} for number in range(1, count + 1)]
        all_steps = [*GOOD["ref_funnel_steps"], *steps]
        all_funnels = [*GOOD["ref_funnels"], *definitions_of(asked)["ref_funnels"]]
        (told,) = faults_of(tmp_path, {"ref_funnels": all_funnels, "ref_funnel_steps": all_steps})
        assert told.startswith("ref_funnel_steps.csv")
        assert problem in told
        assert "'odd'" in told


@pytest.mark.parametrize(
    ("name", "column"), [("ref_funnels", "mode"), ("ref_funnel_steps", "event_names")]
)
def test_a_missing_column_is_told_in_one_sentence(name: str, column: str, tmp_path: Path) -> None:
    """Whoever deletes a column reads which one, and not a traceback."""
    rows = [{key: value for key, value in row.items() if key != column} for row in GOOD[name]]
    (told,) = faults_of(tmp_path, GOOD | {name: rows})
    assert told.startswith(f"{name}.csv")
    assert column in told


def test_bad_definitions_stop_a_build_before_anything_has_changed(tmp_path: Path) -> None:
    """Every fault is told at once, and there is no table yet."""
    project = FunnelProject(tmp_path / "project")
    first, second = GOOD["ref_funnels"]
    bad = GOOD | {"ref_funnels": [first | {"window_hours": 0}, second | {"mode": "loose"}]}
    project.define(bad)
    raw_path = write_tables(tmp_path / "shop", small_shop())
    with pytest.raises(BuildFailed) as failed:
        project.build("+fct_funnel_entries", raw_path=raw_path)
    said = " ".join(str(failed.value).split())
    for sentence in faults_of(tmp_path, bad):
        assert sentence in said
    with duckdb.connect(str(project.warehouse), read_only=True) as connection:
        tables = {row[0] for row in connection.execute("show all tables").fetchall()}
        assert not {name for name in tables if "funnel" in name}


# --- The demo shop ----------------------------------------------------------------------

GRAIN = (
    "funnel", "entry_date", "step_number", "channel", "device", "country", "is_new_visitor",
)  # fmt: skip
COUNTS = (
    "entry_count", "reached_count", "previous_reached_count", "mature_entry_count",
    "mature_reached_count", "mature_previous_reached_count", "seconds_to_convert_sum",
)  # fmt: skip


def test_daily_funnels_are_the_entries_counted(demo: duckdb.DuckDBPyConnection) -> None:
    """Row by row, and so over any dimension: entries, reached, and the time between steps."""
    expected: dict[tuple[Any, ...], list[Any]] = {}
    for entry in dicts(demo, "from marts.fct_funnel_entries"):
        times = [entry[f"step_{number}_at"] for number in range(1, MOST_STEPS + 1)]
        for number in range(1, entry["step_count"] + 1):
            key = tuple(number if name == "step_number" else entry[name] for name in GRAIN)
            reached = entry["furthest_step"] >= number
            before = entry["furthest_step"] >= number - 1
            mature = entry["is_mature"]
            took = times[number - 1] - times[number - 2] if reached and number > 1 else timedelta(0)
            seconds = Decimal(took // MICROSECOND) / 1_000_000
            values = (1, reached, before, mature, mature and reached, mature and before, seconds)
            sums = expected.setdefault(key, [0] * len(COUNTS))
            expected[key] = [total + value for total, value in zip(sums, values, strict=True)]
    found = {
        tuple(row[name] for name in GRAIN): [row[name] for name in COUNTS]
        for row in dicts(demo, "from marts.agg_funnel_daily")
    }
    assert found
    assert not differences(found, expected)


def test_reached_never_rises_and_no_rate_passes_one(demo: duckdb.DuckDBPyConnection) -> None:
    """Not on any day, in any period, of any funnel; nor is there a rate below 0."""
    for mart in ("agg_funnel_daily", "agg_funnel_steps"):
        for row in dicts(demo, f"from marts.{mart}"):
            assert 0 <= row["reached_count"] <= row["previous_reached_count"] <= row["entry_count"]
    rates = ("step_conversion_rate", "drop_off_rate", "conversion_rate")
    for row in dicts(demo, "from marts.agg_funnel_steps"):
        assert all(row[rate] is None or 0 <= row[rate] <= 1 for rate in rates), row


def test_entries_are_in_order(demo: duckdb.DuckDBPyConnection) -> None:
    """Step times never fall, lie in the window, and are as many as the steps that were reached."""
    rows = dicts(demo, "from marts.fct_funnel_entries")
    assert rows
    for row in rows:
        times = [row[f"step_{number}_at"] for number in range(1, MOST_STEPS + 1)]
        reached = [time for time in times if time is not None]
        assert reached == sorted(reached) == times[: row["furthest_step"]]
        assert row["entry_at"] == reached[0]
        assert reached[-1] <= row["closes_at"]
        assert row["is_converted"] == (row["furthest_step"] == row["step_count"])

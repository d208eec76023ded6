"""Sessions, identities and their orders: random households against a state machine by hand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from differences import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from random_devices import BUCKET, MICROSECOND, as_tables, delivered, make_households
from session_ledger import GAP, Event, Ledger, Session, end_of_day, reporting_date
from shops import columns_of, dicts, write_csv
from warehouses import Build, Dbt

SEED = 20241027
HOUSEHOLD_COUNT = 2000
MARTS = "+fct_sessions +fct_orders +dim_customers"
# Both days are 23 or 25 hours long, so that their ends are easily missed.
AUTUMN, SPRING = date(2024, 10, 27), date(2024, 3, 31)
PART_COUNT = 3

Key = tuple[str, datetime]


@dataclass
class Tracked:
    """One build of the households and the ledger of the same day."""

    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    rows: list[Event]
    known_until: datetime

    @cached_property
    def found(self) -> dict[Key, dict[str, Any]]:
        """The rows of fct_sessions, by anonymous_id and start."""
        rows = dicts(self.connection, "select * from marts.fct_sessions")
        found = {(row["anonymous_id"], row["started_at"]): row for row in rows}
        assert len(rows) == len(found), "two sessions of one device at one time"
        return found

    @cached_property
    def session_ids(self) -> dict[Key, str]:
        """The ids that the build gave."""
        return {key: row["session_id"] for key, row in self.found.items()}

    @cached_property
    def expected(self) -> dict[Key, dict[str, Any]]:
        """The rows that the ledger has; ties of a visitor's sessions go by the ids found."""
        return self.ledger.session_rows(self.session_ids)


@pytest.fixture(scope="module")
def both(build: Build, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tracked]:
    """Built for a day in autumn, and from shuffled rows in several files for one in spring."""
    households = make_households(HOUSEHOLD_COUNT, SEED)
    rows = delivered(households, SEED)
    orders = [order for household in households for order in household.orders]
    tables = as_tables(households, rows, SEED)
    result = {}
    for name, day in (("autumn", AUTUMN), ("spring", SPRING)):
        folder = tmp_path_factory.mktemp(name)
        for table, table_rows in tables.items():
            if name == "autumn":
                write_csv(folder / f"{table}.csv", table_rows)
                continue
            mixed = random.Random(SEED).sample(table_rows, len(table_rows))
            for part in range(PART_COUNT):
                path = folder / table / f"part {part}.csv"
                write_csv(path, mixed[part::PART_COUNT], columns_of(table_rows))
        connection = build(
            tests=False,
            select=MARTS,
            raw_path=str(folder),
            load_date="2024-12-31",
            as_of_date=str(day),
        )
        known_until = end_of_day(day)
        result[name] = Tracked(connection, Ledger(rows, orders, known_until), rows, known_until)
    return result


@pytest.fixture(scope="module", params=["autumn", "spring"])
def tracked(request: pytest.FixtureRequest, both: dict[str, Tracked]) -> Tracked:
    """Each build in turn."""
    return both[request.param]


def gaps_of(events: list[Event]) -> list[timedelta]:
    """The time from each event to the next one of its device."""
    ordered = sorted(events, key=lambda event: (event.anonymous_id, event.event_at))
    return [
        later.event_at - event.event_at
        for event, later in pairwise(ordered)
        if event.anonymous_id == later.anonymous_id
    ]


def has_tied_start(session: Session) -> bool:
    """Whether two first events differ in what a session takes from its first one."""
    tied = [event for event in session.events if event.event_at == session.started_at]
    return len({(event.page_path, event.device, event.source) for event in tied}) > 1


def crosses(session: Session, moment: str) -> bool:
    """Whether a session begins before and goes on until or after a moment (UTC)."""
    return session.started_at < datetime.fromisoformat(moment) <= session.ended_at


def has_rival_customers(ledger: Ledger) -> int:
    """Instants at which two customers are identified on one device."""
    customers: dict[tuple[str, datetime], set[str]] = {}
    for event in ledger.events:
        if event.customer_id:
            customers.setdefault((event.anonymous_id, event.event_at), set()).add(event.customer_id)
    return sum(len(names) > 1 for names in customers.values())


def test_the_households_have_what_is_awkward(both: dict[str, Tracked]) -> None:
    """The generator makes the cases that the other tests are about; else they prove nothing."""
    ledger, rows = both["autumn"].ledger, both["autumn"].rows
    known_until = both["autumn"].known_until
    sessions, gaps = ledger.sessions, gaps_of(ledger.events)
    tracked_by = {order_id: len(events) for order_id, events in ledger.purchases.items()}
    matched = [order for order in ledger.orders if ledger.session_of[order.order_id]]
    ids = {order.order_id for order in ledger.orders}
    counts = {
        "sessions": len(sessions) // 20,
        "gaps of 30 minutes": gaps.count(GAP),
        "gaps just below": gaps.count(GAP - MICROSECOND),
        "ties in time": gaps.count(timedelta(0)),
        "sessions that begin with a tie": sum(map(has_tied_start, sessions)),
        "sessions of five buckets": sum(s.ended_at - s.started_at > 5 * BUCKET for s in sessions),
        "events on a bucket's edge": sum(e.event_at.minute % 30 == 0 for e in ledger.events),
        "over midnight": sum(
            reporting_date(s.started_at) < reporting_date(s.ended_at) for s in sessions
        ),
        "over the clock change in spring": sum(crosses(s, "2024-03-31T01:00") for s in sessions),
        "over the clock change in autumn": sum(crosses(s, "2024-10-27T01:00") for s in sessions),
        "delivered again": len(rows) - len({row.event_id for row in rows}),
        "bots": sum(row.is_bot is True for row in rows),
        "unknown whether bots": sum(row.is_bot is None for row in rows),
        "after as_of_date": sum(row.event_at >= known_until for row in rows),
        "at the end of as_of_date": sum(row.event_at == known_until for row in rows),
        "sessions cut off by as_of_date": sum(
            timedelta(0) < known_until - s.ended_at < GAP for s in sessions
        ),
        "bounced": sum(s.is_bounced for s in sessions),
        "bounced with technical events": sum(s.is_bounced and len(s.events) > 1 for s in sessions),
        "shared devices": sum(
            len({ledger.identities.customer_at(d, at) for at in ledger.identities.instants(d)}) > 1
            for d in ledger.identities.devices()
        ),
        "two customers at one instant": has_rival_customers(ledger),
        "tracked orders": sum(tracked_by.get(order.order_id, 0) == 1 for order in matched),
        "orders tracked again": sum(tracked_by.get(order.order_id, 0) > 1 for order in matched),
        "orders lost by tracking": sum(order.order_id not in tracked_by for order in matched),
        "orders without a session": len(ledger.orders) - len(matched),
        "purchases of no known order": len(ledger.purchases.keys() - ids),
    }
    assert not {name: count for name, count in counts.items() if count < 20}


def session_differences(tracked: Tracked, columns: tuple[str, ...]) -> list[str]:
    """Where these columns of fct_sessions are not the ledger's."""
    found, expected = (
        {key: {name: row[name] for name in columns} for key, row in rows.items()}
        for rows in (tracked.found, tracked.expected)
    )
    return differences(found, expected)


BOUNDS = ("anonymous_id", "started_at", "ended_at", "event_count")
COUNTS = (
    "page_view_count", "product_view_count", "add_to_cart_count", "page_load_count", "page_load_ms",
    "slowest_page_load_ms", "engaged_ms",
)  # fmt: skip
BOUNCE = ("is_bounced", "is_engaged")
STAGES = (
    "interest_at", "consideration_at", "intent_at", "add_to_cart_at", "begin_checkout_at",
    "add_shipping_info_at", "add_payment_info_at",
)  # fmt: skip
LANDING = ("landing_page_path", "landing_page_type", "device", "browser", "country")
PAGES = ("landing_page_load_ms", "exit_page_path", "exit_page_type", "exit_page_load_ms")
ORIGIN = (
    "channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "referrer_host",
)  # fmt: skip
VISITOR = (
    "customer_id", "customer_known_at", "visitor_id", "visitor_session_number", "is_new_visitor",
)  # fmt: skip
BOUGHT = (
    "order_count", "unit_count", "net_amount", "is_converted", "purchase_at", "loyalty_at",
)  # fmt: skip
DATE = ("session_date",)


def test_sessions_begin_and_end_where_the_ledger_says(tracked: Tracked) -> None:
    """Cutting by buckets is cutting event by event: 30 minutes start a session, less do not."""
    assert not session_differences(tracked, BOUNDS)


def test_sessions_count_what_happened_in_them(tracked: Tracked) -> None:
    """Events, views and times of a session of many buckets add up, duplicates counted once."""
    assert not session_differences(tracked, COUNTS)


def test_sessions_bounce_without_a_second_page_an_action_or_ten_seconds(tracked: Tracked) -> None:
    """A tag's own events save nobody from a bounce; the shop's own event names do."""
    assert not session_differences(tracked, BOUNCE)


def test_sessions_reach_the_stages_that_their_events_show(tracked: Tracked) -> None:
    """Every stage has the time of its first event, under GA4's name or ours."""
    assert not session_differences(tracked, STAGES)


def test_sessions_land_where_their_first_event_is(tracked: Tracked) -> None:
    """Page and device are those of one event, the first by time and then by event_id."""
    assert not session_differences(tracked, LANDING)


def test_sessions_end_on_the_last_page_that_an_event_names(tracked: Tracked) -> None:
    """The exit page is one event's, the last by time and then by event_id, with its load time."""
    assert not session_differences(tracked, PAGES)


def test_sessions_come_through_the_first_channel_that_fits(tracked: Tracked) -> None:
    """Tags and referrer of the first event give the channel, by the rules in their order."""
    assert not session_differences(tracked, ORIGIN)


def test_sessions_belong_to_the_visitor_known_at_their_end(tracked: Tracked) -> None:
    """A visitor's sessions are numbered over all devices; a login tells of earlier ones, later."""
    assert not session_differences(tracked, VISITOR)


def test_sessions_have_the_orders_placed_in_them(tracked: Tracked) -> None:
    """An order is told once, though tracking lost it or saw it in two sessions."""
    assert not session_differences(tracked, BOUGHT)


def test_sessions_are_booked_on_the_day_in_paris(tracked: Tracked) -> None:
    """A session after midnight in Paris is the new day's, in summer, in winter, and in between."""
    assert not session_differences(tracked, DATE)


def test_no_column_of_fct_sessions_is_left_out(tracked: Tracked) -> None:
    """A column that is added has to be added to the ledger too."""
    groups = (BOUNDS, COUNTS, BOUNCE, STAGES, LANDING, PAGES, ORIGIN, VISITOR, BOUGHT, DATE)
    rows = tracked.connection.execute("describe marts.fct_sessions").fetchall()
    compared = {column for group in groups for column in group}
    assert {row[0] for row in rows} == compared | {"session_id"}


def test_session_ids_hang_on_nothing_but_device_and_start(both: dict[str, Tracked]) -> None:
    """The same session has the same id on another day, from shuffled rows in other files."""
    autumn, spring = both["autumn"].session_ids, both["spring"].session_ids
    common = autumn.keys() & spring.keys()
    assert len(common) >= 500
    assert {key: autumn[key] for key in common} == {key: spring[key] for key in common}
    assert len(set(autumn.values())) == len(autumn)


def test_events_delivered_again_are_duplicates(tracked: Tracked) -> None:
    """An event that comes twice, at whatever time, is one event and no breach of the contract."""
    verdicts = dict(
        tracked.connection.execute(
            "select verdict, count(*) from staging.base_web__events_set_aside"
            " where event_id not like 'broken-%' group by verdict"
        ).fetchall()
    )
    deliveries = Counter(row.event_id for row in tracked.rows)
    assert verdicts == {
        "kept": sum(count > 1 for count in deliveries.values()),
        "duplicate": sum(count - 1 for count in deliveries.values()),
    }


def test_every_event_carries_the_customer_known_by_then(tracked: Tracked) -> None:
    """Periods of identity give each event the last customer at or before it, else the first."""
    ledger = tracked.ledger
    expected = {
        event.event_id: ledger.identities.customer_at(event.anonymous_id, event.event_at)
        for event in ledger.events
    }
    rows = tracked.connection.execute(
        """
        select events.event_id, identities.customer_id
        from staging.stg_web__events as events
        left join intermediate.int_identities_resolved as identities
            on events.anonymous_id = identities.anonymous_id
            and events.event_at >= identities.valid_from_at
            and events.event_at < identities.valid_to_at
        where not events.is_bot
        """
    ).fetchall()
    assert len(rows) == len(expected), "an event in two periods, or one too many"
    assert not differences(dict(rows), expected)


def test_every_order_is_in_the_session_it_was_placed_in(tracked: Tracked) -> None:
    """An order's session, channel and visitor are those of the ledger, each order once."""
    ledger, ids = tracked.ledger, tracked.session_ids
    expected: dict[str, dict[str, Any]] = {}
    for order in ledger.orders:
        session = ledger.session_of[order.order_id]
        visitor = ledger.visitor_of(session) if session else order.anonymous_id
        expected[order.order_id] = {
            "session_id": ids.get(session.key) if session else None,
            "session_channel": tracked.expected[session.key]["channel"] if session else None,
            "visitor_id": order.customer_id or visitor,
        }
    rows = dicts(
        tracked.connection,
        "select order_id, session_id, session_channel, visitor_id from marts.fct_orders",
    )
    assert len(rows) == len(expected)
    assert not differences({row.pop("order_id"): row for row in rows}, expected)


def test_sessions_have_no_revenue_but_that_of_their_orders(tracked: Tracked) -> None:
    """The sum over sessions is the sum over the orders that have one, to the cent."""
    by_session, by_order = tracked.connection.execute(
        "select (select sum(net_amount) from marts.fct_sessions),"
        " (select sum(net_amount) from marts.fct_orders where session_id is not null)"
    ).fetchall()[0]
    assert by_session == by_order > 0


def test_customers_have_the_channel_of_their_first_session(tracked: Tracked) -> None:
    """Who logs in is a customer, first seen in the first session on any of their devices."""
    ids, rows = tracked.session_ids, tracked.expected
    expected: dict[str, tuple[Any, ...]] = {
        order.customer_id: (None, None) for order in tracked.ledger.orders if order.customer_id
    }
    for key in sorted(rows, key=lambda key: (key[1], ids.get(key, "")), reverse=True):
        if customer := rows[key]["customer_id"]:
            expected[customer] = (rows[key]["channel"], key[1])
    found = {
        customer: values
        for customer, *values in tracked.connection.execute(
            "select customer_id, first_channel, first_session_at from marts.dim_customers"
        ).fetchall()
    }
    assert not differences({name: tuple(row) for name, row in found.items()}, expected)


# The models alone, on a database in memory: a failure shrinks to the few events that it takes.

STAGED = pa.schema(
    [
        (name, pa.string())
        for name in (
            "event_id", "anonymous_id", "customer_id", "order_id", "event_name", "journey_stage",
            "page_path", "page_type", "device", "browser", "country", "referrer_host",
            "utm_source", "utm_medium", "utm_campaign", "utm_content",
        )
    ]
    + [("is_interaction", pa.bool_()), ("is_bot", pa.bool_())]
    + [("page_load_ms", pa.int64()), ("engaged_ms", pa.int64()), ("event_at", pa.timestamp("us"))]
)  # fmt: skip


def staged(event: Event) -> dict[str, Any]:
    """The event as stg_web__events has it."""
    same = {name: getattr(event, name, None) for name in STAGED.names}
    return same | {
        "event_name": event.name,
        "page_type": event.page_kind,
        "utm_source": event.source,
        "utm_medium": event.medium,
        "is_bot": event.is_bot is True,
    }


# The models and those between them and the events.
CHAINS = {
    "int_sessions_cut": ("int_daily_sessions_cut",),
    "int_identities_resolved": ("int_identifications_kept",),
}


class Models:
    """The compiled SQL of models, run on events in memory."""

    def __init__(self, compiled: dict[str, str]) -> None:
        self._compiled = compiled
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 1")
        # The name of the warehouse that the SQL was compiled for.
        self.connection.execute("attach ':memory:' as cartwright")
        self.connection.execute("create schema cartwright.staging")
        self.connection.execute("create schema cartwright.intermediate")

    def run(self, model: str, events: list[Event]) -> list[dict[str, Any]]:
        """The rows that a model makes of events."""
        table = pa.Table.from_pylist([staged(event) for event in events], schema=STAGED)
        self.connection.register("staged_events", table)
        self.connection.execute(
            "create or replace table cartwright.staging.stg_web__events as from staged_events"
        )
        for parent in CHAINS[model]:
            self.connection.execute(
                f"create or replace table cartwright.intermediate.{parent} as"
                f" {self._compiled[parent]}"
            )
        return dicts(self.connection, self._compiled[model])


@pytest.fixture(scope="module")
def models(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """int_sessions_cut and int_identities_resolved with what they read, compiled once."""
    names = [name for model, parents in CHAINS.items() for name in (*parents, model)]
    result = dbt.run(
        "compile",
        "--select",
        *names,
        warehouse=tmp_path_factory.mktemp("compiled") / "cartwright.duckdb",
        variables={},
    )
    compiled = {made.node.name: made.node.compiled_code for made in result.results}
    models = Models({name: compiled[name] for name in names})
    yield models
    models.connection.close()


# UTC, as in the ledger: midnight, where the models part the days, is in the midst of the moments.
BASE = datetime(2024, 3, 30, 22, 30)  # noqa: DTZ001
MOMENTS = st.builds(
    lambda bucket, offset: BASE + bucket * BUCKET + offset,
    st.integers(0, 6),
    st.sampled_from(
        [timedelta(0), MICROSECOND, BUCKET / 2, BUCKET - MICROSECOND, timedelta(minutes=7)]
    ),
)
EVENTS = st.lists(
    st.builds(
        Event,
        event_id=st.text("abcABC019", min_size=1, max_size=4),
        event_at=MOMENTS,
        anonymous_id=st.sampled_from("de"),
        event_name=st.sampled_from(["page_view", "search", "view_item", "add_to_cart", "purchase"]),
        customer_id=st.sampled_from([None, None, "c1", "c2"]),
        page_url=st.sampled_from([None, "/a", "/b"]),
        page_type=st.sampled_from([None, "product", "blog"]),
        device=st.sampled_from([None, "mobile"]),
        utm_source=st.sampled_from([None, "google"]),
        page_load_ms=st.sampled_from([None, 0, 900]),
        engaged_ms=st.sampled_from([None, 9_999]),
        is_bot=st.sampled_from([None, None, False, True]),
    ),
    max_size=14,
    unique_by=lambda event: event.event_id,
)
EVERYWHERE = settings(max_examples=200, derandomize=True)


def cut_by_hand(events: list[Event]) -> dict[Key, dict[str, Any]]:
    """The sessions of these events as the ledger has them, in the columns of int_sessions_cut."""
    ledger = Ledger(events, [], BASE + timedelta(days=1))
    rows = ledger.session_rows({})
    return {
        session.key: {name: rows[session.key][name] for name in (*BOUNDS, *COUNTS)}
        | {name: rows[session.key][name] for name in STAGES if name != "interest_at"}
        | {
            "purchase_event_at": rows[session.key]["purchase_at"],
            "interaction_count": sum(event.is_interaction for event in session.events),
            "interest_event_at": min(
                (event.event_at for event in session.events if event.shows_interest), default=None
            ),
            "first_event": {
                name: staged(session.events[0])[name] for name in (*LANDING[2:], *ORIGIN[1:])
            },
            "landing_page": first_page(session.events),
            "exit_page": first_page(reversed(session.events)),
        }
        for session in ledger.sessions
    }


def first_page(events: Iterable[Event]) -> dict[str, Any] | None:
    """The page of the first one of these events that names one."""
    event = next((event for event in events if event.page_path), None)
    names = ("page_path", "page_type", "page_load_ms")
    return {name: staged(event)[name] for name in names} if event else None


@given(events=EVENTS)
@EVERYWHERE
def test_cutting_by_buckets_is_cutting_event_by_event(models: Models, events: list[Event]) -> None:
    """Neither the shortcut of never sorting events nor the cut at midnight changes a session."""
    found = {}
    for row in models.run("int_sessions_cut", events):
        row.pop("session_id")
        found[row["anonymous_id"], row["started_at"]] = row
    assert found == cut_by_hand(events)


@given(events=EVENTS, moments=st.lists(MOMENTS, max_size=3))
@EVERYWHERE
def test_periods_say_who_is_known_at_any_time(
    models: Models, events: list[Event], moments: list[datetime]
) -> None:
    """At every moment one period at most holds on a device, and names the ledger's customer."""
    ledger = Ledger(events, [], BASE + timedelta(days=1))
    periods = models.run("int_identities_resolved", events)
    for at in {*moments, *(event.event_at for event in events), BASE - timedelta(days=9)}:
        for device in "de":
            holding = [
                period["customer_id"]
                for period in periods
                if period["anonymous_id"] == device
                and period["valid_from_at"] <= at < period["valid_to_at"]
            ]
            customer = ledger.identities.customer_at(device, at)
            assert holding == ([customer] if customer else [])
    assert all(period["valid_from_at"] < period["valid_to_at"] for period in periods)


def test_session_id_is_the_same_in_every_version(models: Models) -> None:
    """Ids that a shop has stored elsewhere stay those of the same sessions."""
    ten, noon = datetime(2024, 5, 1, 10), datetime(2024, 5, 1, 12, 0, 0, 500_000)  # noqa: DTZ001
    events = [
        Event("e2", ten + BUCKET / 2, "device", "page_view"),
        Event("e1", ten, "device", "page_view"),
        Event("e3", noon, "device", "page_view"),
    ]
    found = {row["started_at"]: row["session_id"] for row in models.run("int_sessions_cut", events)}
    assert found == {
        ten: "943aa029de6f918a4cdf887e7330ea96",
        noon: "499e55dcfe89f0151eccec99cb0d56b8",
    }

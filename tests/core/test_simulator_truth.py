"""The demo shop's marts against what its simulator knows: nothing is lost, nothing is made up."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise, permutations
from typing import Any

import duckdb
import pytest
from differences import differences
from session_ledger import GAP, end_of_day

from seeds.simulator.__main__ import demo as simulate
from seeds.simulator.config import QUALITY
from seeds.simulator.contract import KEYS

SEED = 42  # of seeds/raw
AS_OF = date(2026, 6, 30)  # the data ends at noon of the next day
KNOWN_UNTIL = end_of_day(AS_OF)
KNOWN = f"timestamp '{KNOWN_UNTIL}'"
# What a reject_reason says of each kind of broken row that the simulator makes.
REASONS = {
    "missing_key": r" is missing$",
    "negative_quantity": r"^quantity is below 0: ",
    "negative_amount": r"^(amount|unit_price|spend) is below 0: ",
    "item_of_unknown_order": r"^order_id .* is no order that was kept$",
    "refund_of_unknown_order": r"^order_id .* is no order with lines that were kept$",
    "payment_of_unknown_order": r"^order_id .* is no order that was kept$",
    "unknown_currency": r"^currency .* has no rate on or before the (first )?day$",
    "unknown_status": r"^status is none of ",
    "unknown_enumeration": r"^(channel|kind) is none of ",
    "future_date": r" lies after the day of the load: 2099-01-01",
    "out_of_range": r"^(score|rating|satisfaction) is (below|above) ",
    "conflicting_key": r"^another row has the same .* and different content$",
    "unparseable_time": r" is not an ISO 8601 time: ",
    "unparseable_number": r" is not a (whole|decimal) number: ",
    "ragged_line": r"^malformed line: ",
}
# Of a table, a kind that is no breach, and why.
ALLOWED = {
    ("events", "unknown_event_name"): "event_name is an open list: a shop may add its own",
    ("subscriptions", "unknown_status"): "the contract names no values of a subscription's status",
}

Key = tuple[str, datetime]


@dataclass
class Shop:
    """The demo's warehouse with the truth beside it, as views truth_<name>."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    def told(self, name: str) -> float:
        """A number of truth_summary."""
        return float(self.rows(f"select value from truth_summary where name = '{name}'")[0][0])


@pytest.fixture(scope="module")
def shop(
    demo: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """The demo as it is built, and the truth as the simulator writes it for the same seed."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(SEED, folder / "raw", folder / "truth")
    connection = demo.cursor()
    for path in sorted((folder / "truth").glob("*.parquet")):
        connection.execute(f"create temp view {path.stem} as from '{path}'")
    yield Shop(connection)
    connection.close()


@pytest.fixture(scope="module")
def truth(shop: Shop) -> dict[Key, dict[str, Any]]:
    """The human sessions of the truth that as_of_date knows, by device and start."""
    names = (
        "ended_at", "event_count", "is_bounced", "channel", "order_id", "identified_customer_id",
    )  # fmt: skip
    rows = shop.rows(
        f"select anonymous_id, started_at, {', '.join(names)} from truth_sessions"
        f" where not is_bot and started_at < {KNOWN}"
    )
    assert not shop.rows(
        f"select 1 from truth_sessions where not is_bot"
        f" and started_at < {KNOWN} and ended_at >= {KNOWN}"
    ), "a session that as_of_date cuts in two, which the truth cannot tell"
    return {(row[0], row[1]): dict(zip(names, row[2:], strict=True)) for row in rows}


def sessions(shop: Shop, *columns: str) -> dict[Key, Any]:
    """One or more columns of fct_sessions, by device and start."""
    rows = shop.rows(
        f"select anonymous_id, started_at, {', '.join(columns)} from marts.fct_sessions"
    )
    return {(row[0], row[1]): row[2] if len(columns) == 1 else row[2:] for row in rows}


def session_at(truth: dict[Key, dict[str, Any]], anonymous_id: str, at: datetime) -> Key:
    """The session of a device that goes on at a time, or less than the gap before it."""
    (key,) = (
        key
        for key, row in truth.items()
        if key[0] == anonymous_id and key[1] <= at and at - row["ended_at"] < GAP
    )
    return key


def test_every_session_of_the_truth_is_found_and_no_other(
    shop: Shop, truth: dict[Key, dict[str, Any]]
) -> None:
    """Late, duplicated and broken events neither cut, join, lengthen nor invent a session."""
    expected = {key: [row["ended_at"], row["event_count"]] for key, row in truth.items()}
    for anonymous_id, at in shop.rows(
        "select events.anonymous_id, events.event_at from staging.stg_web__events as events"
        " inner join truth_injected on events.event_id = truth_injected.row_key"
        " where truth_injected.kind = 'unknown_event_name'"
    ):
        expected[session_at(truth, anonymous_id, at)][1] += 1  # allowed, and kept
    found = {key: list(row) for key, row in sessions(shop, "ended_at", "event_count").items()}
    assert len(expected) >= 18_000
    assert not differences(found, expected)


def test_sessions_bounce_as_in_the_truth(shop: Shop, truth: dict[Key, dict[str, Any]]) -> None:
    """Bounces are the truth's, session by session."""
    expected = {key: row["is_bounced"] for key, row in truth.items()}
    assert not differences(sessions(shop, "is_bounced"), expected)


def test_every_web_order_is_in_its_session(shop: Shop, truth: dict[Key, dict[str, Any]]) -> None:
    """Orders are matched to the session that made them, those that tracking lost as well."""
    expected = {row["order_id"]: key for key, row in truth.items() if row["order_id"]}
    lost = shop.rows(
        "select order_id, anonymous_id, ordered_at from staging.base_shop__orders"
        " where verdict = 'kept' and anonymous_id is not null and order_id not in"
        " (select order_id from truth_sessions where order_id is not null)"
    )
    assert len(lost) == shop.told("lost_purchase_events") > 0
    for order_id, anonymous_id, at in lost:
        if at < KNOWN_UNTIL:
            expected[order_id] = session_at(truth, anonymous_id, at)
    found = {
        row[0]: row[1:]
        for row in shop.rows(
            "select orders.order_id, sessions.anonymous_id, sessions.started_at"
            " from marts.fct_orders as orders"
            " inner join marts.fct_sessions as sessions on orders.session_id = sessions.session_id"
        )
    }
    assert not differences(found, expected)


def test_sessions_have_no_revenue_but_that_of_their_orders(shop: Shop) -> None:
    """Revenue by session is the revenue of the orders that have one, to the cent."""
    by_session, by_order = shop.rows(
        "select (select sum(net_amount) from marts.fct_sessions),"
        " (select sum(net_amount) from marts.fct_orders where session_id is not null)"
    )[0]
    assert by_session == by_order > 0


def test_identities_are_those_of_the_truth(shop: Shop) -> None:
    """Who is known on a device from when to when, shared devices included."""
    rows = shop.rows(
        f"""
        select
            anonymous_id,
            customer_id,
            coalesce(valid_from_at, timestamp '0001-01-01'),
            case
                when valid_to_at < {KNOWN} then valid_to_at else timestamp '9999-12-31'
            end
        from truth_identities
        where identified_at < {KNOWN}
        """
    )
    found = shop.rows(
        "select anonymous_id, customer_id, valid_from_at, valid_to_at"
        " from intermediate.int_identities_resolved"
    )
    assert len(rows) > len({row[0] for row in rows}), "no device is shared"
    assert not differences(Counter(found), Counter(rows))


def test_identified_sessions_belong_to_their_customer(
    shop: Shop, truth: dict[Key, dict[str, Any]]
) -> None:
    """A session in which somebody logged in is that customer's and nobody else's."""
    expected = {
        key: row["identified_customer_id"]
        for key, row in truth.items()
        if row["identified_customer_id"]
    }
    found = sessions(shop, "customer_id", "visitor_id")
    assert len(expected) >= 500
    assert not differences(
        {key: found.get(key) for key in expected},
        {key: (customer, customer) for key, customer in expected.items()},
    )


def broken_rows(shop: Shop) -> Counter[tuple[str, str, str]]:
    """How often each table, kind and key was broken, without what the contract allows."""
    rows = shop.rows(
        "select table_name, kind, row_key, sum(row_count) from truth_injected"
        " where kind <> 'exact_duplicate' group by all"
    )
    return Counter({tuple(key): count for *key, count in rows if tuple(key[:2]) not in ALLOWED})


def test_every_broken_row_is_rejected_and_no_other(shop: Shop) -> None:
    """Each row that the simulator broke is listed with its own reason; no sound row goes lost."""
    expected = broken_rows(shop)
    # A malformed line has no content in the mart: nobody knows what is where in it.
    rows = shop.rows(
        "select table_name, reject_reason, row_content from marts.fct_rejected_rows"
        " where row_content is not null union all"
        " select table_name, reject_reason, row_content from intermediate.int_rows_rejected"
        " where line_number is not null"
    )
    found = Counter((table, *judged(table, reason, content)) for table, reason, content in rows)
    assert not differences(found, expected)


def judged(table: str, reason: str, content: str) -> tuple[str, str]:
    """A rejected row's kind, by its reason, and its key as the truth writes it."""
    kinds = {kind for kind, pattern in REASONS.items() if re.search(pattern, reason)}
    if table == "payments":
        kinds -= {"item_of_unknown_order"}
    else:
        kinds -= {"payment_of_unknown_order"}
    (kind,) = kinds
    if kind == "ragged_line":
        return kind, content.split(",", maxsplit=1)[0]
    row = json.loads(content)
    return kind, "|".join(row[name] or "" for name in KEYS[table])


def test_each_table_counts_what_was_put_in(shop: Shop) -> None:
    """Rejected rows and exact duplicates per table are as many as the simulator made."""
    duplicates: dict[str, int] = dict(
        shop.rows(
            "select table_name, sum(row_count) from truth_injected"
            " where kind = 'exact_duplicate' group by table_name"
        )
    )
    rejected: Counter[str] = Counter()
    for (table, _, _), count in broken_rows(shop).items():
        rejected[table] += count
    expected = {table: (duplicates.get(table, 0), rejected[table]) for table in KEYS}
    found = {
        row[0]: row[1:]
        for row in shop.rows(
            "select table_name, duplicate_row_count, rejected_row_count from marts.agg_load_report"
        )
    }
    assert not differences(found, expected)
    assert sum(duplicates.values()) >= 200


def test_what_the_contract_leaves_open_is_kept(shop: Shop) -> None:
    """A shop's own names of events and of a subscription's states are not lost."""
    kinds = shop.rows("select distinct table_name, kind from truth_injected")
    assert {kind for _, kind in kinds} == {kind for _, kind in ALLOWED} | {
        *REASONS,
        "exact_duplicate",
    }
    assert set(ALLOWED) <= set(kinds), "an exception that nothing needs"
    events = shop.rows(
        "select events.event_name from staging.stg_web__events as events"
        " inner join truth_injected on events.event_id = truth_injected.row_key"
        " where truth_injected.kind = 'unknown_event_name' order by 1"
    )
    assert events == [("mystery_event",), ("page view",)]
    subscriptions = shop.rows(
        "select subscriptions.status from staging.stg_shop__subscriptions as subscriptions"
        " inner join truth_injected on subscriptions.subscription_id = truth_injected.row_key"
    )
    assert subscriptions == [("zombie",)]


def test_bots_are_counted_and_nowhere_else(shop: Shop) -> None:
    """Every event of a bot is in the load report's count, and no bot has a session."""
    counted = shop.rows(
        "select bot_row_count from marts.agg_load_report where table_name = 'events'"
    )
    assert counted == [(shop.told("bot_events"),)]
    assert shop.told("bot_sessions") > 0
    assert not shop.rows(
        "select anonymous_id from marts.fct_sessions"
        " intersect select anonymous_id from truth_sessions where is_bot"
    )


def test_conversion_and_bounce_rate_are_those_of_the_truth(shop: Shop) -> None:
    """The two rates that everybody quotes: the shop's summary, but for its last half day."""
    converted, bounced = shop.rows(
        "select avg(cast(is_converted as int)), avg(cast(is_bounced as int))"
        " from marts.fct_sessions"
    )[0]
    orders = shop.told("purchase_sessions") + shop.told("lost_purchase_events")
    assert converted == pytest.approx(orders / shop.told("human_sessions"), abs=0.0005)
    assert bounced == pytest.approx(shop.told("bounce_rate"), abs=0.0005)


def test_channels_are_those_of_the_truth(shop: Shop, truth: dict[Key, dict[str, Any]]) -> None:
    """Each session has the channel that brought it."""
    assert not differences(
        sessions(shop, "channel"), {key: row["channel"] for key, row in truth.items()}
    )


def test_channels_rank_as_they_were_planted(shop: Shop) -> None:
    """Which channel bounces and which one sells is what a shop decides by: both are told apart."""
    rows = shop.rows(
        "select channel, avg(cast(is_bounced as int)), avg(cast(is_converted as int))"
        " from marts.fct_sessions group by channel having count(*) >= 500"
    )
    bounce = {channel: rate for channel, rate, _ in rows}
    conversion = {channel: rate for channel, _, rate in rows}
    planted = {channel: QUALITY[channel].bounce for channel in bounce}
    sold: dict[str, float] = dict(
        shop.rows(
            "select channel, avg(cast(reached_purchase as int)) from truth_sessions"
            " where not is_bot group by channel"
        )
    )
    assert len(rows) >= 6
    # Where the plan sets two channels clearly apart, so do the marts.
    for one, other in permutations(bounce, 2):
        if planted[one] - planted[other] > 0.05:
            assert bounce[one] > bounce[other], (one, other)
        if sold[one] - sold[other] > 0.005:
            assert conversion[one] > conversion[other], (one, other)


def test_the_experiments_lift_is_seen_and_no_other(shop: Shop) -> None:
    """Variant b sells more of its carts, as planted; the experiment without effect shows none."""
    rows = shop.rows(
        """
        with devices as (
            select
                exposures.experiment_id,
                exposures.variant,
                exposures.anonymous_id,
                bool_or(sessions.intent_at is not null or sessions.is_converted) as has_cart,
                bool_or(sessions.is_converted) as has_order
            from staging.stg_web__experiments as exposures
            inner join truth_experiment using (experiment_id)
            inner join marts.fct_sessions as sessions
                on exposures.anonymous_id = sessions.anonymous_id
                and sessions.started_at >= exposures.exposed_at
                and sessions.started_at < truth_experiment.ends_at
            group by all
        )
        select
            experiment_id,
            any_value(planted_lift),
            count(*) filter (where variant = 'a' and has_cart),
            count(*) filter (where variant = 'a' and has_order),
            count(*) filter (where variant = 'b' and has_cart),
            count(*) filter (where variant = 'b' and has_order),
            count(*),
            any_value(truth_experiment.devices)
        from devices
        inner join truth_experiment using (experiment_id)
        group by experiment_id
        order by experiment_id
        """
    )
    assert len(rows) == 2
    for name, planted, carts_a, orders_a, carts_b, orders_b, devices, all_devices in rows:
        assert devices == all_devices, name
        rate_a, rate_b = orders_a / carts_a, orders_b / carts_b
        lift = rate_b / rate_a - 1
        # Of a ratio of two shares, by the delta method.
        error = (1 + planted) * math.sqrt((1 - rate_a) / orders_a + (1 - rate_b) / orders_b)
        assert abs(lift - planted) < error, (name, lift)
        assert (lift > 0.08) == (planted > 0), (name, lift)


def test_slow_pages_bounce_more(shop: Shop) -> None:
    """Who has to wait leaves: the load times of sessions are those of their pages."""
    fast, slow, fast_count, slow_count = shop.rows(
        "select avg(cast(is_bounced as int)) filter (slowest_page_load_ms < 1500),"
        " avg(cast(is_bounced as int)) filter (page_load_ms / page_load_count >= 3000),"
        " count(*) filter (slowest_page_load_ms < 1500),"
        " count(*) filter (page_load_ms / page_load_count >= 3000)"
        " from marts.fct_sessions"
    )[0]
    assert min(fast_count, slow_count) >= 300
    assert slow > fast + 0.1


def test_late_deliveries_lower_the_nps(shop: Shop) -> None:
    """Delivery times and scores belong together after staging as they did in the shop."""
    late, on_time, late_count = shop.rows(
        """
        with scores as (
            select responses.score, orders.is_delivered_on_time
            from staging.stg_crm__nps_responses as responses
            inner join marts.fct_orders as orders
                on responses.customer_id = orders.customer_id
                and responses.responded_at >= orders.delivered_at
                and responses.responded_at < orders.delivered_at + interval 7 day
        ), rated as (
            select
                is_delivered_on_time,
                cast(score >= 9 as int) - cast(score <= 6 as int) as promoter
            from scores
        )
        select
            100 * avg(promoter) filter (not is_delivered_on_time),
            100 * avg(promoter) filter (is_delivered_on_time),
            count(*) filter (not is_delivered_on_time)
        from rated
        """
    )[0]
    assert late_count >= 20
    assert late < on_time - 30


def test_funnel_of_sessions_reaches_what_was_planted(shop: Shop) -> None:
    """Each session stops at the step it stopped at, but for purchases that only the order tells."""
    rows = shop.rows(
        f"""
        with entries as (
            select sessions.anonymous_id, sessions.started_at, entries.furthest_step
            from marts.fct_funnel_entries as entries
            inner join marts.fct_sessions as sessions using (session_id)
            where entries.funnel = 'session_purchase'
        )
        select
            coalesce(entries.furthest_step, 0) as found,
            cast(reached_consideration as int) + cast(reached_intent as int)
            + cast(reached_checkout as int) + cast(reached_purchase as int) as planted,
            count(*)
        from truth_sessions
        left join entries using (anonymous_id, started_at)
        where not is_bot and started_at < {KNOWN}
        group by all
        """
    )
    counts = {(found, planted): count for found, planted, count in rows}
    lost = counts.pop((4, 3))
    assert lost == shop.told("lost_purchase_events")
    assert all(found == planted for found, planted in counts)
    assert all(counts[step, step] >= 300 for step in range(5))


def test_journeys_narrow_from_stage_to_stage(shop: Shop) -> None:
    """Of those who arrive some engage, of those some look: no stage is reached by more."""
    row = shop.rows(
        f"select {', '.join(f'count(step_{n}_at)' for n in range(1, 7))}"
        " from marts.fct_funnel_entries where funnel = 'journey'"
    )[0]
    visitors = shop.rows("select count(distinct visitor_id) from marts.fct_sessions")[0][0]
    assert row[0] >= visitors, "every visitor enters once at least"
    assert all(later < earlier for earlier, later in pairwise(row))
    assert row[5] >= 100

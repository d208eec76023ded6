"""The demo shop: reproducible, complete, within its stated rates, and true to its own truth."""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from simulated import ROOT, Made

from seeds.simulator.__main__ import demo
from seeds.simulator.contract import TABLES
from seeds.simulator.damage import TYPED, UNTYPED

GAP = timedelta(minutes=30)


class Event(NamedTuple):
    at: datetime
    name: str
    customer: str
    page_type: str
    engaged: int
    order: str
    is_bot: bool


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture(scope="session")
def events(shop: Made) -> dict[str, list[Event]]:
    """Good events by anonymous_id and time: duplicates and broken rows taken out row by row."""
    seen: set[str] = set()
    result: dict[str, list[Event]] = defaultdict(list)
    with (shop.out / "raw_events.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["event_id"]
            broken = not key or key.startswith("oops") or row["browser"] == "netscape"
            if broken or key in seen:
                continue
            seen.add(key)
            result[row["anonymous_id"]].append(
                Event(
                    _time(row["event_at"]), row["event_name"], row["customer_id"],
                    row["page_type"], int(row["engaged_ms"] or -1), row["order_id"],
                    row["is_bot"] == "true",
                )
            )  # fmt: skip
    for rows in result.values():
        rows.sort(key=lambda event: event.at)
    return result


def _sessions(rows: list[Event]) -> list[list[Event]]:
    """The definition, by hand: a gap of 30 minutes or more starts a new session."""
    sessions: list[list[Event]] = []
    for event in rows:
        if not sessions or event.at - sessions[-1][-1].at >= GAP:
            sessions.append([])
        sessions[-1].append(event)
    return sessions


TECHNICAL = {"session_start", "view_item_list"}  # sent by the tracker itself


def _bounced(session: list[Event]) -> bool:
    names = [event.name for event in session if event.name not in TECHNICAL]
    engaged = sum(max(event.engaged, 0) for event in session)
    return names.count("page_view") == len(names) <= 1 and engaged < 10_000


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    shop: Made, tmp_path: Path
) -> None:
    demo(42, tmp_path / "again", tmp_path / "again_truth")
    demo(7, tmp_path / "other", None)
    assert _bytes(tmp_path / "again") == _bytes(shop.out)
    for path in sorted(shop.truth.glob("*.parquet")):
        assert (tmp_path / "again_truth" / path.name).read_bytes() == path.read_bytes(), path.name
    different = _bytes(tmp_path / "other")
    assert all(
        different[name] != data for name, data in _bytes(shop.out).items() if "promo" not in name
    )


def test_the_committed_demo_is_what_the_simulator_writes(shop: Made) -> None:
    committed, fresh = _bytes(ROOT / "seeds" / "raw"), _bytes(shop.out)
    assert sorted(committed) == sorted(fresh)
    stale = [name for name in fresh if committed[name] != fresh[name]]
    assert not stale, f"run `python -m seeds.simulator demo`: {stale} differ"


def test_the_demo_stays_small(shop: Made) -> None:
    assert sum(len(data) for data in _bytes(shop.out).values()) <= 15_000_000


def test_every_table_has_every_column_of_the_contract_in_order(shop: Made) -> None:
    assert len(TABLES) == 18
    for table, schema in TABLES.items():
        with (shop.out / f"raw_{table}.csv").open(encoding="utf-8") as file:
            header = file.readline().strip().split(",")
        assert header == schema.names, table
        described = ROOT / "seeds" / "raw" / f"raw_{table}.yml"
        if described.exists():
            seed = yaml.safe_load(described.read_text(encoding="utf-8"))["seeds"][0]
            assert header == [column["name"] for column in seed["columns"]], table


def test_truth_sessions_are_those_of_a_loop_over_the_events(
    shop: Made, events: dict[str, list[Event]]
) -> None:
    derived = {}
    for anonymous_id, rows in events.items():
        for session in _sessions(rows):
            names = {event.name for event in session}
            derived[anonymous_id, session[0].at.replace(tzinfo=None)] = (
                session[-1].at.replace(tzinfo=None), len(session), session[0].is_bot,
                _bounced(session), "add_to_cart" in names, "purchase" in names,
                max(event.order for event in session) or None,
                max(event.customer for event in session) or None,
            )  # fmt: skip
    truth = shop.query(
        "select anonymous_id, started_at, ended_at, event_count, is_bot, is_bounced,"
        " reached_intent, reached_purchase, order_id, identified_customer_id from truth_sessions"
    )
    assert {row[:2]: row[2:] for row in truth} == derived


def test_gaps_are_planted_on_both_sides_of_thirty_minutes(events: dict[str, list[Event]]) -> None:
    gaps = [b.at - a.at for rows in events.values() for a, b in itertools.pairwise(rows)]
    assert gaps.count(GAP) >= 5
    assert gaps.count(GAP - timedelta(milliseconds=1)) >= 5


def test_truth_identities_are_those_of_a_loop_over_the_events(
    shop: Made, events: dict[str, list[Event]]
) -> None:
    derived = []
    for anonymous_id, rows in events.items():
        changes: list[tuple[datetime, str]] = []
        for event in rows:
            if event.customer and (not changes or changes[-1][1] != event.customer):
                changes.append((event.at.replace(tzinfo=None), event.customer))
        for number, (at, customer) in enumerate(changes):
            until = changes[number + 1][0] if number + 1 < len(changes) else None
            derived.append((anonymous_id, customer, at if number else None, until))
    truth = shop.query(
        "select anonymous_id, customer_id, valid_from_at, valid_to_at from truth_identities"
    )
    assert sorted(truth, key=str) == sorted(derived, key=str)
    assert any(row[2] for row in derived), "no shared device"


def test_rates_are_within_the_stated_ranges(shop: Made, events: dict[str, list[Event]]) -> None:
    people = {a: rows for a, rows in events.items() if not rows[0].is_bot}
    sessions = [session for rows in people.values() for session in _sessions(rows)]
    bought = sum(any(e.name == "purchase" for e in session) for session in sessions)
    bots = sum(len(rows) for a, rows in events.items() if a not in people)
    assert 0.02 <= bought / len(sessions) <= 0.04
    assert 0.20 <= sum(map(_bounced, sessions)) / len(sessions) <= 0.40
    assert 0.01 <= bots / sum(map(len, events.values())) <= 0.03
    assert 18_000 <= len(sessions) <= 22_000
    assert 80_000 <= sum(map(len, events.values())) <= 95_000
    orders, buyers = shop.query(
        "select count(*), count(distinct customer_id) from raw_orders"
        " where status in ('paid', 'shipped', 'delivered')"
    )[0]
    assert 3_500 <= orders <= 4_500
    assert buyers >= 1_500


def test_about_seventy_per_cent_of_carts_are_abandoned(
    shop: Made, events: dict[str, list[Event]]
) -> None:
    """By visitor and by the definition: 24 hours without a cart event or an order end a cart."""
    by_visitor: dict[str, list[Event]] = defaultdict(list)
    for anonymous_id, rows in events.items():
        known = next((e.customer for e in rows if e.customer), None)
        for event in rows:
            known = event.customer or known
            by_visitor[known or anonymous_id].append(event)
    carts: list[tuple[str, datetime, bool]] = []  # visitor, end, bought
    for visitor, rows in by_visitor.items():
        opened: datetime | None = None
        for event in sorted(rows, key=lambda event: event.at):
            if opened and event.at - opened > timedelta(days=1):
                carts.append((visitor, opened, False))
                opened = None
            if event.name == "purchase":
                carts.append((visitor, event.at, True))
                opened = None
            elif event.name in ("add_to_cart", "remove_from_cart"):
                opened = event.at
        if opened and opened < _time("2026-06-30T12:00:00Z"):
            carts.append((visitor, opened, False))
    rate = sum(not bought for _, _, bought in carts) / len(carts)
    assert 0.62 <= rate <= 0.78
    told: dict[str, float] = dict(shop.query("select name, value from truth_summary"))
    assert rate == pytest.approx(told["cart_abandonment_rate"], abs=0.02)
    bought_at = defaultdict(list)
    for visitor, at, bought in carts:
        if bought:
            bought_at[visitor].append(at)
    recovered = sum(
        not bought and any(timedelta(0) < o - at <= timedelta(days=8) for o in bought_at[visitor])
        for visitor, at, bought in carts
    )
    assert recovered >= 30


def test_slow_pages_bounce_clearly_more(shop: Made) -> None:
    fast, slow = shop.query(
        "select avg(is_bounced::int) filter (page_load_ms < 1500),"
        " avg(is_bounced::int) filter (page_load_ms >= 3000) from truth_sessions where not is_bot"
    )[0]
    assert slow > fast + 0.1


def test_every_injected_kind_is_there(shop: Made) -> None:
    listed: dict[str, int] = dict(
        shop.query("select kind, sum(row_count)::int from truth_injected group by kind")
    )
    kinds = {b.kind for b in TYPED + UNTYPED} | {"exact_duplicate", "ragged_line"}
    assert set(listed) == kinds
    assert all(2 <= n <= 12 for kind, n in listed.items() if kind != "exact_duplicate")
    for table, count in shop.query(
        "select table_name, row_count from truth_injected where kind = 'exact_duplicate'"
    ):
        read, distinct = shop.query(
            f"select (select count(*) from raw_{table}),"
            f" (select count(*) from (select distinct * from raw_{table}))"
        )[0]
        assert read - distinct == count, table
    for table, kind, key in shop.query(
        "select table_name, kind, row_key from truth_injected"
        " where kind not in ('exact_duplicate', 'ragged_line', 'missing_key')"
    ):
        column, value = TABLES[table].names[0], key.split("|")[0]
        rows = shop.query(f"select count(*) from raw_{table} where {column} = '{value}'")[0][0]
        assert rows >= (2 if kind == "conflicting_key" else 1), (table, kind, key)


def test_ragged_lines_have_another_number_of_columns(shop: Made) -> None:
    with (shop.out / "raw_reviews.csv").open(encoding="utf-8", newline="") as file:
        widths = [len(row) for row in csv.reader(file)]
    assert sorted(w for w in widths if w != widths[0]) == [3, 7, 8]


GOOD_ORDERS = """
    select distinct
        order_id, ordered_at::timestamptz as ordered_at, anonymous_id,
        discount_amount::decimal(18, 2) as discount
    from raw_orders
    where order_id < 'O9'
"""
GOOD_LINES = """
    select distinct
        order_id, line_number, quantity::int as quantity,
        unit_price::decimal(18, 4) as unit_price, discount_amount::decimal(18, 2) as discount
    from raw_order_items
    where line_number::int < 90
"""


def test_money_adds_up(shop: Made) -> None:
    """Discounts never exceed the goods, refunds never what was paid for the order."""
    orders, with_lines, *checks = shop.query(
        f"""
        with orders as ({GOOD_ORDERS}), lines as (
            select
                order_id, sum(quantity * unit_price) as goods, sum(discount) as discount,
                bool_and(discount <= quantity * unit_price) as lines_are_fine
            from ({GOOD_LINES}) group by order_id
        ), refunds as (
            select order_id, sum(amount::decimal(18, 2)) as refunded
            from raw_refunds where refund_id < 'R9' group by order_id
        )
        select
            count(*), count(lines.order_id), bool_and(lines_are_fine),
            bool_and(lines.discount + orders.discount <= goods),
            bool_and(coalesce(refunded, 0) <= goods - lines.discount - orders.discount)
        from orders
        left join lines using (order_id)
        left join refunds using (order_id)
        """
    )[0]
    assert checks == [True, True, True]
    assert orders == with_lines, "an order without lines"


def test_purchases_carry_their_order_and_its_value(shop: Made) -> None:
    lost, all_equal = shop.query(
        f"""
        with orders as ({GOOD_ORDERS}), lines as (
            select order_id, sum(quantity * unit_price - discount) as net
            from ({GOOD_LINES}) group by order_id
        ), purchases as (
            select distinct
                order_id, event_at::timestamptz as event_at, anonymous_id,
                value::decimal(18, 2) as value
            from raw_events where event_name = 'purchase'
        )
        select
            avg((purchases.order_id is null)::int),
            bool_and(
                event_at = ordered_at
                and purchases.anonymous_id = orders.anonymous_id
                and value = net - discount
            )
        from orders
        inner join lines using (order_id)
        left join purchases using (order_id)
        where orders.anonymous_id is not null
        """
    )[0]
    assert 0.01 <= lost <= 0.06, "share of lost purchase events"
    assert all_equal


def test_late_deliveries_lower_the_scores(shop: Made) -> None:
    late, on_time = shop.query(
        """
        with orders as (
            select distinct
                customer_id, delivered_at > delivery_promised_at as is_late,
                delivered_at::timestamptz as delivered_at
            from raw_orders where status = 'delivered'
        ), scores as (
            select orders.is_late, score::int as score
            from raw_nps_responses
            inner join orders
                on raw_nps_responses.customer_id = orders.customer_id
                and try_cast(responded_at as timestamptz)
                between delivered_at and delivered_at + interval 7 days
            where score::int between 0 and 10
        )
        select avg(score) filter (is_late), avg(score) filter (not is_late) from scores
        """
    )[0]
    assert late < on_time - 1.5


def test_the_experiment_has_its_planted_lift(shop: Made) -> None:
    lifts = shop.query(
        "select planted_lift, cart_to_order_b / cart_to_order_a - 1 from truth_experiment"
    )
    for planted, realised in lifts:
        assert realised == pytest.approx(planted, abs=0.04)


def test_affine_products_are_bought_together(shop: Made) -> None:
    for first, second in shop.query(
        "select product_id, companion_product_id from truth_affinities"
    ):
        share, chance = shop.query(
            f"""
            with baskets as (
                select
                    order_id, bool_or(product_id = '{first}') as has_first,
                    bool_or(product_id = '{second}') as has_second
                from raw_order_items group by order_id
            )
            select
                avg(has_second::int) filter (has_first), avg(has_second::int) filter (not has_first)
            from baskets
            """
        )[0]
        assert share > 2 * chance, (first, second)


def test_the_anomaly_shows_in_its_channel(shop: Made) -> None:
    normal, anomalous = shop.query(
        """
        with sessions as (
            select
                s.is_bounced, s.started_at >= a.starts_at and s.started_at < a.ends_at as is_hit
            from truth_sessions as s inner join truth_anomaly as a using (channel)
        )
        select avg(is_bounced::int) filter (not is_hit), avg(is_bounced::int) filter (is_hit)
        from sessions
        """
    )[0]
    assert anomalous > normal + 0.1


def test_rates_of_exchange_start_before_the_first_order_and_skip_weekends(shop: Made) -> None:
    first, weekends = shop.query(
        "select min(rate_date), count(*) filter (isodow(rate_date::date) > 5) from raw_fx_rates"
    )[0]
    assert first < "2023-07-01"
    assert weekends == 0

"""Visitor journeys and paths: the marts against a walk through each visitor's sessions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

import duckdb
import pytest
from differences import differences
from random_devices import as_tables, delivered, make_households
from session_ledger import end_of_day
from shops import dicts, write_tables
from warehouses import Build

SEED, HOUSEHOLD_COUNT = 20241027, 1500
MICROSECOND = timedelta(microseconds=1)
STAGES = ("awareness", "interest", "consideration", "intent", "purchase", "loyalty")

Row = dict[str, Any]


@dataclass
class Shop:
    """A build, and the variables that it was built with."""

    connection: duckdb.DuckDBPyConnection
    as_of_date: date
    loss_days: int = 30
    path_length: int = 8
    paths_kept: int = 50

    @cached_property
    def known_until(self) -> datetime:
        """The end of what the numbers know."""
        return end_of_day(self.as_of_date)

    @cached_property
    def sessions_of(self) -> dict[str, list[Row]]:
        """Each visitor's sessions in their order."""
        rows = dicts(self.connection, "select * from marts.fct_sessions")
        rows.sort(key=lambda row: (row["started_at"], row["session_id"]))
        return by_visitor(rows)

    @cached_property
    def orders_of(self) -> dict[str, list[Row]]:
        """Each visitor's orders that were not cancelled and are in no session of theirs."""
        rows = dicts(self.connection, "select * from marts.fct_orders where status <> 'cancelled'")
        own = {
            (visitor, session["session_id"])
            for visitor, sessions in self.sessions_of.items()
            for session in sessions
        }
        return by_visitor(
            row
            for row in rows
            if row["visitor_id"] and (row["visitor_id"], row["session_id"]) not in own
        )

    @cached_property
    def journeys(self) -> list[Journey]:
        """All journeys, over or not."""
        return [
            journey
            for sessions in self.sessions_of.values()
            for journey in self._journeys_of(sessions)
        ]

    def _journeys_of(self, sessions: list[Row]) -> list[Journey]:
        found = [Journey(self, [sessions[0]])]
        for before, session in pairwise(sessions):
            too_late = session["started_at"] - before["started_at"] > self.loss
            if before["is_converted"] or too_late:
                found.append(Journey(self, []))
            found[-1].sessions.append(session)
        return found

    @property
    def loss(self) -> timedelta:
        """How long a journey waits for another session."""
        return timedelta(days=self.loss_days)


@dataclass
class Journey:
    """Sessions of a visitor that belong together."""

    shop: Shop
    sessions: list[Row]

    @property
    def outcome(self) -> str:
        """What it led to, if it is over."""
        return "purchase" if self.sessions[-1]["is_converted"] else "loss"

    @property
    def closes_at(self) -> datetime:
        """The last instant at which it might have gone on."""
        last: datetime = self.sessions[-1]["started_at"]
        return last if self.outcome == "purchase" else last + self.shop.loss

    @property
    def is_mature(self) -> bool:
        """Whether it is over."""
        return self.closes_at < self.shop.known_until

    @property
    def month(self) -> date:
        """The first day of the month of its last session."""
        last: date = self.sessions[-1]["session_date"]
        return last.replace(day=1)

    @property
    def seconds(self) -> int:
        """From its first session's start to its last one's."""
        span = self.sessions[-1]["started_at"] - self.sessions[0]["started_at"]
        return int(span / timedelta(seconds=1) + 0.5)

    @property
    def net_amount(self) -> Decimal:
        """What its sessions brought in."""
        return sum((session["net_amount"] for session in self.sessions), Decimal(0))

    @property
    def paths(self) -> dict[str, str]:
        """Its path of either kind."""
        return {
            "channel": self._path(session["channel"] for session in self.sessions),
            "stage": self._path(map(furthest_stage, self.sessions)),
        }

    def _path(self, steps: Iterable[str]) -> str:
        changes = [step for step, _ in groupby(steps)]
        shown = changes[-self.shop.path_length :]
        return " > ".join([*(["..."] if len(shown) < len(changes) else []), *shown])


def by_visitor(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of each visitor in the order that they come in."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["visitor_id"]].append(row)
    return found


def furthest_stage(row: Row) -> str:
    """The last of the stages that has a time; who is there has arrived."""
    return next((stage for stage in STAGES[:0:-1] if row[f"{stage}_at"]), "awareness")


def days(start: datetime | None, end: datetime | None) -> float | None:
    """Days from one time to another, unknown where either is."""
    return (end - start) / timedelta(days=1) if start and end else None


def first(times: Iterable[datetime | None]) -> datetime | None:
    """The first of the times that are known."""
    return min((time for time in times if time), default=None)


def visitor_row(sessions: list[Row], orders: list[Row]) -> Row:
    """What fct_visitor_journeys should say of a visitor, visitor_id left out."""
    bought = [(first((s["purchase_at"], s["loyalty_at"])), s["channel"]) for s in sessions]
    bought += [(order["ordered_at"], None) for order in orders]
    # Of two at one time the earlier session is meant, and an order alone comes last.
    known = [(at, channel) for at, channel in bought if at]
    purchase_at, channel = min(known, key=lambda pair: pair[0], default=(None, None))
    repeats = [order["ordered_at"] for order in orders if (order["customer_order_number"] or 0) > 1]
    began = sessions[0]["started_at"] if sessions else None
    row: Row = {
        "is_converted": purchase_at is not None,
        "session_count": len(sessions),
        "sessions_to_purchase_count": sum(s["started_at"] <= purchase_at for s in sessions)
        if purchase_at
        else None,
        "first_channel": sessions[0]["channel"] if sessions else None,
        "last_channel": sessions[-1]["channel"] if sessions else None,
        "purchase_channel": channel,
        "first_session_date": sessions[0]["session_date"] if sessions else None,
        "last_session_date": sessions[-1]["session_date"] if sessions else None,
        "first_session_at": began,
        "last_session_at": sessions[-1]["started_at"] if sessions else None,
        "awareness_at": None if began and purchase_at and purchase_at < began else began,
        **{
            f"{stage}_at": first(session[f"{stage}_at"] for session in sessions)
            for stage in ("interest", "consideration", "intent")
        },
        "purchase_at": purchase_at,
        "loyalty_at": first((*(session["loyalty_at"] for session in sessions), *repeats)),
    }
    row["furthest_stage"] = furthest_stage(row)
    for stage in ("interest", "consideration", "intent", "purchase"):
        row[f"days_to_{stage}"] = days(row["awareness_at"], row[f"{stage}_at"])
    row["days_from_purchase_to_loyalty"] = days(purchase_at, row["loyalty_at"])
    row["days_from_first_to_last_session"] = days(began, row["last_session_at"])
    return row


def month_end(month: date) -> datetime:
    """The last instant of a month in Paris (UTC)."""
    following = (month + timedelta(days=31)).replace(day=1)
    return end_of_day(following - timedelta(days=1)) - MICROSECOND


def path_rows(shop: Shop) -> dict[tuple[Any, ...], Row]:
    """What agg_journey_paths should hold, by its grain."""
    taken: dict[tuple[date, str, str], dict[str, list[Journey]]] = defaultdict(dict)
    for journey in shop.journeys:
        if journey.is_mature:
            for kind, path in journey.paths.items():
                paths = taken[journey.month, kind, journey.outcome]
                paths.setdefault(path, []).append(journey)
    rows = {}
    for (month, kind, outcome), paths in taken.items():
        ranked = sorted(paths, key=lambda path: (-len(paths[path]), path))
        kept: dict[str, list[str]] = {path: [path] for path in ranked[: shop.paths_kept]}
        if others := ranked[shop.paths_kept :]:
            kept["other paths"] = others
        whole = sum(map(len, paths.values()))
        final_at = month_end(month) + (shop.loss if outcome == "loss" else timedelta(0))
        for rank, (name, members) in enumerate(kept.items(), 1):
            journeys = [journey for path in members for journey in paths[path]]
            count, seconds = len(journeys), sum(journey.seconds for journey in journeys)
            session_count = sum(len(journey.sessions) for journey in journeys)
            rows[month, kind, outcome, name] = {
                "path_rank": None if name == "other paths" else rank,
                "path_count": len(members),
                "journey_count": count,
                "journey_share": count / whole,
                "session_count": session_count,
                "duration_seconds": seconds,
                "net_amount": sum((journey.net_amount for journey in journeys), Decimal(0)),
                "sessions_per_journey": session_count / count,
                "days_per_journey": seconds / 86_400 / count,
                "is_mature": final_at < shop.known_until,
                "final_at": final_at,
            }
    return rows


@pytest.fixture(scope="module")
def households(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Random households, with paths so short and few that many are cut or left out."""
    made = make_households(HOUSEHOLD_COUNT, SEED)
    folder = tmp_path_factory.mktemp("journeys")
    write_tables(folder, as_tables(made, delivered(made, SEED), SEED))
    as_of_date, loss_days, path_length, paths_kept = date(2024, 10, 27), 9, 2, 3
    connection = build(
        tests=False,
        select="+fct_visitor_journeys +agg_journey_paths",
        raw_path=str(folder),
        load_date="2024-12-31",
        as_of_date=str(as_of_date),
        journey_loss_days=loss_days,
        journey_path_length=path_length,
        journey_paths_kept=paths_kept,
    )
    return Shop(connection, as_of_date, loss_days, path_length, paths_kept)


@pytest.fixture(params=["households", "demo"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Random households, and the demo shop."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, Shop) else Shop(found, date(2026, 6, 30))


def test_the_households_have_what_is_awkward(households: Shop) -> None:
    """The generator makes the cases that the other tests are about; else they prove nothing."""
    journeys = households.journeys
    gaps = [
        later["started_at"] - earlier["started_at"]
        for sessions in households.sessions_of.values()
        for earlier, later in pairwise(sessions)
    ]
    visitors = households.sessions_of.keys() | households.orders_of.keys()
    rows = [
        visitor_row(households.sessions_of.get(v, []), households.orders_of.get(v, []))
        for v in visitors
    ]
    counts = {
        "sessions at one time": gaps.count(timedelta(0)),
        "gaps of just the days": gaps.count(households.loss),
        "longer gaps": sum(gap > households.loss for gap in gaps),
        "shorter ones": sum(timedelta(0) < gap < households.loss for gap in gaps),
        "purchases": sum(j.outcome == "purchase" for j in journeys),
        "losses": sum(j.outcome == "loss" and j.is_mature for j in journeys),
        "open journeys": sum(not j.is_mature for j in journeys),
        "longer purchases": sum(j.outcome == "purchase" and len(j.sessions) > 1 for j in journeys),
        "cut paths": sum(path.startswith("...") for j in journeys for path in j.paths.values()),
        "visitors without a session": sum(row["session_count"] == 0 for row in rows),
        "unknown arrivals": sum(
            row["session_count"] > 0 and not row["awareness_at"] for row in rows
        ),
        "purchases outside sessions": sum(
            row["is_converted"] and row["session_count"] > 0 and not row["purchase_channel"]
            for row in rows
        ),
        **Counter(row["furthest_stage"] for row in rows),
    }
    assert counts.keys() >= set(STAGES)
    assert not {name: count for name, count in counts.items() if count < 10}


def test_visitors_reach_stages_when_their_sessions_and_orders_say(shop: Shop) -> None:
    """Every column of every visitor's row, from their sessions and orders one by one."""
    rows = dicts(shop.connection, "select * from marts.fct_visitor_journeys")
    found = {row.pop("visitor_id"): row for row in rows}
    visitors = shop.sessions_of.keys() | shop.orders_of.keys()
    expected = {
        visitor: visitor_row(shop.sessions_of.get(visitor, []), shop.orders_of.get(visitor, []))
        for visitor in visitors
    }
    assert len(found) == len(rows)
    assert not differences(found, expected)


def test_journeys_end_where_a_walk_through_the_sessions_ends_them(shop: Shop) -> None:
    """Each session is in one journey, and paths, outcome and maturity are those of the walk."""
    rows = dicts(
        shop.connection,
        "select journey_id, outcome, is_mature, channel_path, stage_path, session_count,"
        " duration_seconds, net_amount, month_start_date, closes_at"
        " from intermediate.int_journeys_traced",
    )
    found = {row.pop("journey_id"): row for row in rows}
    expected = {
        journey.sessions[-1]["session_id"]: {
            "outcome": journey.outcome,
            "is_mature": journey.is_mature,
            "channel_path": journey.paths["channel"],
            "stage_path": journey.paths["stage"],
            "session_count": len(journey.sessions),
            "duration_seconds": journey.seconds,
            "net_amount": journey.net_amount,
            "month_start_date": journey.month,
            "closes_at": journey.closes_at,
        }
        for journey in shop.journeys
    }
    assert not differences(found, expected)


def test_paths_are_counted_and_ranked_by_month(shop: Shop) -> None:
    """The most frequent paths, the rest in one row, and shares of all journeys that are over."""
    rows = dicts(shop.connection, "select * from marts.agg_journey_paths")
    grain = ("month_start_date", "path_kind", "outcome", "journey_path")
    found = {tuple(row.pop(name) for name in grain): row for row in rows}
    assert len(found) == len(rows)
    assert not differences(found, path_rows(shop))

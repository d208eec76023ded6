"""Page performance: the mart against views, landings and exits counted one by one."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pytest
from differences import differences
from random_devices import as_tables, delivered, make_households
from shops import PROJECT, dicts, write_tables
from warehouses import Build

SEED, HOUSEHOLD_COUNT = 20240331, 700
DAY = "2024-10-27"  # of 25 hours, in all of these zones but the last
# Midnight is a UTC one in winter alone; comes twice on the day above; is never at a full hour.
ZONES = ("Europe/Paris", "Europe/London", "Atlantic/Azores", "Asia/Kathmandu")
COUNTS = (
    "landing_session_count", "bounced_session_count", "converted_session_count",
    "exit_session_count", "page_view_count",
)  # fmt: skip


class Page(NamedTuple):
    """A day, a page and how fast it was: the grain of the mart."""

    session_date: date
    page_path: str
    page_type: str | None
    load_time_band: str | None


@dataclass
class Counted:
    """What is counted of each page, and how a band is called."""

    zone: ZoneInfo
    counts: dict[Page, Counter[str]] = field(default_factory=dict)

    def add(
        self, at: datetime, path: str | None, kind: str | None, load_ms: int | None, *names: str
    ) -> None:
        """Count something on a page, if there is one."""
        if path:
            day = at.replace(tzinfo=UTC).astimezone(self.zone).date()
            page = Page(day, path, kind, band_of(load_ms))
            self.counts.setdefault(page, Counter()).update(names)

    def rows(self) -> dict[Page, dict[str, Any]]:
        """What the mart should have of each page."""
        return {
            page: {name: counts[name] for name in COUNTS}
            | {
                "bounce_rate": ratio(
                    counts["bounced_session_count"], counts["landing_session_count"]
                ),
                "conversion_rate": ratio(
                    counts["converted_session_count"], counts["landing_session_count"]
                ),
                "exit_rate": ratio(counts["exit_session_count"], counts["page_view_count"])
                if counts["exit_session_count"] <= counts["page_view_count"]
                else None,
            }
            for page, counts in self.counts.items()
        }


def bands() -> list[tuple[int, str]]:
    """The bands of the seed: where each begins, and its code."""
    path = PROJECT / "seeds" / "reference" / "ref_load_time_bands.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        return sorted((int(row["from_ms"]), row["load_time_band"]) for row in rows)


BANDS = bands()


def band_of(load_ms: int | None) -> str | None:
    """The last band that has begun; none for what was not measured."""
    if load_ms is None:
        return None
    return [band for from_ms, band in BANDS if from_ms <= load_ms][-1]


def ratio(part: int, whole: int) -> float | None:
    """A part of a whole, unknown where there is none."""
    return part / whole if whole else None


def counted_by_hand(connection: duckdb.DuckDBPyConnection, zone: str) -> Counted:
    """Views, landings and exits one by one, from events and sessions."""
    counted = Counted(ZoneInfo(zone))
    for event in dicts(
        connection,
        "select event_name, page_path, page_type, page_load_ms, event_at"
        " from staging.stg_web__events where not is_bot",
    ):
        if event["event_name"] == "page_view" or event["page_load_ms"] is not None:
            page = (event["page_path"], event["page_type"], event["page_load_ms"])
            counted.add(event["event_at"], *page, "page_view_count")
    for session in dicts(connection, "select * from marts.fct_sessions"):
        landing, leaving = (
            (session[f"{end}_path"], session[f"{end}_type"], session[f"{end}_load_ms"])
            for end in ("landing_page", "exit_page")
        )
        names = ["landing_session_count"]
        names += ["bounced_session_count"] if session["is_bounced"] else []
        names += ["converted_session_count"] if session["is_converted"] else []
        counted.add(session["started_at"], *landing, *names)
        counted.add(session["started_at"], *leaving, "exit_session_count")
    return counted


def found_rows(connection: duckdb.DuckDBPyConnection) -> dict[Page, dict[str, Any]]:
    """The rows of the mart by their grain."""
    rows = dicts(
        connection,
        "select * exclude (load_time_band_name, load_time_band_name_fr, load_time_from_ms)"
        " from marts.agg_page_performance",
    )
    found = {Page(*(row.pop(name) for name in Page._fields)): row for row in rows}
    assert len(found) == len(rows), "two rows of one page, day and band"
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Households that are busy around midnights and changes of clocks."""
    households = make_households(HOUSEHOLD_COUNT, SEED)
    rows = delivered(households, SEED)
    return write_tables(tmp_path_factory.mktemp("pages"), as_tables(households, rows, SEED))


@pytest.mark.parametrize("zone", ZONES)
def test_pages_are_counted_on_the_day_of_the_zone(folder: Path, build: Build, zone: str) -> None:
    """Each view, landing and exit counts once, whatever the clocks do, in the band of that page."""
    connection = build(
        tests=False,
        select="+agg_page_performance",
        raw_path=str(folder),
        load_date="2024-12-31",
        as_of_date=DAY,
        reporting_timezone=zone,
    )
    expected = counted_by_hand(connection, zone).rows()
    assert not differences(found_rows(connection), expected)
    views = sum(row["page_view_count"] for row in expected.values())
    assert views >= 500
    assert {page.load_time_band for page in expected} == {
        None, "under_1s", "2s_to_3s", "5s_and_over",
    }  # fmt: skip


def test_pages_of_the_demo_are_counted_one_by_one(demo: duckdb.DuckDBPyConnection) -> None:
    """Every number of the mart is that of the demo's own events and sessions."""
    found = found_rows(demo)
    assert len(found) >= 20_000
    assert not differences(found, counted_by_hand(demo, "Europe/Paris").rows())


def test_no_view_is_lost(demo: duckdb.DuckDBPyConnection) -> None:
    """As many views as events that name a page, as each of the demo's has a load time."""
    views, events, loads = demo.execute(
        "select (select sum(page_view_count) from marts.agg_page_performance),"
        " (select count(page_path) from staging.stg_web__events where not is_bot),"
        " (select sum(page_load_count) from marts.fct_sessions)"
    ).fetchall()[0]
    assert views == events == loads >= 60_000


def test_slow_pages_lose_more_visitors(demo: duckdb.DuckDBPyConnection) -> None:
    """In the demo who has to wait leaves: from band to band more sessions bounce, and more end."""
    rows = demo.execute(
        "select load_time_from_ms, sum(bounced_session_count) / sum(landing_session_count),"
        " sum(exit_session_count) / sum(page_view_count), sum(landing_session_count)"
        " from marts.agg_page_performance group by load_time_from_ms order by load_time_from_ms"
    ).fetchall()
    assert [row[0] for row in rows] == [from_ms for from_ms, _ in BANDS]
    assert min(row[3] for row in rows) >= 100
    for faster, slower in pairwise(rows):
        assert slower[1] > faster[1] + 0.04, f"bounce rates {faster}, {slower}"
        assert slower[2] > faster[2], f"exit rates {faster}, {slower}"

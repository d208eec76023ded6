"""A refresh ends with the very tables that a build from nothing gives (decision 0009).

One month of a small shop (months.py) is loaded by several schedules; each ends with a comparison,
row by row, of every table that is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from refresh.months import DAY_COUNT, Month, day_of, make_month
from shops import PROVENANCE, Row
from warehouses import NO_TESTS, Dbt

LAST = DAY_COUNT - 1
LATE_EVENT_DAYS = 3
# Without dbt's own tests, which take as long as a model does.
# The incremental models and what they need. All others are built from nothing every time: to build
# them too at each step would take half as long again, so only the two main schedules do.
REFRESH_ALONE = ("--select", "+config.materialized:incremental")
LEDGER = ("refreshes", "touched_keys", "event_files")
# Of a refresh alone; and combinations that nothing has any more are kept for when they come again.
NOT_COMPARED = ("base_web__days_touched", "int_traffic_sources_classified")
# Where a row came from, which differs between folders that spread the same rows otherwise.
WHERE_FROM = PROVENANCE | {
    "base_web__events_set_aside": {"file_name"},
    "int_rows_rejected": {"file_name", "line_number"},
}
SHOWN = 3


@dataclass(frozen=True)
class Warehouse:
    """A warehouse in a folder of its own, and the raw folder that it is built from."""

    dbt: Dbt
    path: Path
    raw: Path

    def build(self, *arguments: str, **variables: Any) -> None:
        """Run `dbt build` on it, without tests."""
        self.dbt.run(
            "build",
            *arguments,
            *NO_TESTS,
            warehouse=self.path,
            variables={"raw_path": str(self.raw), **variables},
        )

    def copy(self, folder: Path) -> Warehouse:
        """The same in another folder, as it is now."""
        folder.mkdir(parents=True)
        return Warehouse(self.dbt, Path(shutil.copy(self.path, folder)), self.raw)

    @contextmanager
    def connect(self, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to it."""
        connection = duckdb.connect(str(self.path), read_only=read_only)
        try:
            yield connection
        finally:
            connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def values(self, query: str) -> set[Any]:
        """The values of a query of one column."""
        return {value for (value,) in self.rows(query)}

    @property
    def is_complete(self) -> bool:
        """Whether the ledger says that its last refresh was completed."""
        return self.values("select is_complete from raw.refreshes") == {True}


@dataclass
class Shop:
    """The month, and the folders of the warehouses built from it."""

    dbt: Dbt
    folder: Path
    month: Month

    def warehouse(self, name: str, raw: str) -> Warehouse:
        """A new warehouse of a raw folder."""
        path = self.folder / name / "cartwright.duckdb"
        path.parent.mkdir()
        return Warehouse(self.dbt, path, self.folder / "raw" / raw)


def different_rows(
    ours: Warehouse, theirs: Warehouse, *, is_all: bool = False, with_provenance: bool = True
) -> list[str]:
    """How the tables of two warehouses differ: the first rows that only one of them has.

    `is_all`: both have every table; else those are compared that both have.
    """
    connection = duckdb.connect()
    found = []
    for name, warehouse in (("ours", ours), ("theirs", theirs)):
        connection.execute(f"attach '{warehouse.path}' as {name} (read_only)")
    listed = (
        "select schema_name, table_name from duckdb_tables()"
        " where schema_name in ('staging', 'intermediate', 'marts') and database_name = "
    )
    tables = {
        name: set(connection.execute(f"{listed} '{name}'").fetchall())
        for name in ("ours", "theirs")
    }
    assert len(tables["ours"] & tables["theirs"]) > 40
    if is_all and tables["ours"] != tables["theirs"]:
        found.append(f"tables differ: {tables['ours'] ^ tables['theirs']}")
    for schema, table in sorted(tables["ours"] & tables["theirs"]):
        if table in NOT_COMPARED:
            continue
        left_out = set() if with_provenance else WHERE_FROM.get(table, set())
        columns = f"* exclude ({', '.join(sorted(left_out))})" if left_out else "*"
        for words, one, other in (("too many", "ours", "theirs"), ("missing", "theirs", "ours")):
            rows = connection.execute(
                f"select {columns} from {one}.{schema}.{table}"
                f" except all select {columns} from {other}.{schema}.{table}"
            ).fetchall()
            if rows:
                found.append(f"{schema}.{table}: {len(rows)} rows {words}")
                found += [f"    {row}" for row in sorted(map(str, rows))[:SHOWN]]
    connection.close()
    return found


@pytest.fixture(scope="module")
def shop(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The month, nothing of it loaded."""
    return Shop(dbt, tmp_path_factory.mktemp("refreshes"), make_month(120, seed=1))


@dataclass
class Step:
    """A refresh by the default as_of_date: the warehouse after it, and what it found."""

    warehouse: Warehouse
    parts: dict[str, list[Row]]


@dataclass
class Steps:
    """A warehouse that was refreshed again and again, and a full build in the midst."""

    by_name: dict[str, Step]
    full_amid: Warehouse


@pytest.fixture(scope="module")
def steps(shop: Shop) -> Steps:
    """Refreshes of a folder of parts: the next day, again, a failed one, missed days, a mistake."""
    warehouse = shop.warehouse("steps", "parts")
    by_name = {}
    for name, number, arguments in (
        ("first", 13, REFRESH_ALONE),
        ("next day", 14, REFRESH_ALONE),
        ("again", 14, REFRESH_ALONE),
        ("failed", 18, (*REFRESH_ALONE, "--exclude", "fct_sessions+")),
        ("after a gap", 20, REFRESH_ALONE),
        ("mistake", 21, REFRESH_ALONE),
        ("put right", 21, ()),
        ("end", LAST, ()),
    ):
        shop.month.write(warehouse.raw, number, has_mistake=name == "mistake")
        warehouse.build(*arguments)
        copy = warehouse.copy(shop.folder / "after" / name)
        by_name[name] = Step(copy, shop.month.parts(number))
        if name == "put right":
            full_amid = shop.warehouse("full amid", "parts")
            full_amid.build()
    return Steps(by_name, full_amid)


@pytest.fixture(scope="module")
def full(shop: Shop, steps: Steps) -> Warehouse:
    """The whole month in one load, of the folder that the steps end with."""
    warehouse = shop.warehouse("full", "parts")
    assert warehouse.raw == steps.by_name["end"].warehouse.raw
    warehouse.build()
    return warehouse


def test_refreshes_give_what_one_load_gives(steps: Steps, full: Warehouse) -> None:
    """Late, duplicate and replaced events, later logins, statuses that change: all the same."""
    assert not different_rows(steps.by_name["end"].warehouse, full, is_all=True)


def test_refreshes_leave_nothing_behind(steps: Steps) -> None:
    """Rows that a model was to take are gone when it has them: the file would grow every day."""
    query = "select table_name from duckdb_tables() where schema_name = 'main'"
    assert not steps.by_name["end"].warehouse.values(query)


def test_a_day_known_no_more_is_forgotten(steps: Steps) -> None:
    """An order dated days ahead moves as_of_date on; put right, it moves back, and so does all."""
    mistaken, right = (steps.by_name[name].warehouse for name in ("mistake", "put right"))
    query = "select max(ended_at) from marts.fct_sessions"
    assert mistaken.rows(query) > right.rows(query)
    assert not different_rows(right, steps.full_amid, is_all=True)


def test_a_day_loaded_twice_changes_nothing(steps: Steps) -> None:
    """Not a row, and no visitor or customer is even looked at."""
    again = steps.by_name["again"].warehouse
    assert not different_rows(again, steps.by_name["next day"].warehouse)
    query = "select key from raw.touched_keys where kind in ('visitor_id', 'customer_id')"
    assert not again.rows(query)


def test_a_day_costs_a_day(steps: Steps) -> None:
    """Few visitors are looked at, and rows that are as they were lie where they lay."""
    before, after = (steps.by_name[name].warehouse for name in ("first", "next day"))
    touched = after.values("select key from raw.touched_keys where kind = 'visitor_id'")
    visitors = after.values("select visitor_id from marts.fct_sessions")
    assert 0 < len(touched) < len(visitors) / 3
    query = "select * from marts.fct_sessions order by rowid"
    rows_before, rows_after = before.rows(query), after.rows(query)
    unchanged = set(rows_before) & set(rows_after)
    assert rows_after[: len(unchanged)] == [row for row in rows_before if row in unchanged]
    assert len(unchanged) > len(rows_after) / 2


def test_a_day_costs_the_customers_whose_orders_it_changed(steps: Steps) -> None:
    """Those who ordered, or were refunded, or whose order became another one; and no others."""
    before, after = (steps.by_name[name].warehouse for name in ("first", "next day"))
    touched = after.values("select key from raw.touched_keys where kind = 'customer_id'")
    columns = "customer_id, revenue_order_count, net_amount, net_amount_after_refunds_by_order_date"
    query = f"select {columns} from intermediate.int_customer_orders_summed"
    changed = {customer_id for customer_id, *_ in {*before.rows(query)} ^ {*after.rows(query)}}
    assert changed
    assert changed <= touched
    assert len(touched) < len(after.rows(query)) / 2


def test_who_came_touches_no_day_by_itself(steps: Steps) -> None:
    """A login says whose earlier sessions were; their days are counted again where more differs."""
    before, after = (steps.by_name[name].warehouse for name in ("put right", "end"))
    query = "select cast(key as date) from raw.touched_keys where kind = 'session_date'"
    touched = after.values(query)
    whose = "visitor_id, customer_id, visitor_session_number, customer_known_at"
    sessions = "from marts.fct_sessions"
    days = {
        columns: {day for day, *_ in {*before.rows(columns)} ^ {*after.rows(columns)}}
        for columns in (
            f"select session_date, * {sessions}",
            f"select session_date, * exclude ({whose}) {sessions}",
            "select page_date, * from intermediate.int_page_views_counted",
        )
    }
    with_whose, without, of_views = days.values()
    assert touched == without | of_views
    assert with_whose - touched


def test_as_of_date_moves_either_way(shop: Shop, full: Warehouse) -> None:
    """Over one and the same folder: far back, on by four days, and to the end."""
    warehouse = full.copy(shop.folder / "as of")
    for number in (16, 20):
        warehouse.build(*REFRESH_ALONE, as_of_date=str(day_of(number)))
    full_then = shop.warehouse("full then", "parts")
    full_then.build(*REFRESH_ALONE, as_of_date=str(day_of(20)))
    assert not different_rows(warehouse, full_then)
    warehouse.build(*REFRESH_ALONE)
    assert not different_rows(warehouse, full)


def test_a_lone_file_grows(shop: Shop, full: Warehouse) -> None:
    """Its events are late by late_event_days, or tell when they came."""
    warehouse = shop.warehouse("lone", "lone")
    loaded_until = None
    for number in (20, LAST):
        shop.month.write(warehouse.raw, number, is_lone=True)
        warehouse.build(*REFRESH_ALONE)
        rows: list[Row] = [row for day in range(number + 1) for row in shop.month.files[day]]
        if loaded_until:
            assert days_touched(warehouse) == days_of_lone_file(rows, loaded_until)
        loaded_until = loaded_until_of(warehouse)
    assert not different_rows(warehouse, full, with_provenance=False)


def test_half_a_refresh_is_not_complete(steps: Steps) -> None:
    """The ledger says so, and what it touched is not forgotten when the next one goes on."""
    failed, after = (steps.by_name[name].warehouse for name in ("failed", "after a gap"))
    assert not failed.is_complete
    assert after.is_complete
    query = "select kind, key from raw.touched_keys"
    assert set(failed.rows(query)) <= set(after.rows(query))
    assert all(
        step.warehouse.is_complete for name, step in steps.by_name.items() if name != "failed"
    )


def test_a_new_definition_rebuilds(shop: Shop, steps: Steps, full: Warehouse) -> None:
    """At the next refresh, unasked; so does the old one, though the new one was only tried.

    What it is compared with was built slice by slice: that gives what one build of all does.
    """
    warehouse = steps.by_name["end"].warehouse.copy(shop.folder / "definitions")
    warehouse.build("--select", "+int_daily_sessions_cut", session_gap_minutes=20)
    warehouse.build(*REFRESH_ALONE)
    assert not different_rows(warehouse, full)
    warehouse.build(*REFRESH_ALONE, session_gap_minutes=20)
    full_defined = shop.warehouse("full defined", "parts")
    full_defined.build(*REFRESH_ALONE, session_gap_minutes=20, events_per_slice=100)
    run = [file.read_text() for file in (shop.dbt.target / "run").rglob("*.sql")]
    assert len([sql for sql in run if sql.count("set variable slice") > 4]) >= 4
    assert not different_rows(warehouse, full_defined)
    assert different_rows(warehouse, full)


def test_a_warehouse_without_a_ledger_is_built_from_nothing(
    shop: Shop, steps: Steps, full: Warehouse
) -> None:
    """One that an earlier version has built has tables, and no note of what is in them."""
    warehouse = steps.by_name["first"].warehouse.copy(shop.folder / "no ledger")
    with warehouse.connect(read_only=False) as connection:
        for table in LEDGER:
            connection.execute(f"drop table raw.{table}")
    warehouse.build(*REFRESH_ALONE)
    assert not different_rows(warehouse, full)


# Which days are touched, told once more from the files as they were and are.


def test_days_touched_are_those_of_files_that_differ(steps: Steps) -> None:
    """Days of new, replaced and removed files, however late, and days loaded but not known."""
    names = [name for name in steps.by_name if name != "failed"]
    for before, after in pairwise(names):
        old, new = steps.by_name[before], steps.by_name[after]
        assert days_touched(new.warehouse) == days_between_loads(old, new), after


def days_between_loads(old: Step, new: Step) -> set[date]:
    """The days that the second of two refreshes should look at."""
    rows = [row for part in new.parts.values() for row in part]
    known_day = loaded_until_of(old.warehouse).date()
    days = {known_day} | days_from(rows, known_day)
    for name in old.parts.keys() | new.parts.keys():
        before, after = old.parts.get(name), new.parts.get(name)
        if before != after:
            days |= days_of(after or [])
            days |= all_days(days_of(before or []))
    return days


def days_of_lone_file(rows: list[Row], loaded_until: datetime) -> set[date]:
    """The days known last, and those of events that happened or came since then."""
    from_day = loaded_until.date() - timedelta(days=LATE_EVENT_DAYS)
    came = [row for row in rows if str(row["received_at"] or "") >= str(from_day)]
    known_days = all_days({from_day, loaded_until.date()})
    return known_days | days_from(rows, from_day) | days_of(came)


def days_from(rows: list[Row], from_day: date) -> set[date]:
    """The days of events from one day on."""
    return {day for day in days_of(rows) if day >= from_day}


def days_of(rows: list[Row]) -> set[date]:
    """The UTC days of events, of those that have one."""
    texts = {str(row["event_at"])[:10] for row in rows if row["event_at"]}
    return {date.fromisoformat(text) for text in texts if text.startswith("2024")}


def all_days(days: set[date]) -> set[date]:
    """All days from the first to the last one."""
    if not days:
        return set()
    return {min(days) + timedelta(days=count) for count in range((max(days) - min(days)).days + 1)}


def days_touched(warehouse: Warehouse) -> set[date]:
    """The days that the last refresh looked at."""
    return warehouse.values("select utc_date from staging.base_web__days_touched")


def loaded_until_of(warehouse: Warehouse) -> datetime:
    """Up to when the last refresh knew."""
    query = "select loaded_until_at from raw.refreshes order by refresh_number desc limit 1"
    loaded_until = warehouse.rows(query)[0][0]
    assert isinstance(loaded_until, datetime)
    return loaded_until

"""A past day is what it was: states are the same whatever came after, and however they are built.

Of every mart that holds states by as_of_date, whichever those are, each row of eight random days
is compared with what was built on that day, when the shop knew no more. The same builds, one after
the other on one warehouse, show that a refresh gives what a build from nothing gives.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lifecycle.lives import ZONE, Lives, last_of_month, make_lives, months_between
from shops import write_tables
from warehouses import NO_TESTS, Dbt

SEED = 20230301
FIRST_DAY, LAST_DAY = date(2023, 3, 1), date(2023, 11, 29)
END = date(2023, 12, 31)
# Models are fitted, judged and served for a shop of this size too, from its first months on.
ELIGIBLE = {
    "clv_minimum_customers": 100,
    "churn_minimum_customers": 100,
    "churn_minimum_outcomes": 10,
}
SHOWN = 3


def random_days() -> list[date]:
    """Eight days in order, three of them ends of months."""
    rng = random.Random(SEED)
    ends = [last_of_month(month) for month in months_between(FIRST_DAY, LAST_DAY)][:-1]
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days)]
    others = [day for day in days if day not in ends]
    return sorted(rng.sample(ends, 3) + rng.sample(others, 5))


DAYS = random_days()


def end_of(day: date) -> datetime:
    """The UTC time at which a day is over in the shop's zone."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=ZONE).astimezone(UTC)


@dataclass
class PastDays:
    """Warehouses of one shop, and what their state marts held then, in schemas of `notes`."""

    dbt: Dbt
    folder: Path
    lives: Lives
    marts: list[str]
    notes: duckdb.DuckDBPyConnection
    # Of the last of the days: those that were kept, and those that were built again.
    kept: int = 0
    touched: int = 0

    def warehouse(self, name: str) -> Path:
        """The file of a warehouse, in a folder of its own."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder / "cartwright.duckdb"

    def raw(self, until: date | None = None) -> Path:
        """The shop's raw tables: all of them, or as they were on the evening of a day."""
        folder = self.folder / f"raw {until}"
        if folder.exists():
            return folder
        return write_tables(folder, self.lives.tables(end_of(until) if until else None))

    def build(self, warehouse: Path, raw: Path, as_of_date: date, exclude: str = "") -> None:
        """Build the marts, and call the refresh complete.

        As it is for them: nothing else is ever built here, which would take three times as long.
        """
        self.dbt.run(
            *("build", "--select", *(f"+{mart}" for mart in self.marts)),
            *(("--exclude", exclude) if exclude else ()),
            *NO_TESTS,
            warehouse=warehouse,
            variables={"raw_path": str(raw), "as_of_date": str(as_of_date), **ELIGIBLE},
        )
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(
                "update raw.refreshes set is_complete = true, to_rebuild = '[]',"
                f" loaded_until_at = '{end_of(as_of_date):%Y-%m-%d %H:%M:%S}'"
            )

    def note(self, warehouse: Path, name: str) -> None:
        """Copy the state marts of a warehouse, as they are now."""
        self.notes.execute(f"attach '{warehouse}' as built (read_only)")
        self.notes.execute(f'create schema "{name}"')
        for mart in self.marts:
            self.notes.execute(f'create table "{name}".{mart} as from built.marts.{mart}')
        self.notes.execute("detach built")

    def different(self, ours: str, theirs: str, day: date | None = None) -> list[str]:
        """How two copies differ, as a whole or in the rows of a day, be it the latest or not."""
        found = []
        for mart in self.marts:
            columns, where = ("* exclude (is_latest)", f"where as_of_date = '{day}'")
            if day is None:
                columns, where = "*", ""
            queries = [f'select {columns} from "{name}".{mart} {where}' for name in (ours, theirs)]
            for words, pair in (("too many", queries), ("missing", queries[::-1])):
                rows = self.notes.execute(" except all ".join(pair)).fetchall()
                if rows:
                    found.append(f"{mart} on {day or 'all days'}: {len(rows)} rows {words}")
                    found += [f"    {row}" for row in sorted(map(repr, rows))[:SHOWN]]
        return found

    def count(self, name: str, mart: str, day: date) -> int:
        """The rows of a day."""
        query = f"select 1 from \"{name}\".{mart} where as_of_date = '{day}'"
        return len(self.notes.execute(query).fetchall())


def state_marts(manifest: Any) -> Iterable[str]:
    """Every mart that holds states by day, found by its columns."""
    for node in manifest.nodes.values():
        is_mart = node.resource_type == "model" and node.fqn[1] == "marts"
        if is_mart and {"as_of_date", "is_latest"} <= node.columns.keys():
            yield node.name


def lifecycle_marts(manifest: Any) -> Iterable[str]:
    """Every mart of customers' lives."""
    for node in manifest.nodes.values():
        if node.resource_type == "model" and node.fqn[1:3] == ["marts", "lifecycle"]:
            yield node.name


@pytest.fixture(scope="module")
def past(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> PastDays:
    """The eight days, built one after the other on one warehouse, of what was known by then."""
    past = PastDays(
        dbt,
        tmp_path_factory.mktemp("past days"),
        make_lives(1500, 24, seed=SEED),
        sorted(state_marts(dbt.parse())),
        duckdb.connect(),
    )
    warehouse = past.warehouse("refreshed")
    for day in DAYS:
        past.build(warehouse, past.raw(day), day)
        past.note(warehouse, f"then {day}")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select as_of_date in (select cast(key as date) from raw.touched_keys"
            " where kind = 'as_of_date') from intermediate.int_as_of_dates_fingerprinted"
        ).fetchall()
    past.kept, past.touched = len(rows), rows.count((True,))
    return past


def test_the_shop_and_the_marts_are_worth_the_test(past: PastDays) -> None:
    """Enough buyers for models of value from the first day on, and refunds that come later."""
    assert {"fct_customer_rfm", "agg_rfm_segments", "agg_segment_transitions"} <= set(past.marts)
    for day in (DAYS[0], DAYS[-1]):
        orders = [order for life in past.lives.customers for order in life.bought]
        buyers = {
            life.customer_id
            for life in past.lives.customers
            if any(order.day <= day for order in life.bought)
        }
        assert len(buyers) > 500
        assert any(order.day > day for order in orders)
        assert any(
            order.refund and order.day <= day and order.refund.at >= end_of(day) for order in orders
        )


def test_a_past_day_is_what_was_built_then(past: PastDays) -> None:
    """Each of the eight days from all that the shop brought until much later, row by row.

    They are built in one go: the list of days that states are kept for is written beforehand.
    """
    warehouse = past.warehouse("later")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema intermediate")
        connection.execute(
            "create table intermediate.int_as_of_dates_listed (as_of_date date, is_latest boolean)"
        )
        connection.executemany(
            "insert into intermediate.int_as_of_dates_listed values (?, ?)",
            [(day, day == DAYS[-1]) for day in DAYS],
        )
    past.build(warehouse, past.raw(), END, exclude="int_as_of_dates_listed")
    past.note(warehouse, "later")
    for day in DAYS:
        assert all(past.count("later", mart, day) for mart in past.marts), day
        assert not past.different("later", f"then {day}", day)


def test_ends_of_months_stay_what_they_were(past: PastDays) -> None:
    """As the history of every later day, row by row."""
    for day in (day for day in DAYS if day == last_of_month(day)):
        for later in (later for later in DAYS if later > day):
            assert past.count(f"then {later}", "fct_customer_rfm", day)
            assert not past.different(f"then {later}", f"then {day}", day)


def test_refreshes_give_what_a_build_from_nothing_gives(past: PastDays) -> None:
    """All rows of all days kept, when the last of the eight days is built again, later."""
    warehouse = past.warehouse("from nothing")
    past.build(warehouse, past.raw(), DAYS[-1])
    past.note(warehouse, "from nothing")
    assert not past.different("from nothing", f"then {DAYS[-1]}")


def test_a_refresh_builds_the_days_that_changed(past: PastDays) -> None:
    """A new day leaves the ends of months alone; else nothing here would have been refreshed."""
    assert 0 < past.touched <= past.kept - 6


def test_a_warehouse_goes_back_to_a_past_day(past: PastDays) -> None:
    """The refreshed one, with later orders and refunds there, gives the fifth day as it was."""
    warehouse = past.warehouse("refreshed")
    past.build(warehouse, past.raw(), DAYS[4])
    past.note(warehouse, "back")
    assert not past.different("back", f"then {DAYS[4]}")


def test_every_mart_of_customers_is_what_it_was(past: PastDays) -> None:
    """Those of one day too, as profiles: of the rows until then, and of all that came."""
    day = DAYS[4]
    whole = replace(past, marts=sorted(lifecycle_marts(past.dbt.parse())))
    assert len(whole.marts) > 2 * len(past.marts)
    for name, raw in (("all then", past.raw(day)), ("all later", past.raw())):
        warehouse = whole.warehouse(name)
        whole.build(warehouse, raw, day)
        whole.note(warehouse, name)
    assert not whole.different("all later", "all then")
    for mart in ("dim_customer_profiles", "agg_segment_profiles", "agg_cohort_value"):
        assert whole.notes.execute(f'select 1 from "all then".{mart}').fetchone(), mart

"""Sessions and a funnel from N events: this project's formulation, windows, pandas, Polars.

    python -m benchmarks.funnel                            ten million simulated events
    python -m benchmarks.funnel --events 1000000
    python -m benchmarks.funnel --raw-path my/folder       events as Parquet parts, of your own

All do the same work from the same Parquet files, from reading them to a few counts a day:

    1. An event counts that has an id, a device, and a time that as_of_date knows. Of several with
       one id in a UTC day one counts, the first by time, device, name and page type. Bots do not.
    2. A device's session ends where no event follows for 30 minutes or more. Sessions are kept as a
       table: device, first and last event, how many.
    3. The funnel session_purchase in each session: the first view, then the first cart at or after
       it, checkout at or after that, purchase; each within 24 hours of the view.
    4. By day in Europe/Paris: sessions and their events; entries and who reached each step.

The formulations:

    scan      none of it: a scan of the same columns with count(distinct anonymous_id)
    models    bucket first for sessions, else the SQL that dbt compiled of this project's models,
              which checks all of the raw contract and knows any funnel
    buckets   the same formulation for this work alone, one script
    windows   row_number, lag, running sum, a window minimum for each step, all in one statement
    tables    the same windows as dbt projects have them: a table of the events that count, with all
              their columns; one of the same with their session; one of sessions with their steps
    pandas    the same work in pandas, devices as codes
    polars    the same work in Polars, devices as codes, the faster of its engines for each part

All must count the same; and what the marts of a `dbt build` count, but for rows that break the
contract in columns that are not read here, and for purchases, which in the marts also know of
orders. Formulations take turns, each in a process of its own; medians are given, and ratios of
turns of one round. Imports are not measured. Polars is a test tool (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb

from benchmarks import costs
from benchmarks.costs import metered, say, simulate
from benchmarks.dbt_nodes import Node, build

FUNNEL = "session_purchase"
Counts = dict[str, list[int]]  # by date: sessions, events, entries, reached 2, 3, 4
COLUMNS = ("event_id", "anonymous_id", "event_at", "event_name", "page_type", "is_bot")
SCAN = """
    select
        event_name, cast(event_at as date), count(distinct anonymous_id),
        max(event_id), max(page_type), bool_or(is_bot)
    from read_parquet('{raw}/events/*/*.parquet', hive_partitioning = false)
    group by all
"""
# What counts of the raw events; copies are looked at among themselves alone.
READ = """
    rows_read as not materialized (
        select {columns}
        from read_parquet('{raw}/events/*/*.parquet', hive_partitioning = false)
        where event_id is not null and anonymous_id is not null and event_at < timestamp '{until}'
    )
"""
ONE_OF_COPIES = """
    qualify row_number() over (
        partition by event_id, cast(event_at as date)
        order by event_at, anonymous_id, event_name, page_type
    ) = 1
"""
# Ids that may be there twice are found by a hash of id and day, equal neighbours in an order of all
# hashes, quicker than a hash table of them. Of their few rows, which are compared as they
# are, those that do not count are told by where they stand.
DROPPED = f"""
    ids_suspected as materialized (
        select id_hash
        from (select hash(event_id, cast(event_at as date)) as id_hash from rows_read)
        qualify id_hash = lag(id_hash) over (order by id_hash)
    ),
    rows_dropped as materialized (
        select file_index, file_row_number
        from rows_read
        where hash(event_id, cast(event_at as date)) in (from ids_suspected)
        {ONE_OF_COPIES.replace(") = 1", ") > 1")}
    ),
    rows_kept as (
        select *
        from rows_read
        anti join rows_dropped using (file_index, file_row_number)
    )
"""
STEP = """
    case
        when {name} in ('product_view', 'view_item', 'select_item') then 1
        when {name} = 'page_view' and lower(page_type) = 'product' then 1
        when {name} = 'add_to_cart' then 2
        when {name} = 'begin_checkout' then 3
        when {name} = 'purchase' then 4
    end
"""
EVENTS = f"""
    events as (
        select anonymous_id, event_at, {STEP.format(name="lower(event_name)")} as step
        from rows_kept
        where not coalesce(is_bot, false)
    )
"""
# int_daily_sessions_cut without what a session has besides its bounds.
BUCKETS = """
    buckets as materialized (
        select
            anonymous_id,
            epoch_us(event_at) // 1800000000 as bucket,
            min(event_at) as started_at,
            max(event_at) as ended_at,
            count(*) as event_count
            {gathered}
        from events
        group by anonymous_id, bucket
    ),
    -- A bucket goes on with the one before where less than the gap is between them.
    links as materialized (
        select buckets.anonymous_id, buckets.bucket
        from buckets
        join buckets as before
            on before.anonymous_id = buckets.anonymous_id and before.bucket = buckets.bucket - 1
        where buckets.started_at - before.ended_at < interval 30 minute
    ),
    parts as materialized (
        select anonymous_id, bucket, bool_or(is_linked) as is_linked
        from (
            select anonymous_id, bucket, true as is_linked from links
            union all
            select anonymous_id, bucket - 1, false from links
        )
        group by anonymous_id, bucket
    ),
    parts_numbered as (
        select
            buckets.*,
            sum(case when is_linked then 0 else 1 end) over (
                partition by anonymous_id order by bucket rows unbounded preceding
            ) as session_number
        from buckets
        join parts using (anonymous_id, bucket)
    ),
    sessions as (
        select anonymous_id, started_at, ended_at, event_count {columns}
        from buckets
        anti join parts using (anonymous_id, bucket)
        union all
        select anonymous_id, min(started_at), max(ended_at), sum(event_count) {joined}
        from parts_numbered
        group by anonymous_id, session_number
    )
"""
# A time zone is looked up once for each quarter of an hour, which no zone's offset divides.
BY_DAY = """
    select
        cast(
            make_timestamp(quarter * 900000000) at time zone 'UTC' at time zone 'Europe/Paris'
            as date
        ) as entry_date,
        sum(sessions), sum(events), sum(entries), sum(step_2), sum(step_3), sum(step_4)
    from (
        select
            epoch_us(started_at) // 900000000 as quarter, count(*) as sessions,
            sum(event_count) as events, 0 as entries, 0 as step_2, 0 as step_3, 0 as step_4
        from sessions
        group by quarter
        union all
        select
            epoch_us(step_1_at) // 900000000 as quarter, 0, 0,
            count(*), count(step_2_at), count(step_3_at), count(step_4_at)
        from entries
        group by quarter
    )
    group by entry_date
"""
# Views of this name and their tables in the warehouse, of one funnel.
OF_FUNNEL = {
    "ref_funnels": "raw",
    "ref_funnel_steps": "raw",
    "stg_web__funnel_steps": "staging",
    "int_funnel_steps_masked": "intermediate",
}
# What the marts know besides events, which the other formulations do not.
LEFT_OUT = {
    "fct_orders": "marts",
    "int_order_events_derived": "intermediate",
    "int_session_variants_listed": "intermediate",
}
MADE_HERE = (
    *("base_web__events_set_aside", "base_web__events", "stg_web__events"),
    *("stg_web__interactions", "fct_sessions"),
)
SHOWN = 12  # models of the build, the costliest first


class Place(NamedTuple):
    """Where a formulation finds the raw events and the warehouse."""

    raw: Path
    scratch: Path

    @property
    def warehouse(self) -> Path:
        """The built warehouse."""
        return self.scratch / "cartwright.duckdb"

    @property
    def target(self) -> Path:
        """Where dbt leaves what it compiled."""
        return self.scratch / "target"

    @property
    def until(self) -> datetime:
        """The UTC time at which what as_of_date knows ends."""
        return datetime.fromisoformat((self.scratch / "until").read_text())

    def read(self, columns: str = f"{', '.join(COLUMNS)}, file_index, file_row_number") -> str:
        """The CTE that reads the raw events."""
        return READ.format(columns=columns, raw=self.raw, until=self.until)


@dataclass(frozen=True)
class Turn:
    """One run of a formulation: wall and processor seconds, peak resident MB, and its counts."""

    wall: float
    cpu: float
    peak: float
    counts: Counts


@dataclass(frozen=True)
class Contest:
    """What every formulation cost in every round, and what the nodes of the build did."""

    events: int
    rounds: Sequence[Mapping[str, Turn]]
    nodes: Mapping[str, Node]

    @property
    def names(self) -> list[str]:
        """The formulations."""
        return [*self.rounds[0]]

    def cost(self, name: str) -> tuple[float, float, float]:
        """The medians over rounds of wall seconds, processor seconds and peak MB."""
        turns = [each[name] for each in self.rounds]
        return (
            median(t.wall for t in turns),
            median(t.cpu for t in turns),
            median(t.peak for t in turns),
        )

    def ratio(self, one: str, other: str) -> tuple[float, float]:
        """The median over rounds of one formulation's cost to the other's: wall, processor."""
        return (
            median(each[one].wall / each[other].wall for each in self.rounds),
            median(each[one].cpu / each[other].cpu for each in self.rounds),
        )


def connect(place: Place, *, with_warehouse: bool = False) -> duckdb.DuckDBPyConnection:
    """A new database in a file; or one in memory, and the built warehouse as dbt would have it."""
    connection = costs.connect()
    connection.execute(f"set temp_directory = '{place.scratch}/spilled'")
    if with_warehouse:
        connection.execute(f"attach '{place.warehouse}' as cartwright (read_only)")
    else:
        file = place.scratch / "formulation.duckdb"
        file.unlink(missing_ok=True)
        connection.execute(f"attach '{file}' as formulation")
        connection.execute("use formulation")
    return connection


def by_day(connection: duckdb.DuckDBPyConnection, query: str) -> Counts:
    """The entries and the steps reached by entry date that a query gives."""
    return {str(row[0]): list(row[1:]) for row in connection.execute(query).fetchall()}


def scan(place: Place) -> Counts:
    """A bare scan and aggregate of the columns that the funnel needs."""
    connect(place).execute(SCAN.format(raw=place.raw)).fetchall()
    return {}


def models(place: Place) -> Counts:
    """Sessions bucket first; the rest is the SQL that dbt compiled of this project's models."""
    connection = connect(place, with_warehouse=True)
    for name, schema in OF_FUNNEL.items():
        connection.execute(
            f"create view {name} as from cartwright.{schema}.{name} where funnel = '{FUNNEL}'"
        )
    for name, schema in LEFT_OUT.items():
        connection.execute(f"create view {name} as from cartwright.{schema}.{name} where false")
    name = "base_web__events_set_aside"
    connection.execute(f"create table {name} as {compiled(place, name)}")
    for name in ("base_web__events", "stg_web__events"):
        connection.execute(f"create view {name} as {compiled(place, name)}")
    sessions = BUCKETS.format(gathered="", columns="", joined="")
    connection.execute(f"""
        create table fct_sessions as
        from cartwright.marts.fct_sessions where false
        union all by name (
            with events as (select anonymous_id, event_at from stg_web__events where not is_bot),
            {sessions}
            select
                md5(anonymous_id || '|' || cast(started_at as string)) as session_id,
                anonymous_id,
                anonymous_id as visitor_id,
                started_at,
                ended_at,
                event_count,
                row_number() over (partition by anonymous_id order by started_at)
                    as visitor_session_number
            from sessions
        )
    """)
    name = "stg_web__interactions"
    connection.execute(f"create view {name} as {compiled(place, name)}")
    entries = compiled(place, "fct_funnel_entries")
    return by_day(
        connection,
        f"""
            with sessions as (from fct_sessions),
            entries as (from ({entries}))
            {BY_DAY}
        """,
    )


def compiled(place: Place, model: str) -> str:
    """A model's SQL as dbt compiled it, on this benchmark's views where there are any."""
    (file,) = (place.target / "compiled").rglob(f"{model}.sql")
    here = {*OF_FUNNEL, *LEFT_OUT, *MADE_HERE}

    def relation(match: re.Match[str]) -> str:
        return f"memory.main.{match[1]}" if match[1] in here else match[0]

    return re.sub(r'"cartwright"\."\w+"\."(\w+)"', relation, file.read_text())


def buckets(place: Place) -> Counts:
    """Sessions bucket first, which gather the times of their steps as they are cut.

    Of the first step, which is most of them, the first time is enough.
    """
    connection = connect(place)
    sessions = BUCKETS.format(
        gathered=""",
            min(event_at) filter (where step = 1) as step_1_at,
            list(struct_pack(t := event_at, step := step)) filter (where step > 1) as gathered
        """,
        columns=", step_1_at, gathered",
        joined=", min(step_1_at), flatten(list(gathered) filter (where gathered is not null))",
    )
    connection.execute(f"""
        create table sessions as
        with {place.read()}, {DROPPED}, {EVENTS}, {sessions}
        from sessions
    """)
    chain = ""
    for step in (2, 3, 4):
        before = "sessions_entered" if step == 2 else f"steps_{step - 1}"
        chain += f""", steps_{step} as (
            select *, list_min([
                x.t for x in gathered
                if x.step = {step} and x.t >= step_{step - 1}_at
                and x.t <= step_1_at + interval 24 hour
            ]) as step_{step}_at
            from {before}
        )"""
    query = f"""
        with sessions_entered as (
            select step_1_at, gathered
            from sessions
            where step_1_at is not null
        )
        {chain},
        entries as (from steps_4)
        {BY_DAY}
    """
    return by_day(connection, query)


COMPARED = """
    events_compared as (
        select
            *,
            lag(event_at) over (partition by anonymous_id order by event_at) as previous_at
        from events
    )
"""
# Events of one time get one number, whichever of them was taken for the first.
NUMBERED = """
    select
        *,
        sum(case when event_at - previous_at < interval 30 minute then 0 else 1 end) over (
            partition by anonymous_id order by event_at range unbounded preceding
        ) as session_number
    from events_compared
"""


def steps_by_windows() -> str:
    """CTEs from `events_numbered` to `steps_4`: each step's time by a minimum over the session."""
    ctes = []
    for step in (1, 2, 3, 4):
        after = (
            f"and event_at >= step_{step - 1}_at and event_at <= step_1_at + interval 24 hour"
            if step > 1
            else ""
        )
        before = "events_numbered" if step == 1 else f"steps_{step - 1}"
        ctes.append(f"""steps_{step} as (
            select *, min(event_at) filter (where step = {step} {after}) over (
                partition by anonymous_id, session_number
            ) as step_{step}_at
            from {before}
        )""")
    return ", ".join(ctes)


def sessions_by_windows() -> str:
    """The sessions of `steps_4`, each with its steps."""
    return f"""
        select
            anonymous_id,
            min(event_at) as started_at,
            max(event_at) as ended_at,
            count(*) as event_count,
            {", ".join(f"any_value(step_{step}_at) as step_{step}_at" for step in (1, 2, 3, 4))}
        from steps_4
        group by anonymous_id, session_number
    """


def windows(place: Place) -> Counts:
    """Each event gets its session by lag and running sum, and each step by a window minimum."""
    connection = connect(place)
    connection.execute(f"""
        create table sessions as
        with {place.read()},
        rows_kept as (from rows_read {ONE_OF_COPIES}),
        {EVENTS},
        {COMPARED},
        events_numbered as ({NUMBERED}),
        {steps_by_windows()}
        {sessions_by_windows()}
    """)
    return by_day(
        connection, f"with entries as (from sessions where step_1_at is not null) {BY_DAY}"
    )


def tables(place: Place) -> Counts:
    """The same windows over a table of events, which get their session as one more table."""
    connection = connect(place)
    connection.execute(f"""
        create table events as
        with {place.read("*")},
        rows_kept as (from rows_read {ONE_OF_COPIES})
        select *, {STEP.format(name="lower(event_name)")} as step
        from rows_kept
        where not coalesce(is_bot, false)
    """)
    connection.execute(f"create table events_numbered as with {COMPARED} {NUMBERED}")
    connection.execute(
        f"create table sessions as with {steps_by_windows()} {sessions_by_windows()}"
    )
    return by_day(
        connection, f"with entries as (from sessions where step_1_at is not null) {BY_DAY}"
    )


def pandas(place: Place) -> Counts:
    """Devices and names as codes, one sort, then groups of consecutive rows."""
    import pandas as pd  # noqa: PLC0415 - only this formulation needs it
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.dataset as ds  # noqa: PLC0415

    read = ds.dataset(place.raw / "events", format="parquet").to_table(
        columns=[*COLUMNS],
        filter=pc.field("event_id").is_valid()
        & pc.field("anonymous_id").is_valid()
        & (pc.field("event_at") < pc.scalar(place.until)),
    )
    rows = read.to_pandas(categories=["anonymous_id", "event_name", "page_type"])
    del read
    rows["utc_date"] = rows["event_at"].dt.normalize()
    id_of_day = ["event_id", "utc_date"]
    is_repeated = rows.duplicated(id_of_day, keep=False)
    copies = rows[is_repeated].astype(
        dict.fromkeys(("anonymous_id", "event_name", "page_type"), "object")
    )
    order = ["event_at", "anonymous_id", "event_name", "page_type"]
    kept = copies.sort_values(order).drop_duplicates(id_of_day).index
    counted = (~is_repeated | rows.index.isin(kept)) & ~rows["is_bot"].eq(True)
    rows = rows.loc[counted, ["anonymous_id", "event_at", "event_name", "page_type"]]
    names = rows["event_name"].cat.categories.str.lower()
    steps = dict.fromkeys(("product_view", "view_item", "select_item"), 1) | {
        "add_to_cart": 2,
        "begin_checkout": 3,
        "purchase": 4,
    }
    of_name = pd.Series([steps.get(name, 0) for name in names], dtype="int8").to_numpy()
    frame = pd.DataFrame(
        {
            "device": rows["anonymous_id"].cat.codes,
            "event_at": rows["event_at"],
            "step": of_name[rows["event_name"].cat.codes],
        }
    )
    is_product = rows["page_type"].isin(
        [name for name in rows["page_type"].cat.categories if name.lower() == "product"]
    )
    is_page = rows["event_name"].isin(
        [name for name in rows["event_name"].cat.categories if name.lower() == "page_view"]
    )
    frame.loc[is_page & is_product, "step"] = 1
    del rows
    frame = frame.sort_values(["device", "event_at"], ignore_index=True)
    is_start = (frame["device"] != frame["device"].shift()) | (
        frame["event_at"].diff() >= pd.Timedelta(minutes=30)
    )
    frame["session"] = is_start.cumsum()
    groups = frame.groupby("session", sort=False)
    sessions = groups.agg(
        device=("device", "first"),
        started_at=("event_at", "first"),
        ended_at=("event_at", "last"),
        event_count=("event_at", "size"),
    )
    taken = frame.loc[frame["step"] > 0, ["session", "event_at", "step"]]
    firsts = taken[taken["step"] == 1].groupby("session")["event_at"].min()
    entries = firsts.rename("step_1_at").to_frame()
    for number in (2, 3, 4):
        of_step = taken[taken["step"] == number].join(entries, on="session", how="inner")
        is_after = of_step["event_at"] >= of_step[f"step_{number - 1}_at"]
        is_within = of_step["event_at"] <= of_step["step_1_at"] + pd.Timedelta(hours=24)
        reached = of_step[is_after & is_within].groupby("session")["event_at"].min()
        entries[f"step_{number}_at"] = reached

    def date(at: Any) -> Any:  # noqa: ANN401 - pandas has no types
        return at.dt.tz_localize("UTC").dt.tz_convert("Europe/Paris").dt.date

    started = sessions["event_count"].groupby(date(sessions["started_at"]))
    entered = entries.groupby(date(entries["step_1_at"]))
    days = pd.concat([started.size(), started.sum(), entered.count()], axis=1).fillna(0)
    return {str(row[0]): [int(value) for value in row[1:]] for row in days.itertuples()}


def polars(place: Place) -> Counts:
    """The fastest of those tried in Polars: devices as codes, one sort, small frames in between."""
    import polars as pl  # noqa: PLC0415 - only this formulation needs it

    event_at, step = pl.col("event_at"), pl.col("step")
    gap, window = pl.duration(minutes=30), pl.duration(hours=24)
    id_of_day = ["event_id", "utc_date"]
    read = (
        pl.scan_parquet(place.raw / "events/*/*.parquet", hive_partitioning=False)
        .select(COLUMNS)
        .filter(
            pl.col("event_id").is_not_null(),
            pl.col("anonymous_id").is_not_null(),
            event_at < place.until,
        )
        .with_columns(event_at.dt.date().alias("utc_date"))
    )
    repeated = (
        read.group_by(id_of_day).len().filter(pl.col("len") > 1).collect(engine="streaming").lazy()
    )
    copies = (
        read.join(repeated, on=id_of_day, how="semi")
        .sort("event_at", "anonymous_id", "event_name", "page_type", nulls_last=True)
        .unique(id_of_day, keep="first", maintain_order=True)
    )
    single = read.join(repeated, on=id_of_day, how="anti")
    name, page = pl.col("event_name").str.to_lowercase(), pl.col("page_type").str.to_lowercase()
    is_view = name.is_in(["product_view", "view_item", "select_item"])
    is_page = (name == "page_view") & (page == "product")
    frame = (
        pl.concat([single, copies])
        .filter(~pl.col("is_bot").fill_null(value=False))
        .select(
            pl.col("anonymous_id").cast(pl.Categorical).to_physical().alias("device"),
            event_at,
            pl.when(is_view | is_page).then(1)
            .when(name == "add_to_cart").then(2)
            .when(name == "begin_checkout").then(3)
            .when(name == "purchase").then(4)
            .cast(pl.Int8).alias("step"),
        )
        .collect(engine="streaming")
    )  # fmt: skip
    frame = frame.lazy().sort("device", "event_at").collect(engine="streaming")
    is_start = (pl.col("device") != pl.col("device").shift()) | (event_at - event_at.shift() >= gap)
    frame = frame.with_columns(is_start.fill_null(value=True).cum_sum().alias("session"))
    sessions = (
        frame.lazy()
        .group_by("session")
        .agg(
            pl.col("device").first(),
            event_at.min().alias("started_at"),
            event_at.max().alias("ended_at"),
            pl.len().alias("event_count"),
        )
        .collect(engine="streaming")
    )
    steps = frame.filter(step.is_not_null()).select("session", "event_at", "step")
    first = event_at.min()
    of_step = steps.lazy().filter(step == 1).group_by("session").agg(first.alias("step_1_at"))
    entries = of_step.collect(engine="streaming")
    for number in (2, 3, 4):
        after = event_at >= pl.col(f"step_{number - 1}_at")
        of_step = (
            steps.lazy()
            .filter(step == number)
            .join(entries.lazy(), on="session")
            .filter(after, event_at <= pl.col("step_1_at") + window)
            .group_by("session")
            .agg(first.alias(f"step_{number}_at"))
        )
        entries = entries.lazy().join(of_step, on="session", how="left").collect(engine="streaming")

    def date(column: str) -> pl.Expr:
        at = pl.col(column).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")
        return at.dt.date().alias("entry_date")

    days = (
        sessions.group_by(date("started_at"))
        .agg(pl.len(), pl.col("event_count").sum())
        .join(
            entries.group_by(date("step_1_at")).agg(
                pl.len().alias("entries"),
                *(pl.col(f"step_{number}_at").count() for number in (2, 3, 4)),
            ),
            on="entry_date",
            how="left",
        )
        .fill_null(0)
    )
    return {str(row[0]): list(row[1:]) for row in days.rows()}


FORMULATIONS: dict[str, Callable[[Place], Counts]] = {
    "scan": scan,
    "models": models,
    "buckets": buckets,
    "windows": windows,
    "tables": tables,
    "pandas": pandas,
    "polars": polars,
}


def take_turn(formulation: str, place: Place) -> str:
    """Run one formulation here, and tell as JSON what it cost and counted."""
    if formulation == "polars":
        import polars as pl  # noqa: F401, PLC0415 - loading a library is not its work
    if formulation == "pandas":
        import pandas as pd  # noqa: F401, PLC0415
        import pyarrow.dataset as ds  # noqa: F401, PLC0415
    with metered(place.scratch / "spilled") as meter:
        counts = FORMULATIONS[formulation](place)
        lap = meter.lap()
    return json.dumps({"wall": lap.wall, "cpu": lap.cpu, "peak": lap.peak, "counts": counts})


def turn(formulation: str, place: Place) -> Turn:
    """One formulation in a process of its own, whose peak memory is its alone."""
    command = [sys.executable, "-m", "benchmarks.funnel", "--only", formulation]
    folders = ["--raw-path", str(place.raw), "--scratch", str(place.scratch)]
    process = subprocess.run(
        [*command, *folders], stdout=subprocess.PIPE, text=True, check=True, cwd=costs.PROJECT
    )
    return Turn(**json.loads(process.stdout))


def counts_of_marts(connection: duckdb.DuckDBPyConnection) -> Counts:
    """The same counts in the built marts, but for purchases, which also know of orders."""
    return by_day(
        connection,
        f"""
            with sessions as (from marts.fct_sessions),
            entries as (
                select step_1_at, step_2_at, step_3_at, null as step_4_at
                from marts.fct_funnel_entries
                where funnel = '{FUNNEL}'
            )
            {BY_DAY}
        """,
    )


def check(name: str, found: Counts, expected: Counts, tolerance: int = 0) -> None:
    """Raise ValueError where so many counts differ from the expected ones in all."""
    nothing = [0] * 6
    differences = {
        day: sum(
            abs(one - other)
            for one, other in zip(found.get(day, nothing), expected.get(day, nothing), strict=True)
        )
        for day in found.keys() | expected.keys()
    }
    if sum(differences.values()) > tolerance:
        day = max(differences, key=lambda day: differences[day])
        raise ValueError(
            f"{name} counts {found.get(day)} sessions, events, entries and steps on {day}, not "
            f"{expected.get(day)}"
        )


def check_marts(place: Place, counts: Counts) -> None:
    """Raise ValueError where marts count otherwise than rows that break the contract explain."""
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        row = connection.execute(
            "select count(*) from staging.base_web__events_set_aside where verdict = 'rejected'"
        ).fetchone()
        of_marts = counts_of_marts(connection)
    # A row may open a session, be an event of it, enter it and take a step.
    rejected = 4 * row[0] if row else 0
    check("the mart", of_marts, {day: [*each[:5], 0] for day, each in counts.items()}, rejected)


def prepare(place: Place) -> dict[str, Node]:
    """Build the warehouse whose SQL and settings are taken; give what its nodes cost."""
    say("building sessions and funnels ...")
    environment = {
        "CARTWRIGHT_WAREHOUSE": str(place.warehouse),
        "CARTWRIGHT_RAW_PATH": str(place.raw),
    }
    _, nodes = build(environment, place.target, "--select", "+fct_funnel_entries")
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        ((until,),) = connection.execute(
            "select known_until_at from staging.stg_shop__as_of"
        ).fetchall()
    (place.scratch / "until").write_text(str(until))
    return nodes


def report(contest: Contest) -> None:
    """Print medians, ratios by round, and the real models against the scan."""
    scan_wall, scan_cpu, _ = contest.cost("scan")
    print(f"{'':<36} {'wall s':>8} {'cpu s':>8} {'peak MB':>8} {'wall/scan':>9} {'cpu/scan':>8}")
    for name in contest.names:
        wall, cpu, peak = contest.cost(name)
        ratios = contest.ratio(name, "scan")
        print(
            f"{name:<36} {wall:>8.1f} {cpu:>8.1f} {peak:>8,.0f} {ratios[0]:>9.1f} {ratios[1]:>8.1f}"
        )
    print("models of events in the dbt build:")
    web = [node for node in contest.nodes.values() if node.is_web]
    web.sort(key=lambda node: -node.cpu)
    rows = [(f"  {node.name}", [node]) for node in web[:SHOWN]]
    rows.append(("  all of the funnels", [node for node in web if node.group == "funnel"]))
    rows.append(("  all of them", web))
    for name, group in rows:
        wall, cpu = sum(node.wall for node in group), sum(node.cpu for node in group)
        print(
            f"{name:<36} {wall:>8.1f} {cpu:>8.1f} {'':>8} {wall / scan_wall:>9.1f}"
            f" {cpu / scan_cpu:>8.1f}"
        )
    print(f"\n{'':<36} {'wall':>8} {'cpu':>8}")
    for ours in ("models", "buckets"):
        for other in ("windows", "tables", "pandas", "polars"):
            wall, cpu = contest.ratio(ours, other)
            print(f"{ours + ' / ' + other:<36} {wall:>8.2f} {cpu:>8.2f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails or counts differ."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.funnel",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=10_000_000, help="how many to simulate")
    parser.add_argument("--raw-path", type=Path, help="measure this folder instead of simulating")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of turns (default 3)")
    parser.add_argument("--only", choices=FORMULATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only:
        print(take_turn(options.only, Place(options.raw_path, options.scratch)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        try:
            raw = options.raw_path or simulate(Path(scratch) / "raw", options.events)
            report(measure_funnel(raw.resolve(), Path(scratch), options.repeat))
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\nfailed: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def measure_funnel(raw: Path, scratch: Path, repeat: int) -> Contest:
    """Build, let the formulations take turns, check their counts.

    Raises ValueError where counts differ, CalledProcessError where a build or a formulation fails.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    place = Place(raw, scratch)
    nodes = prepare(place)
    rounds: list[dict[str, Turn]] = []
    for number in range(repeat):
        rounds.append({})
        for name in FORMULATIONS:
            say(f"round {number + 1} of {repeat}: {name} ...")
            rounds[-1][name] = turn(name, place)
            if name not in ("scan", "models"):
                check(name, rounds[-1][name].counts, rounds[0]["buckets"].counts)
    of_models, of_script = rounds[0]["models"].counts, rounds[0]["buckets"].counts
    check_marts(place, of_models)
    check_marts(place, of_script)
    events = sum(counts[1] for counts in of_script.values())
    return Contest(events, rounds, nodes)


if __name__ == "__main__":
    sys.exit(main())

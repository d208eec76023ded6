"""The funnel at N events: this project's formulation, a bare scan, windows, and Polars.

    python benchmarks/funnel.py                            ten million simulated events
    python benchmarks/funnel.py --events 1000000
    python benchmarks/funnel.py --raw-path my/folder       events as Parquet parts, of your own

Each formulation makes the funnel session_purchase from the events: sessions, then the ordered steps
view, cart, checkout, purchase within a session and 24 hours, then entries and steps reached by day:

    scan      none of it: count(distinct anonymous_id) by day and event, the same columns
    models    sessions bucket first, then the SQL of this project's own models, for any funnel
    buckets   the same sessions, and this one funnel by lists of times, written by hand
    windows   the usual way: lag, running sum, a window minimum for each step
    polars    the same work in Polars, streaming

All must give the same counts, and those of the marts in a full `dbt build`, whose models of events
are measured as well. Formulations take turns, each in a process of its own; medians are given, and
ratios of turns of one round. Polars is one of the test tools (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb

from benchmarks.build import measure
from benchmarks.dbt_nodes import Node, build

FUNNEL = "session_purchase"
Counts = dict[str, list[int]]  # by entry date
# As in profiles.yml.
SETTINGS = """
    set TimeZone = 'UTC';
    set preserve_insertion_order = false;
    set memory_limit = '4GB';
"""
SCAN = """
    select event_name, cast(event_at as date), count(distinct anonymous_id)
    from read_parquet('{raw}/events/*/*.parquet', hive_partitioning = false)
    group by all
"""
EVENTS = """
    select
        anonymous_id,
        event_at,
        case
            when event_name = 'product_view' then 1
            when event_name = 'page_view' and page_type = 'product' then 1
            when event_name = 'add_to_cart' then 2
            when event_name = 'begin_checkout' then 3
            when event_name = 'purchase' then 4
        end as step
    from cartwright.staging.stg_web__events
    where not is_bot
"""
# int_daily_sessions_cut without what a session has besides its bounds.
BUCKETS = """
    buckets as materialized (
        select
            anonymous_id,
            epoch_us(event_at) // 1800000000 as bucket,
            min(event_at) as started_at,
            max(event_at) as ended_at,
            {gathered} as gathered
        from events
        group by anonymous_id, bucket
    ),
    buckets_compared as (
        select
            *,
            lag(ended_at) over device as previous_ended_at,
            lead(started_at) over device as next_started_at
        from buckets
        window device as (partition by anonymous_id order by bucket)
    ),
    buckets_bounded as materialized (
        select
            *,
            coalesce(started_at - previous_ended_at >= interval 30 minute, true) as is_start,
            coalesce(next_started_at - ended_at >= interval 30 minute, true) as is_end
        from buckets_compared
    ),
    parts_numbered as (
        select
            *,
            sum(case when is_start then 1 else 0 end) over (
                partition by anonymous_id order by bucket rows unbounded preceding
            ) as session_number
        from buckets_bounded
        where not (is_start and is_end)
    ),
    sessions as (
        select anonymous_id, started_at, ended_at, gathered
        from buckets_bounded
        where is_start and is_end
        union all
        select anonymous_id, min(started_at), max(ended_at), {joined}
        from parts_numbered
        group by anonymous_id, session_number
    )
"""
BY_DAY = """
    select
        cast(step_1_at at time zone 'UTC' at time zone 'Europe/Paris' as date) as entry_date,
        count(*) as entries,
        count(step_2_at) as reached_2,
        count(step_3_at) as reached_3,
        count(step_4_at) as reached_4
    from entries
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
MADE_HERE = ("stg_web__interactions", "int_funnel_events_gathered", "fct_sessions")


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
    def judged(self) -> Path:
        """The few events that needed a verdict, as Parquet, for Polars."""
        return self.scratch / "judged.parquet"


@dataclass(frozen=True)
class Turn:
    """One run of a formulation: wall and processor seconds, peak resident MB, and its counts."""

    wall: float
    cpu: float
    peak: float
    counts: Counts


def connect(place: Place) -> duckdb.DuckDBPyConnection:
    """A database in memory with the built warehouse beside it, as dbt would have it."""
    connection = duckdb.connect()
    connection.execute(SETTINGS + f"set temp_directory = '{place.scratch}/spilled'")
    connection.execute(f"attach '{place.warehouse}' as cartwright (read_only)")
    return connection


def by_day(connection: duckdb.DuckDBPyConnection, query: str) -> Counts:
    """The entries and the steps reached by entry date that a query gives."""
    return {str(row[0]): list(row[1:]) for row in connection.execute(query).fetchall()}


def scan(place: Place) -> Counts:
    """A bare scan and aggregate of the columns that the funnel needs."""
    connect(place).execute(SCAN.format(raw=place.raw)).fetchall()
    return {}


def models(place: Place) -> Counts:
    """Sessions bucket first; from there on the SQL that dbt compiled of this project's models."""
    connection = connect(place)
    for name, schema in OF_FUNNEL.items():
        connection.execute(
            f"create view {name} as from cartwright.{schema}.{name} where funnel = '{FUNNEL}'"
        )
    for name, schema in LEFT_OUT.items():
        connection.execute(f"create view {name} as from cartwright.{schema}.{name} where false")
    sessions = BUCKETS.format(gathered="null", joined="null")
    connection.execute(f"""
        create table fct_sessions as
        from cartwright.marts.fct_sessions where false
        union all by name (
            with events as ({EVENTS}), {sessions}
            select
                md5(anonymous_id || '|' || cast(started_at as string)) as session_id,
                anonymous_id,
                anonymous_id as visitor_id,
                started_at,
                ended_at,
                epoch_us(started_at) as visitor_session_number -- tells a visitor's sessions apart
            from sessions
        )
    """)
    for name in ("stg_web__interactions", "int_funnel_events_gathered"):
        connection.execute(f"create view {name} as {compiled(place, name)}")
    return by_day(
        connection,
        f"""
            select entry_date, count(*), count(step_2_at), count(step_3_at), count(step_4_at)
            from ({compiled(place, "fct_funnel_entries")}) as entries
            group by entry_date
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
    """Sessions bucket first, which gather the times of their steps as they are cut."""
    sessions = BUCKETS.format(
        gathered="list(struct_pack(t := event_at, step := step)) filter (where step is not null)",
        joined="flatten(list(gathered) filter (where gathered is not null))",
    )
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
        with events as ({EVENTS}), {sessions},
        sessions_entered as (
            select gathered, list_min([x.t for x in gathered if x.step = 1]) as step_1_at
            from sessions
            where gathered is not null
        )
        {chain},
        entries as (from steps_4 where step_1_at is not null)
        {BY_DAY}
    """
    return by_day(connect(place), query)


def windows(place: Place) -> Counts:
    """Each event gets its session by lag and running sum, and each step by a window minimum."""
    chain = ""
    for step in (1, 2, 3, 4):
        after = (
            f"and event_at >= step_{step - 1}_at and event_at <= step_1_at + interval 24 hour"
            if step > 1
            else ""
        )
        before = "events_numbered" if step == 1 else f"steps_{step - 1}"
        chain += f""", steps_{step} as (
            select *, min(event_at) filter (where step = {step} {after}) over (
                partition by anonymous_id, session_number
            ) as step_{step}_at
            from {before}
        )"""
    query = f"""
        with events as ({EVENTS}),
        events_compared as (
            select
                *,
                lag(event_at) over (partition by anonymous_id order by event_at) as previous_at
            from events
        ),
        events_numbered as (
            select
                *,
                sum(case when event_at - previous_at < interval 30 minute then 0 else 1 end) over (
                    partition by anonymous_id order by event_at rows unbounded preceding
                ) as session_number
            from events_compared
        )
        {chain},
        entries as (
            select distinct
                anonymous_id, session_number, step_1_at, step_2_at, step_3_at, step_4_at
            from steps_4
            where step_1_at is not null
        )
        {BY_DAY}
    """
    return by_day(connect(place), query)


def polars(place: Place) -> Counts:
    """The fastest of those tried in Polars: devices as codes, one sort, small frames in between."""
    import polars as pl  # noqa: PLC0415 - only this formulation needs it

    event_at, step = pl.col("event_at"), pl.col("step")
    gap, window = pl.duration(minutes=30), pl.duration(hours=24)
    columns = ["anonymous_id", "event_name", "page_type", "event_at", "is_bot"]
    judged = pl.scan_parquet(place.judged)
    key = [pl.col("event_id"), event_at.dt.date()]
    events = pl.concat(
        [
            pl.scan_parquet(place.raw / "events/*/*.parquet", hive_partitioning=False)
            .filter(pl.col("event_id").is_not_null(), event_at.is_not_null())
            .join(judged.filter(event_at.is_not_null()), on=key, how="anti")
            .select(columns),
            judged.filter(pl.col("verdict") == "kept").select(columns),
        ]
    )
    name = pl.col("event_name").str.to_lowercase()
    is_view = name.is_in(["product_view", "view_item", "select_item"])
    is_page = (name == "page_view") & (pl.col("page_type") == "product")
    until = judged.select("known_until_at").first().collect().item()
    frame = (
        events.filter(~pl.col("is_bot").fill_null(value=False), event_at < until)
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
    steps = (
        frame.lazy()
        .with_columns(is_start.fill_null(value=True).cum_sum().alias("session"))
        .filter(step.is_not_null())
        .select("session", "event_at", "step")
        .collect(engine="streaming")
    )
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
    entry_at = pl.col("step_1_at").dt.replace_time_zone("UTC")
    days = entries.group_by(
        entry_at.dt.convert_time_zone("Europe/Paris").dt.date().alias("entry_date")
    ).agg(pl.len(), *(pl.col(f"step_{number}_at").count() for number in (2, 3, 4)))
    return {str(row[0]): list(row[1:]) for row in days.rows()}


FORMULATIONS: dict[str, Callable[[Place], Counts]] = {
    "scan": scan,
    "models": models,
    "buckets": buckets,
    "windows": windows,
    "polars": polars,
}


def take_turn(formulation: str, place: Place) -> str:
    """Run one formulation here, and tell as JSON what it cost and counted."""
    if formulation == "polars":
        import polars as pl  # noqa: F401, PLC0415 - loading a library is not its work
    wall, cpu = time.perf_counter(), time.process_time()
    counts = FORMULATIONS[formulation](place)
    return json.dumps(
        {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "counts": counts,
        }
    )


def turn(formulation: str, place: Place) -> Turn:
    """One formulation in a process of its own, whose peak memory is its alone."""
    command = [sys.executable, __file__, "--only", formulation]
    folders = ["--raw-path", str(place.raw), "--scratch", str(place.scratch)]
    process = subprocess.run([*command, *folders], stdout=subprocess.PIPE, text=True, check=True)
    return Turn(**json.loads(process.stdout))


def counts_of_marts(place: Place) -> Counts:
    """The same counts in the built marts, but for purchases, which also know of orders."""
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        return by_day(
            connection,
            f"""
                select
                    entry_date,
                    sum(entry_count) filter (where step_number = 1),
                    sum(reached_count) filter (where step_number = 2),
                    sum(reached_count) filter (where step_number = 3)
                from cartwright.marts.agg_funnel_daily
                where funnel = '{FUNNEL}'
                group by entry_date
            """,
        )


def check(name: str, found: Counts, expected: Counts) -> None:
    """Raise ValueError with the first day on which counts differ from the expected ones."""
    for day in sorted(expected.keys() | found.keys()):
        pair = found.get(day, []), expected.get(day, [])
        if pair[0] != pair[1]:
            raise ValueError(f"{name} counts {pair[0]} entries and steps on {day}, not {pair[1]}")


def prepare(place: Place) -> dict[str, Node]:
    """Build the warehouse that the formulations read from; give what its nodes cost."""
    print("building the warehouse ...", file=sys.stderr)
    environment = {
        "CARTWRIGHT_WAREHOUSE": str(place.warehouse),
        "CARTWRIGHT_RAW_PATH": str(place.raw),
    }
    _, nodes = build(environment, place.target)
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        connection.execute(f"""
            copy (
                from cartwright.staging.base_web__events_set_aside
                cross join cartwright.staging.stg_shop__as_of
            ) to '{place.judged}' (format parquet)
        """)
    return nodes


def report(rounds: Sequence[Mapping[str, Turn]], nodes: Mapping[str, Node]) -> None:
    """Print medians, ratios by round, and the real models against the scan."""
    scan_wall, scan_cpu, _ = cost(rounds, "scan")
    print(f"{'':<36} {'wall s':>8} {'cpu s':>8} {'peak MB':>8} {'wall/scan':>9} {'cpu/scan':>8}")
    for name in FORMULATIONS:
        wall, cpu, peak = cost(rounds, name)
        ratios = ratio(rounds, name, "scan")
        print(
            f"{name:<36} {wall:>8.1f} {cpu:>8.1f} {peak:>8,.0f} {ratios[0]:>9.1f} {ratios[1]:>8.1f}"
        )
    print("models of events in a full dbt build:")
    web = sorted((node for node in nodes.values() if node.is_web), key=lambda node: -node.cpu)
    rows = [(f"  {node.name}", [node]) for node in web[:SHOWN]]
    rows.append(("  all of the funnels", [node for node in web if node.is_of_funnels]))
    rows.append(("  all of them", web))
    for name, group in rows:
        wall, cpu = sum(node.wall for node in group), sum(node.cpu for node in group)
        print(
            f"{name:<36} {wall:>8.1f} {cpu:>8.1f} {'':>8} {wall / scan_wall:>9.1f}"
            f" {cpu / scan_cpu:>8.1f}"
        )
    print(f"\n{'':<36} {'wall':>8} {'cpu':>8}")
    for ours in ("models", "buckets"):
        for other in ("windows", "polars"):
            wall, cpu = ratio(rounds, ours, other)
            print(f"{ours + ' / ' + other:<36} {wall:>8.2f} {cpu:>8.2f}")


def cost(rounds: Sequence[Mapping[str, Turn]], name: str) -> tuple[float, float, float]:
    """The medians over rounds of wall seconds, processor seconds and peak MB."""
    turns = [each[name] for each in rounds]
    return (
        median(t.wall for t in turns),
        median(t.cpu for t in turns),
        median(t.peak for t in turns),
    )


def ratio(rounds: Sequence[Mapping[str, Turn]], one: str, other: str) -> tuple[float, float]:
    """The median over rounds of one formulation's cost to the other's: wall, processor."""
    return (
        median(each[one].wall / each[other].wall for each in rounds),
        median(each[one].cpu / each[other].cpu for each in rounds),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails or counts differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
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
            run(Place(options.raw_path or Path(scratch) / "raw", Path(scratch)), options)
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\nfailed: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def run(place: Place, options: argparse.Namespace) -> None:
    """Simulate, build, let the formulations take turns, check their counts, report."""
    if not options.raw_path:
        print(f"simulating {options.events:,} events ...", file=sys.stderr)
        simulate = [sys.executable, "-m", "seeds.simulator", "parquet", "--out", str(place.raw)]
        measure([*simulate, "--events", str(options.events)], {})
    nodes = prepare(place)
    rounds: list[dict[str, Turn]] = []
    for number in range(options.repeat):
        rounds.append({})
        for name in FORMULATIONS:
            print(f"round {number + 1} of {options.repeat}: {name} ...", file=sys.stderr)
            rounds[-1][name] = turn(name, place)
            if name not in ("scan", "models"):
                check(name, rounds[-1][name].counts, rounds[-1]["models"].counts)
    of_models = {day: numbers[:3] for day, numbers in rounds[0]["models"].counts.items()}
    check("the mart", counts_of_marts(place), of_models)
    report(rounds, nodes)


if __name__ == "__main__":
    sys.exit(main())

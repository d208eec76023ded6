"""The cost of a day's refresh, by how much history the warehouse has.

    python -m benchmarks.refresh                           30, 120 and 365 days, 27,000 events each
    python -m benchmarks.refresh --days 7 60 --events-per-day 3000
    python -m benchmarks.refresh --raw-path my/folder      Parquet, with events/event_date=*/ parts

All warehouses end on one day and begin so many days before it, and so do their orders, messages
and experiments. Each is built in full, then gets the next days, one `dbt build` each. They take
turns with the same day, so that a ratio is between refreshes that load the same events: 1 is flat.
A build is a process of its own, as a nightly job would be (dbtRunner in it, without tests). On a
machine that does other things as well, trust processor seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.costs import Cost, say, simulate
from benchmarks.dbt_nodes import HOOKS, Node, build

# Tables that are cut to the days of the events, by a time or by their orders; others come whole.
TIMES = {"orders": "ordered_at", "messages": "sent_at", "experiments": "exposed_at"}
OF_ORDERS = ("order_items", "payments", "refunds")
LATE = "late-"  # and the day of arrival: the name of a file that comes after its day's others
SHOWN = 15  # models, those first that grow most


@dataclass(frozen=True)
class Run:
    """One dbt build: the whole process, its nodes by name, how many keys of a kind it touched."""

    whole: Cost
    nodes: Mapping[str, Node]
    touched: Mapping[str, int]

    @property
    def web_cpu(self) -> float:
        """Processor seconds of the models that are made of events."""
        return sum(node.cpu for node in self.nodes.values() if node.is_web)

    @property
    def hooks_cpu(self) -> float:
        """Processor seconds of the hooks: the check of the folder, the ledger of refreshes."""
        return self.nodes[HOOKS].cpu

    @property
    def shop_cpu(self) -> float:
        """Processor seconds of all others, seeds included: they are built in full each time."""
        return sum(node.cpu for node in self.nodes.values()) - self.web_cpu - self.hooks_cpu

    @property
    def dbt_cpu(self) -> float:
        """Processor seconds of dbt itself: Python, parsing, writing artifacts."""
        return self.whole.cpu - sum(node.cpu for node in self.nodes.values())

    @property
    def web_wall(self) -> float:
        """Wall seconds of the models that are made of events."""
        return sum(node.wall for node in self.nodes.values() if node.is_web)

    @property
    def nodes_cpu(self) -> float:
        """Processor seconds of all nodes: the process without what dbt does for itself."""
        return sum(node.cpu for node in self.nodes.values())

    @property
    def nodes_wall(self) -> float:
        """Wall seconds of all nodes."""
        return sum(node.wall for node in self.nodes.values())


SHARES: dict[str, Callable[[Run], float]] = {
    "models of events": lambda run: run.web_cpu,
    "all nodes, without dbt itself": lambda run: run.nodes_cpu,
    "whole process": lambda run: run.whole.cpu,
}


@dataclass
class Shop:
    """A warehouse with so many days of history, in a folder of its own."""

    days: int
    first_day: date
    folder: Path
    builds: list[Run] = field(default_factory=list)  # the full one, then the refreshes

    @property
    def warehouse(self) -> Path:
        """Its work file."""
        return self.folder / "cartwright.duckdb"

    @property
    def raw(self) -> Path:
        """Its raw folder."""
        return self.folder / "raw"

    def receive(self, source: Path, day: date) -> None:
        """Bring the raw folder up to the end of a day."""
        for part, part_day in parts(source):
            if self.first_day <= part_day <= day:
                for file in part.iterdir():
                    if arrival(file, part_day) <= day:
                        link(file, self.raw / "events" / part.name / file.name)
        for file in source.glob("*.parquet"):
            if file.stem not in {*TIMES, *OF_ORDERS}:
                link(file, self.raw / file.name)
        cut_tables(source, self.raw, self.first_day, day)

    def load(self, source: Path, day: date) -> None:
        """Bring the raw folder up to the end of a day, and build."""
        self.receive(source, day)
        environment = {
            "CARTWRIGHT_WAREHOUSE": str(self.warehouse),
            "CARTWRIGHT_RAW_PATH": str(self.raw),
        }
        whole, nodes = build(environment, self.folder / "target")
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            ledger = connection.execute("select count(*) from raw.refreshes where is_complete")
            if ledger.fetchall() != [(len(self.builds) + 1,)]:
                raise ValueError(f"the refresh of {day} is not complete in the ledger")
            touched = connection.execute(
                "select kind, count(distinct key) from raw.touched_keys group by kind"
            )
            self.builds.append(Run(whole, nodes, dict(touched.fetchall())))


def arrival(file: Path, day: date) -> date:
    """When a file of a day's part arrives: on that day, or on the one in the name of a late one."""
    arrives = file.stem.removeprefix(LATE)
    return day if arrives == file.stem else date.fromisoformat(arrives)


def parts(source: Path) -> list[tuple[Path, date]]:
    """The folders of events, each with its day, in their order."""
    folders = sorted((source / "events").glob("event_date=*"))
    return [(folder, date.fromisoformat(folder.name.split("=")[1])) for folder in folders]


def link(file: Path, target: Path) -> None:
    """Put a file in a second place, if it is not there; no copy, where one disk holds both."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def cut_tables(source: Path, raw: Path, first_day: date, last_day: date) -> None:
    """Write the tables that have a time with the rows of those days alone."""
    until = last_day + timedelta(days=1)
    with duckdb.connect() as connection:
        for table, time in TIMES.items():
            connection.execute(f"""
                copy (
                    from '{source}/{table}.parquet'
                    where {time} >= timestamp '{first_day}' and {time} < timestamp '{until}'
                ) to '{raw}/{table}.parquet' (format parquet)
            """)
        for table in OF_ORDERS:
            connection.execute(f"""
                copy (
                    from '{source}/{table}.parquet'
                    where order_id in (select order_id from '{raw}/orders.parquet')
                ) to '{raw}/{table}.parquet' (format parquet)
            """)


def measure_refreshes(
    scratch: Path, raw_path: Path | None, histories: Sequence[int], per_day: int, refreshes: int
) -> list[Shop]:
    """Build every history in full, then refresh them day by day, in turns; the shortest is first.

    Raises ValueError where the folder has too few days, CalledProcessError where a build fails.
    """
    needed = max(histories) + refreshes
    # The last part is of a day that is not complete.
    source = raw_path or simulate(scratch / "source", per_day * (needed + 1), needed + 1)
    days = [day for _, day in parts(source)][:-1]
    if len(days) < needed:
        raise ValueError(
            f"{source} has {len(days)} complete days of events, which is too few for"
            f" {max(histories)} days and {refreshes} refreshes"
        )
    end = len(days) - refreshes
    shops = [Shop(n, days[end - n], scratch / str(n)) for n in sorted(histories)]
    for day in days[end - 1 :]:
        for shop in shops:
            what = "refresh" if shop.builds else "full build"
            say(f"{shop.days} days of history: {what}, {day} ...")
            shop.load(source, day)
    return shops


def growth(shops: Sequence[Shop], cost: Callable[[Run], float]) -> float:
    """How many times a refresh after the longest history costs one after the shortest (median)."""
    pairs = zip(shops[0].builds[1:], shops[-1].builds[1:], strict=True)
    return median(cost(after_long) / cost(after_short) for after_short, after_long in pairs)


def share(shop: Shop, cost: Callable[[Run], float]) -> float:
    """What share of a full build of its history a refresh costs (median)."""
    return median(map(cost, shop.builds[1:])) / cost(shop.builds[0])


def report(shops: Sequence[Shop]) -> None:
    """Print medians over the refreshes, and the longest history's ratios to the shortest's."""
    print(f"{'':<40}" + "".join(f"{shop.days:>7} d" for shop in shops) + f"{'ratio':>8}")
    fulls = [shop.builds[:1] for shop in shops]
    refreshes = [shop.builds[1:] for shop in shops]
    print("full build, cpu s")
    print_row("  whole process", fulls, lambda run: run.whole.cpu)
    print_row("  models of events", fulls, lambda run: run.web_cpu)
    print("a day's refresh, cpu s")
    print_row("  whole process", refreshes, lambda run: run.whole.cpu)
    print_row("    dbt itself", refreshes, lambda run: run.dbt_cpu)
    print_row("    hooks", refreshes, lambda run: run.hooks_cpu)
    print_row("    the shop's other tables, in full", refreshes, lambda run: run.shop_cpu)
    print_row("    models of events", refreshes, lambda run: run.web_cpu)
    for name in growing(refreshes)[:SHOWN]:
        print_row(f"      {name}", refreshes, cpu_of(name))
    print("a day's refresh, wall s")
    print_row("  whole process", refreshes, lambda run: run.whole.wall)
    print_row("  models of events", refreshes, lambda run: run.web_wall)
    print("keys touched in a refresh")
    for kind in ("utc_date", "anonymous_id", "visitor_id"):
        print_row(f"  {kind}", refreshes, keys_touched(kind))
    print("a day's refresh / the full build of its history, cpu")
    for title, cpu in SHARES.items():
        print(f"  {title:<38}" + "".join(f"{share(shop, cpu):>9.3f}" for shop in shops))


def cpu_of(model: str) -> Callable[[Run], float]:
    """What gives a run's processor seconds of one model."""
    return lambda run: run.nodes[model].cpu


def keys_touched(kind: str) -> Callable[[Run], float]:
    """What gives how many keys of a kind a run touched."""
    return lambda run: run.touched.get(kind, 0)


def growing(refreshes: Sequence[Sequence[Run]]) -> list[str]:
    """The models of events, those first whose refresh costs most more after a long history."""
    shortest, longest = refreshes[0], refreshes[-1]
    growth = {
        name: median(run.nodes[name].cpu for run in longest)
        - median(run.nodes[name].cpu for run in shortest)
        for name, node in longest[0].nodes.items()
        if node.is_web
    }
    return sorted(growth, key=lambda name: -growth[name])


def print_row(title: str, builds: Sequence[Sequence[Run]], value: Callable[[Run], float]) -> None:
    """Print a value's medians by history, and the median ratio of builds with the same events."""
    values = [[value(run) for run in runs] for runs in builds]
    medians = "".join(f"{median(each):>9,.2f}" for each in values)
    ratios = [last / first for first, last in zip(values[0], values[-1], strict=True) if first]
    print(f"{title:<40}{medians}" + (f"{median(ratios):>8.2f}" if ratios else ""))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails or there are too few days."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.refresh",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--days", type=int, nargs="+", default=[30, 120, 365], help="histories to compare"
    )
    parser.add_argument("--events-per-day", type=int, default=27_000, help="how many to simulate")
    parser.add_argument("--refreshes", type=int, default=3, help="days to load, one by one")
    parser.add_argument("--raw-path", type=Path, help="take this folder instead of simulating")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            shops = measure_refreshes(
                Path(scratch),
                options.raw_path,
                options.days,
                options.events_per_day,
                options.refreshes,
            )
            report(shops)
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\nfailed: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What customers' lives cost at a million of them: time and memory, model by model.

    python benchmarks/lifecycle.py                       1,000,000 customers, 5 million orders
    python benchmarks/lifecycle.py --customers 100000
    python benchmarks/lifecycle.py --refreshes 2         and two days more, refreshed

A shop of accounts, orders and lines alone, over three years, is drawn in SQL: rates and lifetimes
differ by customer, so that there is something to fit. All lifecycle marts are built from nothing,
with the history of lifecycle_history_months, without dbt's tests; then a day at a time. Processor
seconds are those to trust on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.build import Cost
from benchmarks.dbt_nodes import Node, build

LAST_DAY = date(2026, 6, 30)
DAYS = 3 * 365
SHOWN = 20

# A uniform draw in (0, 1) from a number: hash() of two arguments is no draw of its own.
DRAW = "create macro draw(n, salt) as (hash(hash(n, salt)) % 1000000007 + 0.5) / 1000000007"
CUSTOMERS = """
    create table people as
    select
        n,
        -- Orders a year, skewed; the days from the first order until nothing more is ordered.
        0.6 - 2.6 * ln(draw(n, 'rate')) as rate,
        cast(draw(n, 'start') * {days} as bigint) as start_day,
        cast(-1200 * ln(draw(n, 'life')) as bigint) as life_days
    from range({customers}) as numbers (n)
"""
# The k-th order comes so many days after the first one, as long as the customer lives.
ORDERS = """
    create table orders_made as
    with ordinals as (select unnest(range(60)) as k),
    gaps as (
        select
            n, k, start_day, life_days,
            case when k = 0 then 0 else -365 / rate * ln(draw(n * 64 + k, 'gap')) end as gap
        from people cross join ordinals
        where k < 4 + rate * 6
    ),
    places as (
        select
            n, k, life_days,
            start_day
            + sum(gap) over (partition by n order by k rows unbounded preceding) as at_day,
            sum(gap) over (partition by n order by k rows unbounded preceding) as age_days
        from gaps
    )
    select
        'O' || (n * 64 + k) as order_id,
        'C' || n as customer_id,
        timestamp '{first_day}'
        + to_seconds(cast(at_day * 86400 as bigint)) as ordered_at,
        n * 64 + k as number
    from places
    where at_day < {days} and (k = 0 or age_days < life_days)
"""
TABLES = {
    "customers": (
        "select 'C' || n as customer_id, timestamp '{first_day}' + to_days(cast(start_day as int))"
        " as created_at, 'FR' as country from people"
    ),
    "orders": (
        "select order_id, customer_id, ordered_at, 'delivered' as status, 'EUR' as currency"
        " from orders_made"
    ),
    "order_items": (
        "select order_id, 1 as line_number, 'P' || cast(draw(number, 'product') * 200 as int)"
        " as product_id, 1 + cast(draw(number, 'units') * 2 as int) as quantity,"
        " cast(10 + 40 * draw(number, 'price') as decimal(18, 2)) as unit_price,"
        " 8.00 as unit_cost from orders_made"
    ),
}


def write_shop(folder: Path, customers: int) -> int:
    """Write the shop as Parquet into `folder`; gives the number of its orders."""
    folder.mkdir(parents=True)
    values = {
        "customers": customers,
        "days": DAYS,
        "first_day": LAST_DAY - timedelta(days=DAYS - 1),
    }
    with duckdb.connect() as connection:
        for statement in (DRAW, CUSTOMERS, ORDERS):
            connection.execute(statement.format(**values))
        for table, query in TABLES.items():
            path = folder / f"{table}.parquet"
            connection.execute(f"copy ({query.format(**values)}) to '{path}' (format parquet)")
        row = connection.execute("select count(*) from orders_made").fetchone()
    return int(row[0]) if row else 0


def run(scratch: Path, options: argparse.Namespace) -> None:
    """Build and refresh in `scratch`, and print what each model cost."""
    print(f"drawing {options.customers:,} customers ...", file=sys.stderr)
    orders = write_shop(scratch / "raw", options.customers)
    print(f"{options.customers:,} customers, {orders:,} orders")
    environment = {
        "CARTWRIGHT_WAREHOUSE": str(scratch / "warehouse" / "cartwright.duckdb"),
        "CARTWRIGHT_RAW_PATH": str(scratch / "raw"),
    }
    builds: list[tuple[str, Cost, Mapping[str, Node]]] = []
    first = LAST_DAY - timedelta(days=options.refreshes)
    for number in range(options.refreshes + 1):
        day = first + timedelta(days=number)
        title = "from nothing" if not number else f"refresh {number}"
        print(f"{title}, as of {day} ...", file=sys.stderr)
        arguments = ("--select", "+path:models/marts/lifecycle")
        settings = ("--vars", f"{{as_of_date: {day}}}")
        whole, nodes = build(environment, scratch / "target", *arguments, *settings)
        builds.append((title, whole, nodes))
    print(f"{'':<44}" + "".join(f"{title:>14}" for title, _, _ in builds))
    for title, value in (("wall s", "wall"), ("processor s", "cpu"), ("peak MB", "peak")):
        print_row(f"whole process, {title}", [getattr(whole, value) for _, whole, _ in builds])
    lifecycle = [
        [node for node in nodes.values() if node.folder.endswith("/lifecycle")]
        for _, _, nodes in builds
    ]
    print_row("lifecycle models, wall s", [sum(n.wall for n in nodes) for nodes in lifecycle])
    print_row("lifecycle models, processor s", [sum(n.cpu for n in nodes) for nodes in lifecycle])
    for node in sorted(lifecycle[0], key=lambda node: -node.cpu)[:SHOWN]:
        print_row(f"  {node.name}", [nodes[node.name].cpu for _, _, nodes in builds])


def print_row(title: str, values: Sequence[float]) -> None:
    """One row of the table."""
    print(f"{title:<44}" + "".join(f"{value:>14,.1f}" for value in values))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="how many to draw")
    parser.add_argument("--refreshes", type=int, default=1, help="days to refresh afterwards")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            run(Path(scratch), options)
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\nfailed: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

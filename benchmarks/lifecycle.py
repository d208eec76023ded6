"""What customers' lives cost at a million of them: time and memory, model by model.

    python -m benchmarks.lifecycle                       1,000,000 customers, 5 million orders
    python -m benchmarks.lifecycle --customers 100000
    python -m benchmarks.lifecycle --refreshes 2         and two days more, refreshed
    python -m benchmarks.lifecycle --months 0            as_of_date alone, without its history
    python -m benchmarks.lifecycle --folder bench        keep the shop and the warehouse there

A shop of accounts, products, orders, lines and refunds, over three years, is drawn in SQL: rates
and lifetimes differ by customer, so that there is something to fit. All lifecycle marts are built
from nothing, with the history of lifecycle_history_months, without dbt's tests; then a day at a
time. Of each model: rows, seconds, processor seconds, and the most memory held while it ran.
Processor seconds are those to trust on a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

from benchmarks.costs import Cost, say
from benchmarks.dbt_nodes import Node, build

LAST_DAY = date(2026, 6, 30)
DAYS = 3 * 365
PRODUCTS = 500

# A uniform draw in (0, 1) from a number: hash() of two arguments is no draw of its own.
DRAW = "create macro draw(n, salt) as (hash(hash(n, salt)) % 1000000007 + 0.5) / 1000000007"
CUSTOMERS = """
    create table people as
    select
        n,
        -- Orders a year, skewed; the days from the first order until nothing more is ordered.
        0.6 - 2.6 * ln(draw(n, 'rate')) as rate,
        -- What a line is worth to the customer: one over a gamma, as Gamma-Gamma has it.
        -15 / ln(draw(n, 'a') * draw(n, 'b') * draw(n, 'c')) as price_level,
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
            n, k, start_day, life_days, price_level,
            case when k = 0 then 0 else -365 / rate * ln(draw(n * 64 + k, 'gap')) end as gap
        from people cross join ordinals
        where k < 4 + rate * 6
    ),
    places as (
        select
            n, k, life_days, price_level,
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
        n * 64 + k as number,
        price_level
    from places
    where at_day < {days} and (k = 0 or age_days < life_days)
"""
# Every third order has a second line; a product is the more popular, the smaller its number.
LINES = """
    create table lines_made as
    select
        order_id,
        ordered_at,
        line_number,
        cast({products} * pow(draw(number * 2 + line_number, 'product'), 2) as bigint) as product,
        1 + cast(draw(number * 2 + line_number, 'units') * 2 as int) as quantity,
        cast(
            1 - price_level
            * ln(draw(number * 2 + line_number, 'price') * draw(number * 2 + line_number, 'more'))
            as decimal(18, 2)
        ) as unit_price,
        draw(number * 2 + line_number, 'refund') < 0.04 as is_returned
    from orders_made
    cross join (values (1), (2)) as line_numbers (line_number)
    where line_number = 1 or draw(number, 'lines') < 0.33
"""
TABLES = {
    "customers": """
        select
            'C' || n as customer_id,
            timestamp '{first_day}' + to_days(cast(start_day as int)) as created_at,
            ['FR', 'DE', 'BE', 'ES'][1 + cast(floor(4 * draw(n, 'country')) as int)] as country
        from people
    """,
    "products": """
        select
            'P' || n as product_id,
            'Product ' || n as name,
            'Category ' || n % 12 as category,
            30.00 as list_price,
            8.00 as unit_cost
        from range({products} + 1) as numbers (n)
    """,
    "orders": """
        select
            order_id,
            customer_id,
            ordered_at,
            'delivered' as status,
            'EUR' as currency,
            ['card', 'paypal', 'transfer'][1 + cast(floor(3 * draw(number, 'pay')) as int)]
                as payment_method,
            ['desktop', 'mobile'][1 + cast(floor(2 * draw(number, 'device')) as int)] as device
        from orders_made
    """,
    "order_items": """
        select
            order_id,
            line_number,
            'P' || product as product_id,
            quantity,
            unit_price,
            8.00 as unit_cost
        from lines_made
    """,
    "refunds": """
        select
            'R' || order_id || '-' || line_number as refund_id,
            order_id,
            line_number,
            ordered_at + interval 9 day as refunded_at,
            unit_price as amount
        from lines_made
        where is_returned
    """,
}


def write_shop(folder: Path, customers: int) -> None:
    """Write the shop as Parquet into `folder`, unless it is there."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    values = {
        "customers": customers,
        "products": PRODUCTS,
        "days": DAYS,
        "first_day": LAST_DAY - timedelta(days=DAYS - 1),
    }
    with duckdb.connect() as connection:
        for statement in (DRAW, CUSTOMERS, ORDERS, LINES):
            connection.execute(statement.format(**values))
        for table, query in TABLES.items():
            path = folder / f"{table}.parquet"
            connection.execute(f"copy ({query.format(**values)}) to '{path}' (format parquet)")


def rows_of(query: str, *arguments: str) -> int:
    """The one number that `query` gives."""
    with duckdb.connect() as connection:
        row = connection.execute(query.format(*arguments)).fetchone()
    return int(row[0]) if row else 0


class LifecycleRun(NamedTuple):
    """A build or a refresh: what it is, the whole process, its nodes by name."""

    title: str
    whole: Cost
    nodes: Mapping[str, Node]

    @property
    def models(self) -> list[Node]:
        """The models of the group lifecycle."""
        return [node for node in self.nodes.values() if node.group == "lifecycle"]


def measure_lifecycle(
    scratch: Path, customers: int, refreshes: int = 0, months: int = 12
) -> list[LifecycleRun]:
    """Build a shop of so many customers from nothing in `scratch`, then refresh it day by day.

    Raises CalledProcessError where a build fails.
    """
    say(f"drawing {customers:,} customers ...")
    write_shop(scratch / "raw", customers)
    warehouse = scratch / "warehouse" / "cartwright.duckdb"
    warehouse.unlink(missing_ok=True)
    environment = {
        "CARTWRIGHT_WAREHOUSE": str(warehouse),
        "CARTWRIGHT_RAW_PATH": str(scratch / "raw"),
    }
    # A refresh is complete once every incremental model was built, whichever marts are asked for.
    selected = ("--select", "+path:models/marts/lifecycle", "+config.materialized:incremental")
    runs = []
    for number in range(refreshes + 1):
        day = LAST_DAY + timedelta(days=number - refreshes)
        title = f"{f'refresh {number}' if number else 'from nothing'}, as of {day}"
        say(f"lifecycle {title} ...")
        values = f"as_of_date: {day}, lifecycle_history_months: {months}"
        settings = ("--vars", f"{{{values}}}")
        runs.append(
            LifecycleRun(title, *build(environment, scratch / "target", *selected, *settings))
        )
    return runs


def report(scratch: Path, runs: Sequence[LifecycleRun]) -> None:
    """Print what the shop has, and what each model of each run cost."""
    for table in TABLES:
        count = rows_of("select count(*) from '{}'", f"{scratch}/raw/{table}.parquet")
        print(f"{table:<12}{count:>12,}")
    for run in runs:
        print(f"\n{run.title:<44}{'rows':>12}{'wall s':>9}{'cpu s':>9}{'peak MB':>9}")
        whole = run.whole
        print_row("whole process, dbt's start included", None, whole.wall, whole.cpu, whole.peak)
        print_sum("lifecycle models", run.models)
        for node in sorted(run.models, key=lambda node: -node.cpu):
            if node.materialized != "view":
                print_row(f"  {node.name}", node.rows, node.wall, node.cpu, node.lap.peak)
        print_sum("all other nodes", [n for n in run.nodes.values() if n not in run.models])


def print_sum(title: str, nodes: Sequence[Node]) -> None:
    """A row with what several nodes cost, one after the other."""
    wall, cpu = sum(node.wall for node in nodes), sum(node.cpu for node in nodes)
    print_row(title, None, wall, cpu, max(node.lap.peak for node in nodes))


def print_row(title: str, rows: int | None, wall: float, cpu: float, peak: float) -> None:
    """One row of the table."""
    count = "" if rows is None else f"{rows:,}"
    print(f"{title:<44}{count:>12}{wall:>9.1f}{cpu:>9.1f}{peak:>9,.0f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; exit 1 where a build fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lifecycle",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="how many to draw")
    parser.add_argument("--refreshes", type=int, default=1, help="days to refresh afterwards")
    parser.add_argument("--months", type=int, default=12, help="lifecycle_history_months")
    parser.add_argument("--folder", type=Path, help="keep the shop and the warehouse here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = options.folder.resolve() if options.folder else Path(scratch)
            runs = measure_lifecycle(folder, options.customers, options.refreshes, options.months)
            report(folder, runs)
        except subprocess.CalledProcessError as error:
            print(f"{error.output or ''}\n{error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Online Retail II (UCI 502) as the raw tables of Cartwright; README.md here has every decision.

    python docs/examples/online-retail-ii/import.py SOURCE_DIR OUT_DIR

SOURCE_DIR holds the workbook's two sheets, `year_2009_2010` and `year_2010_2011`, each as .parquet
or .csv. OUT_DIR gets customers, products, orders, order_items and refunds as Parquet.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

SHEETS = ("year_2009_2010", "year_2010_2011")

# Each column's name in the first sheet and in the second one.
COLUMNS = {
    "invoice": ("Invoice", "InvoiceNo"),
    "stock_code": ("StockCode",),
    "description": ("Description",),
    "quantity": ("Quantity",),
    "invoiced_at": ("InvoiceDate",),
    "price": ("Price", "UnitPrice"),
    "customer": ("Customer ID", "CustomerID"),
    "country": ("Country",),
}

# A sheet's rows in one form. A description that is missing is 'nan' in one sheet, 'Unknown' in the
# other; the price is a double that holds a decimal.
SHEET_ROWS = """
select
    {sheet} as sheet,
    upper(trim({invoice})) as invoice,
    upper(trim({stock_code})) as product_id,
    nullif(nullif(nullif(trim({description}), ''), 'nan'), 'Unknown') as description,
    cast({quantity} as bigint) as quantity,
    cast({invoiced_at} as timestamp) as invoiced_at,
    cast({price} as decimal(18, 4)) as price,
    cast({price} as double) as price_as_read,
    cast(cast(cast(nullif(cast({customer} as text), '') as double) as bigint) as text)
        as customer_id,
    nullif(nullif(trim({country}), ''), 'Unspecified') as country
from {reader}
"""

# What would make the tables wrong in silence: a condition on rows, and the sentence for the user.
ROW_FAULTS = {
    "invoice is null or product_id is null or quantity is null or invoiced_at is null"
    " or price is null":
        "have no invoice, stock code, quantity, date or price",
    "abs(price_as_read - price) > 0.0000001":
        "have a price of more than four decimals",
}  # fmt: skip

# There are as many equal lines as the sheet that has them most often has equal rows: a row in both
# sheets is one line, while equal rows within a sheet are lines of their own. A line's number comes
# from what it says, never from where it stands; equal lines may swap.
LINES = """
create table lines as
with

rows_by_sheet as (
    select
        invoice, product_id, description, quantity, invoiced_at, price, customer_id, country, sheet,
        count(*) as copy_count
    from sheet_rows
    group by all
),

line_rows as (
    select
        invoice, product_id, description, quantity, invoiced_at, price, customer_id, country,
        unnest(range(max(copy_count))) as copy_number
    from rows_by_sheet
    group by all
),

lines_numbered as (
    select
        * exclude (copy_number),
        row_number() over (
            partition by invoice
            order by product_id, quantity, price, description, invoiced_at, customer_id, country,
                copy_number
        ) as line_number,
        -- an invoice is written line by line, which may take minutes
        min(invoiced_at) over (partition by invoice)
            at time zone 'Europe/London' at time zone 'UTC' as invoice_at,
        regexp_full_match(invoice, '[0-9]+') as is_sales_invoice,
        starts_with(invoice, 'C') as is_cancellation_invoice,
        customer_id is null and product_id in ('AMAZONFEE', 'BANK CHARGES', 'S', 'ADJUST')
            as is_own_cost
    from line_rows
),

lines_with_invoice as (
    select
        *,
        bool_or(price > 0 and quantity > 0 and not is_own_cost) over (partition by invoice)
            as has_priced_line
    from lines_numbered
)

select
    * exclude (is_sales_invoice, is_cancellation_invoice, is_own_cost, has_priced_line),
    case
        when is_own_cost then 'own cost, no customer'
        when is_cancellation_invoice and quantity < 0 and price >= 0 then 'cancellation'
        when is_cancellation_invoice then 'cancellation of another sign'
        when not is_sales_invoice then 'bad debt'
        when has_priced_line and quantity >= 0 and price >= 0 then 'sale'
        else 'stock movement'
    end as kind
from lines_with_invoice
"""

# Sales and cancellations that may belong together, in the order in which they happened.
MOVEMENTS = """
select invoice, line_number, customer_id, product_id, price, abs(quantity), kind = 'sale'
from lines
where kind in ('sale', 'cancellation')
    and (customer_id, product_id, price) in (
        select (customer_id, product_id, price)
        from lines
        where kind = 'cancellation' and customer_id is not null
    )
order by invoice_at, kind desc, invoice, line_number
"""

# The part of a cancellation that no sale in the data explains.
UNMATCHED = """
create table unmatched as
select
    lines.* exclude (quantity),
    -lines.quantity - coalesce(matched.quantity, 0) as quantity
from lines
left join (
    select invoice, line_number, sum(quantity) as quantity from matches group by all
) as matched using (invoice, line_number)
where lines.kind = 'cancellation' and -lines.quantity > coalesce(matched.quantity, 0)
"""

TABLES = {
    "customers": """
        select customer_id, arg_max(country, (invoice_at, invoice)) as country
        from lines
        where customer_id is not null
        group by customer_id
        order by customer_id
    """,
    # the name that most sales give it; stock movements write remarks there
    "products": """
        with names as (
            select product_id, description, count(*) as line_count, max(invoice_at) as last_at
            from lines
            where kind = 'sale' and price > 0 and description is not null
            group by all
        )
        select
            product_id,
            arg_max(names.description, (line_count, last_at, names.description)) as name,
            case
                when product_id in ('POST', 'DOT', 'C2', 'C3') then 'postage'
                when starts_with(product_id, 'GIFT') then 'gift vouchers'
                when product_id in ('M', 'D', 'S', 'B', 'ADJUST', 'ADJUST2', 'AMAZONFEE', 'CRUK',
                    'BANK CHARGES', 'TEST001', 'TEST002') then 'bookkeeping'
                else 'merchandise'
            end as category
        from (select distinct product_id from lines)
        left join names using (product_id)
        group by product_id
        order by product_id
    """,
    "orders": """
        with order_lines as (
            select invoice, invoice_at, customer_id, country, 'paid' as status
            from lines
            where kind = 'sale'
            union all
            select invoice, invoice_at, customer_id, country, 'cancelled'
            from unmatched
        )
        select distinct
            invoice as order_id,
            invoice_at as ordered_at,
            customer_id,
            status,
            'GBP' as currency,
            country
        from order_lines
        order by order_id
    """,
    # what is neither sale nor cancellation goes on as it is, for the contract to reject and tell
    "order_items": """
        with items as (
            select invoice, line_number, product_id, quantity, price from lines
            where kind <> 'cancellation'
            union all
            select invoice, line_number, product_id, quantity, price from unmatched
        )
        select
            invoice as order_id,
            line_number,
            product_id,
            cast(quantity as bigint) as quantity,
            price as unit_price
        from items
        order by order_id, line_number
    """,
    "refunds": """
        with parts as (
            select
                lines.invoice, lines.line_number, matches.order_id, matches.order_line_number,
                matches.quantity, lines.price, 'cancellation' as reason, lines.invoice_at
            from matches
            inner join lines using (invoice, line_number)
            union all
            select
                invoice, line_number, invoice, line_number,
                quantity, price, 'cancellation of an unknown sale', invoice_at
            from unmatched
        )
        select
            concat_ws('-', invoice, line_number, row_number() over (
                partition by invoice, line_number order by order_id, order_line_number
            )) as refund_id,
            order_id,
            order_line_number as line_number,
            cast(quantity as bigint) as quantity,
            cast(round(quantity * price, 2) as decimal(18, 2)) as amount,
            reason,
            invoice_at as refunded_at
        from parts
        order by refund_id
    """,
}

# Statements about the finished tables that must hold; the count of what breaks each one.
TABLE_FAULTS = {
    "an invoice has more than one customer, country or status":
        "select count(*) - count(distinct order_id) from orders",
    "a line that is no sale would be read as one":
        "select count(*) from lines"
        " where kind not in ('sale', 'cancellation') and quantity >= 0 and price >= 0"
        " and invoice in (select order_id from orders)",
    "the refunds of a cancelled line do not add up to it":
        "select coalesce(100 * abs((select sum(amount) from refunds) - ("
        "select sum(round(-quantity * price, 2)) from lines where kind = 'cancellation')), 0)",
}  # fmt: skip


class ImportFailed(Exception):
    """The sheets cannot be turned into raw tables; the message says why and what to do."""


@dataclass(frozen=True)
class Movement:
    """A line that sells `quantity` units (`is_sale`) or takes them back."""

    invoice: str
    line_number: int
    customer_id: str
    product_id: str
    price: Decimal
    quantity: int
    is_sale: bool


@dataclass(frozen=True)
class Match:
    """`quantity` units of a cancelled line that were sold on a line of an earlier order."""

    invoice: str
    line_number: int
    order_id: str
    order_line_number: int
    quantity: int


@dataclass
class _Sale:
    line: Movement
    quantity_left: int


def match_cancellations(movements: Iterable[Movement]) -> list[Match]:
    """Find the sale that each cancellation takes back; `movements` come in the order of time.

    A sale fits when customer, product and price are the cancellation's and units of it are left.
    The latest one with enough units is taken, else several, the latest first, as far as they go.
    """
    sales: dict[tuple[str, str, Decimal], list[_Sale]] = defaultdict(list)
    matches = []
    for line in movements:
        earlier = sales[line.customer_id, line.product_id, line.price]
        if line.is_sale:
            earlier.append(_Sale(line, line.quantity))
            continue
        wanted = line.quantity
        latest_first = earlier[::-1]
        enough = [sale for sale in latest_first if sale.quantity_left >= wanted]
        for sale in enough[:1] or latest_first:
            units = min(wanted, sale.quantity_left)
            if units:
                matches.append(
                    Match(
                        line.invoice,
                        line.line_number,
                        sale.line.invoice,
                        sale.line.line_number,
                        units,
                    )
                )
                sale.quantity_left -= units
                wanted -= units
    return matches


def import_sheets(source: Path, out: Path) -> None:
    """Write the raw tables of the sheets in `source` to `out`; raises ImportFailed.

    `out` is changed only when all five tables are complete.
    """
    others = [path.name for path in out.glob("*") if path.stem.split(".")[0] not in TABLES]
    if (out.exists() and not out.is_dir()) or others:
        raise ImportFailed(
            f"{out}: expected a new folder, or one of an earlier import; found "
            f"{others[0] if others else 'a file'}. Give another folder."
        )
    with duckdb.connect() as connection:
        _read_sheets(connection, source)
        connection.execute(LINES)
        _report_lines(connection)
        _match(connection)
        connection.execute(UNMATCHED)
        for table, query in TABLES.items():
            connection.execute(f"create table {table} as {query}")
        for sentence, query in TABLE_FAULTS.items():
            if _count(connection, query):
                raise ImportFailed(f"{source}: {sentence}; these are not the sheets of UCI 502.")
        _write(connection, out)


def _read_sheets(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    selects = []
    for number, name in enumerate(SHEETS, start=1):
        files = [source / f"{name}.{extension}" for extension in ("parquet", "csv")]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise ImportFailed(
                f"{source}: {name}.parquet or {name}.csv is missing; "
                "README.md says where the sheets come from."
            )
        selects.append(_sheet_query(connection, file, number))
    try:
        connection.execute(f"create table sheet_rows as {' union all '.join(selects)}")
    except duckdb.Error as error:
        raise ImportFailed(f"{source}: a value cannot be read ({_first_line(error)}).") from None
    for condition, words in ROW_FAULTS.items():
        if count := _count(connection, f"select count(*) from sheet_rows where {condition}"):
            raise ImportFailed(f"{source}: {count:,} rows {words}; every row needs one of each.")
    for number, name in enumerate(SHEETS, start=1):
        rows = _count(connection, f"select count(*) from sheet_rows where sheet = {number}")
        print(f"read {name}: {rows:,} rows")


def _sheet_query(connection: duckdb.DuckDBPyConnection, file: Path, number: int) -> str:
    quoted = "'" + str(file).replace("'", "''") + "'"
    reader = f"read_csv({quoted}, header = true, all_varchar = true)"
    if file.suffix == ".parquet":
        reader = f"read_parquet({quoted})"
    try:
        found = [
            row[0] for row in connection.execute(f"describe select * from {reader}").fetchall()
        ]
    except duckdb.Error as error:
        raise ImportFailed(f"{file}: cannot be read ({_first_line(error)}).") from None
    names = {}
    for column, aliases in COLUMNS.items():
        present = [alias for alias in aliases if alias in found]
        if not present:
            raise ImportFailed(
                f"{file}: column {' or '.join(aliases)} is missing; found {', '.join(found)}."
            )
        names[column] = f'"{present[0]}"'
    return SHEET_ROWS.format(sheet=number, reader=reader, **names)


def _match(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(MOVEMENTS).fetchall()
    matches = match_cancellations(Movement(*row) for row in rows)
    connection.execute(
        "create table matches as select unnest($invoice) as invoice,"
        " unnest($line_number) as line_number, unnest($order_id) as order_id,"
        " unnest($order_line_number) as order_line_number, unnest($quantity) as quantity",
        {name: [getattr(match, name) for match in matches] for name in Match.__annotations__},
    )


def _report_lines(connection: duckdb.DuckDBPyConnection) -> None:
    rows = _count(connection, "select count(*) from sheet_rows")
    lines = _count(connection, "select count(*) from lines")
    print(f"in both sheets, counted once: {rows - lines:,} rows\ninvoice lines: {lines:,}, of them")
    for kind, count, amount in connection.execute(
        "select kind, count(*), sum(round(quantity * price, 2)) from lines"
        " group by kind order by count(*) desc, kind"
    ).fetchall():
        print(f"  {kind:<30} {count:>9,} {amount:>16,.2f} GBP")


def _write(connection: duckdb.DuckDBPyConnection, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        part = str(out / f"{table}.parquet.part").replace("'", "''")
        connection.execute(f"copy {table} to '{part}' (format parquet, compression zstd)")
    for table in TABLES:
        (out / f"{table}.parquet.part").replace(out / f"{table}.parquet")
        rows = _count(connection, f"select count(*) from {table}")
        print(f"wrote {table}.parquet: {rows:,} rows")


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 and one sentence where the import fails."""
    parser = argparse.ArgumentParser(
        prog="import.py",
        description="Turn the two sheets of Online Retail II (UCI 502) into raw tables.",
        epilog="README.md beside this file has every decision and the command that builds.",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE_DIR",
        type=Path,
        help=f"holds {' and '.join(SHEETS)} (.parquet or .csv)",
    )
    parser.add_argument("out", metavar="OUT_DIR", type=Path, help="gets the raw tables as Parquet")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        import_sheets(options.source, options.out)
    except (ImportFailed, OSError) as error:
        print(f"import failed: {error}", file=sys.stderr)
        return 1
    print(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Online Retail II through the importer and the whole warehouse, against figures of the files.

The figures are computed here a second time, another way: the overlap is cut by date, and no line of
the importer's SQL is used. The tests on small sheets need no data and always run.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from online_retail import IMPORTER, RetailShop, import_sheets

OWN_COSTS = "('AMAZONFEE', 'BANK CHARGES', 'S', 'ADJUST')"

# The figures of the files, in the files' own words. All views but the first are about the union of
# the sheets: without the first one's days from 2010-12-01 on, since the second one has them all.
FILE_VIEWS = f"""
create temp view file_rows as
    select 1 as sheet, Invoice as invoice, upper(trim(StockCode)) as code, Quantity as quantity,
        cast(InvoiceDate as timestamp) as written_at, cast(Price as decimal(18, 3)) as price,
        "Customer ID" as customer
    from '{{folder}}/year_2009_2010.parquet'
    union all
    select 2, InvoiceNo, upper(trim(StockCode)), Quantity, InvoiceDate,
        cast(UnitPrice as decimal(18, 3)), cast(CustomerID as bigint)
    from '{{folder}}/year_2010_2011.parquet';
create temp view file_lines as
    select * exclude (sheet), round(quantity * price, 2) as amount from file_rows
    where sheet = 2 or written_at < '2010-12-01';
create temp view file_sales as
    select * from file_lines
    where invoice not like 'C%' and invoice not like 'A%'
        and not (customer is null and code in {OWN_COSTS})
        and invoice in (select invoice from file_lines where price <> 0);
create temp view file_cancellations as
    select *, -amount as cancelled_amount from file_lines
    where invoice like 'C%' and quantity < 0
        and not (customer is null and code in {OWN_COSTS});
create temp view file_others as
    select * from file_lines where invoice not like 'C%' and invoice not in (from (
        select invoice from file_sales
    ))
    union all
    select * from file_lines
    where invoice like 'C%' and (quantity > 0 or customer is null and code in {OWN_COSTS})
"""


@dataclass
class Warehouse:
    """The built warehouse, with the views above beside it, and what the importer printed."""

    connection: duckdb.DuckDBPyConnection
    printed: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(sql).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The only row of a query."""
        (row,) = self.rows(sql)
        return row


@pytest.fixture(scope="module")
def warehouse(online_retail_ii: RetailShop) -> Warehouse:
    """Built with all of dbt's tests, beside the files."""
    online_retail_ii.connection.execute(FILE_VIEWS.format(folder=online_retail_ii.source))
    return Warehouse(online_retail_ii.connection, online_retail_ii.printed)


def test_files_are_the_published_data(warehouse: Warehouse) -> None:
    """The figures that others published of this data: without them no comparison means anything."""
    assert warehouse.row(
        "select count(*), count(distinct invoice) from file_rows where sheet = 1"
        " and invoice in (select invoice from file_rows where sheet = 2)"
    ) == (22_523, 1_088)
    assert warehouse.row(
        "select count(*) filter (invoice like 'C%'), count(*) filter (customer is null)"
        " from file_rows where sheet = 1"
    ) == (10_206, 107_927)
    assert warehouse.row("select count(*) from file_lines") == (1_044_847,)


def test_overlap_is_counted_once_and_told(warehouse: Warehouse) -> None:
    """Nine days in both sheets would be sold twice; equal rows within a sheet would be lost."""
    assert "in both sheets, counted once: 22,523 rows" in warehouse.printed
    assert "invoice lines: 1,044,847" in warehouse.printed


def test_every_line_is_kept_as_one_thing_or_rejected(warehouse: Warehouse) -> None:
    """Rows read = overlap + sold lines + cancelled lines + rejected rows: nothing falls off."""
    read, overlap = 525_461 + 541_909, 22_523
    sold = warehouse.row("select count(*) from marts.fct_order_lines where is_revenue")[0]
    cancelled = warehouse.row(
        "select count(distinct regexp_replace(refund_id, '-[0-9]+$', '')) from marts.fct_refunds"
    )[0]
    rejected = warehouse.row("select count(*) from marts.fct_rejected_rows")[0]
    assert read == overlap + sold + cancelled + rejected
    assert (sold, cancelled, rejected) == (1_020_348, 18_970, 5_529)


def test_load_report_adds_up(warehouse: Warehouse) -> None:
    """Read = kept + duplicates + rejected in every table; order_items alone has rejected rows."""
    rows = warehouse.rows(
        "select table_name, read_row_count, kept_row_count, duplicate_row_count,"
        " rejected_row_count, unknown_columns from marts.agg_load_report"
    )
    assert all(read == kept + copies + rejected for _, read, kept, copies, rejected, _ in rows)
    assert {name: rejected for name, _, _, _, rejected, _ in rows if rejected} == {
        "order_items": 5_529
    }
    assert not any(copies or unknown for _, _, _, copies, _, unknown in rows)


def test_every_order_is_its_invoice(warehouse: Warehouse) -> None:
    """Day, customer, lines, units, gross of each invoice, to the cent: sums may hide two errors."""
    files = (
        "select invoice, cast(min(written_at) as date), cast(any_value(customer) as text),"
        " count(*), sum(quantity), sum(amount) from file_sales group by invoice"
    )
    marts = (
        "select order_id, order_date, customer_id, line_count, unit_count, gross_amount"
        " from marts.fct_orders where is_revenue"
    )
    assert warehouse.rows(f"({files} except {marts}) union all ({marts} except {files})") == []
    assert warehouse.row(
        "select count(*), count(*) filter (is_guest), sum(line_count), sum(gross_amount),"
        " sum(net_amount) from marts.fct_orders where is_revenue"
    ) == (40_063, 3_094, 1_020_348, Decimal("20496628.54"), Decimal("20496628.54"))


def test_every_customer_is_in_the_files(warehouse: Warehouse) -> None:
    """Accounts are the files' customers, as text without '.0'; buyers are those with a sale."""
    files = "select cast(customer as text) from file_lines where customer is not null"
    marts = "select customer_id from marts.dim_customers"
    assert warehouse.rows(f"({files} except {marts}) union all ({marts} except {files})") == []
    buyers = warehouse.row("select count(distinct customer) from file_sales")
    assert warehouse.row(
        "select count(*), count(*) filter (is_buyer) from marts.dim_customers"
    ) == (
        5_942,
        *buyers,
    )
    assert buyers == (5_878,)


def test_refunds_are_the_cancellations_of_each_day(warehouse: Warehouse) -> None:
    """Amount and units cancelled per day, to the cent, of a known sale or not."""
    files = (
        "select cast(first_at as date), sum(cancelled_amount) from (select cancelled_amount,"
        " min(written_at) over (partition by invoice) as first_at from file_cancellations)"
        " group by all"
    )
    marts = (
        "select refund_date, sum(refund_amount_in_order_currency)"
        " from marts.fct_refunds group by all"
    )
    assert warehouse.rows(f"({files} except {marts}) union all ({marts} except {files})") == []


def test_refunds_reduce_revenue_where_the_sale_is_known(warehouse: Warehouse) -> None:
    """A credit note of no sale in the data must not eat the revenue of other sales, nor vanish."""
    total = warehouse.row("select sum(cancelled_amount) from file_cancellations")[0]
    amounts = dict(
        warehouse.rows(
            "select reason, sum(refund_amount_in_order_currency) from marts.fct_refunds group by 1"
        )
    )
    assert amounts == {
        "cancellation": Decimal("740771.30"),
        "cancellation of an unknown sale": Decimal("440336.15"),
    }
    assert sum(amounts.values()) == total == Decimal("1181107.45")
    assert warehouse.row(
        "select sum(refund_amount), sum(refund_amount_in_order_currency) filter (is_revenue),"
        " count(*) filter (is_revenue <> (reason = 'cancellation')),"
        " count(*) filter (currency <> 'GBP') from marts.fct_refunds"
    ) == (amounts["cancellation"], amounts["cancellation"], 0, 0)


def test_refund_is_of_the_same_customer_product_and_price(warehouse: Warehouse) -> None:
    """A refund names an earlier order line that the files' cancelled line can be of."""
    assert (
        warehouse.rows(
            "select refunds.refund_id from marts.fct_refunds as refunds"
            " left join marts.fct_order_lines as lines using (order_id, line_number)"
            " left join marts.fct_orders as orders using (order_id)"
            " left join file_cancellations as cancelled"
            "   on split_part(refunds.refund_id, '-', 1) = cancelled.invoice"
            "   and lines.product_id = cancelled.code"
            "   and lines.unit_price_in_order_currency = cancelled.price"
            "   and orders.customer_id is not distinct from cast(cancelled.customer as text)"
            " where cancelled.invoice is null or refunds.refunded_at < orders.ordered_at"
        )
        == []
    )


def test_no_line_gives_back_more_than_it_sold(warehouse: Warehouse) -> None:
    """Units and money returned per line, at most those sold."""
    assert (
        warehouse.rows(
            "select order_id from marts.fct_order_lines"
            " where returned_quantity > quantity or refund_amount_by_order_date > net_amount"
        )
        == []
    )
    assert warehouse.row(
        "select sum(returned_quantity) from marts.fct_order_lines"
    ) == warehouse.row("select sum(quantity) from raw.raw_refunds where reason = 'cancellation'")


def test_lines_orders_and_refunds_are_one_ledger(warehouse: Warehouse) -> None:
    """Sums by order date in lines and orders and by refund date in refunds, equal to the cent."""
    lines = warehouse.row(
        "select sum(gross_amount), sum(net_amount), sum(refund_amount_by_order_date),"
        " sum(net_amount_after_refunds_by_order_date) from marts.fct_order_lines"
    )
    assert lines == warehouse.row(
        "select sum(gross_amount), sum(net_amount), sum(refund_amount_by_order_date),"
        " sum(net_amount_after_refunds_by_order_date) from marts.fct_orders"
    )
    by_order_date = (
        "select order_date, sum(refund_amount_by_order_date) from marts.fct_order_lines"
        " where is_revenue group by all having sum(refund_amount_by_order_date) > 0"
    )
    booked = (
        "select order_date, sum(refund_amount) from marts.fct_refunds where is_revenue group by all"
    )
    assert (
        warehouse.rows(
            f"({by_order_date} except {booked}) union all ({booked} except {by_order_date})"
        )
        == []
    )
    assert warehouse.row("select sum(refund_amount) from marts.fct_refunds") == lines[2:3]
    assert lines[1] - lines[2] == lines[3] == Decimal("19755857.24")


def test_rejected_rows_are_the_lines_that_sell_nothing(warehouse: Warehouse) -> None:
    """Stock movements, bad debt and own costs are rejected rows, whole, each with its reason."""
    marts = (
        "select row_content ->> 'order_id', row_content ->> 'product_id',"
        " cast(row_content ->> 'quantity' as bigint),"
        " cast(row_content ->> 'unit_price' as decimal(18, 3)) from marts.fct_rejected_rows"
    )
    files = "select invoice, code, quantity, price from file_others"
    assert (
        warehouse.rows(f"({files} except all {marts}) union all ({marts} except all {files})") == []
    )
    reasons = Counter(
        " ".join(reason.split()[:4])
        for (reason,) in warehouse.rows(
            "select regexp_replace(reject_reason, '[AC]?[0-9]{6} ', '')"
            " from marts.fct_rejected_rows"
        )
    )
    assert reasons == {
        "quantity is below 0:": 3_587,
        "order_id is no order": 1_937,
        "unit_price is below 0:": 5,
    }


def test_all_money_of_the_files_is_somewhere(warehouse: Warehouse) -> None:
    """Gross - everything cancelled + rejected money = the sum of the files, to the cent."""
    total = warehouse.row("select sum(amount) from file_lines")[0]
    gross = warehouse.row("select sum(gross_amount) from marts.fct_orders")[0]
    cancelled = warehouse.row("select sum(refund_amount_in_order_currency) from marts.fct_refunds")[
        0
    ]
    rejected = warehouse.row(
        "select sum(round(cast(row_content ->> 'quantity' as bigint)"
        " * cast(row_content ->> 'unit_price' as decimal(18, 4)), 2)) from marts.fct_rejected_rows"
    )[0]
    assert gross - cancelled + rejected == total


def test_purchase_days_are_those_of_the_published_calibration(warehouse: Warehouse) -> None:
    """A BG/NBD fit on these orders starts from the published 4,969 customers and 7,797 days."""
    assert warehouse.row(
        "with days as (select distinct customer_id, order_date from marts.fct_orders"
        " where is_revenue and not is_guest),"
        " buyers as (select distinct customer_id from days where order_date <= '2011-06-09')"
        " select (select count(*) from buyers), count(*) from days"
        " where order_date > '2011-06-09' and customer_id in (from buyers)"
    ) == (4_969, 7_797)


# ---- small sheets: the rules, without the data

HEADERS = (
    "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
)
FIRST_SHEET = """\
100001,22041,FRAME,5,2010-06-01 10:00:00,2.1,13085,United Kingdom
100001,22041,FRAME,5,2010-06-01 10:00:00,2.1,13085,United Kingdom
100001,85123a,HEART,2,2010-06-01 10:01:00,2.55,13085,United Kingdom
100002,22041,FRAME,1,2010-06-02 10:00:00,2.1,,Unspecified
100003,22041,damaged,-7,2010-06-03 10:00:00,0,,United Kingdom
100004,22041,found,3,2010-06-03 11:00:00,0,,United Kingdom
100005,AMAZONFEE,AMAZON FEE,1,2010-06-04 11:00:00,99.5,,United Kingdom
A100006,B,Adjust bad debt,1,2010-06-04 12:00:00,500,,United Kingdom
C100007,22041,FRAME,-7,2010-06-05 10:00:00,2.1,13085,United Kingdom
100008,22041,nan,4,2010-12-01 10:00:00,2.1,13085,United Kingdom"""
SECOND_SHEET = """\
100008,22041,Unknown,4,2010-12-01 10:00:00,2.1,13085.0,United Kingdom
C100009,22041,FRAME,-8,2010-12-10 10:00:00,2.1,13085.0,United Kingdom
C100010,22041,FRAME,-1,2010-12-10 11:00:00,2.1,,United Kingdom"""


def _write_sheets(folder: Path, first: str = FIRST_SHEET, second: str = SECOND_SHEET) -> Path:
    folder.mkdir()
    for name, header, rows in zip(
        ("year_2009_2010", "year_2010_2011"), HEADERS, (first, second), strict=True
    ):
        (folder / f"{name}.csv").write_text(f"{header}\n{rows}\n")
    return folder


def _read(folder: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"select {columns} from '{folder}/{table}.parquet'").fetchall()


def test_small_sheets_follow_the_rules(tmp_path: Path) -> None:
    """One line for the overlap, two for equal rows of a sheet, orders of priced invoices alone."""
    out = tmp_path / "shop"
    run = import_sheets(_write_sheets(tmp_path / "sheets"), out)
    assert run.returncode == 0, run.stderr
    orders = _read(out, "orders", "order_id, ordered_at::text, customer_id, status, country")
    assert orders == [
        ("100001", "2010-06-01 09:00:00", "13085", "paid", "United Kingdom"),
        ("100002", "2010-06-02 09:00:00", None, "paid", None),
        ("100008", "2010-12-01 10:00:00", "13085", "paid", "United Kingdom"),
        ("C100009", "2010-12-10 10:00:00", "13085", "cancelled", "United Kingdom"),
        ("C100010", "2010-12-10 11:00:00", None, "cancelled", "United Kingdom"),
    ]
    items = _read(out, "order_items", "order_id, line_number, product_id, quantity")
    assert items == [
        ("100001", 1, "22041", 5),
        ("100001", 2, "22041", 5),
        ("100001", 3, "85123A", 2),
        ("100002", 1, "22041", 1),
        ("100003", 1, "22041", -7),
        ("100004", 1, "22041", 3),
        ("100005", 1, "AMAZONFEE", 1),
        ("100008", 1, "22041", 4),
        ("A100006", 1, "B", 1),
        ("C100009", 1, "22041", 1),
        ("C100010", 1, "22041", 1),
    ]
    refunds = _read(out, "refunds", "refund_id, order_id, line_number, quantity, amount::text")
    assert refunds == [
        ("C100007-1-1", "100001", 1, 2, "4.20"),
        ("C100007-1-2", "100001", 2, 5, "10.50"),
        ("C100009-1-1", "100001", 1, 3, "6.30"),
        ("C100009-1-2", "100008", 1, 4, "8.40"),
        ("C100009-1-3", "C100009", 1, 1, "2.10"),
        ("C100010-1-1", "C100010", 1, 1, "2.10"),
    ]


def test_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    """Line numbers and matches come from what lines say: a re-sorted export is the same shop."""
    import_sheets(_write_sheets(tmp_path / "sheets"), tmp_path / "shop")
    rows = FIRST_SHEET.splitlines()
    random.Random(1).shuffle(rows)
    shuffled = _write_sheets(tmp_path / "shuffled", "\n".join(rows), SECOND_SHEET)
    import_sheets(shuffled, tmp_path / "again")
    files = sorted(path.name for path in (tmp_path / "shop").iterdir())
    assert files == [f"{name}.parquet" for name in sorted(_importer().TABLES)]
    for name in files:
        assert (tmp_path / "shop" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize(
    ("sheet", "replaced", "by", "sentence"),
    [
        ("year_2010_2011", None, "", "year_2010_2011.parquet or year_2010_2011.csv is missing"),
        ("year_2009_2010", "Customer ID", "Client", "column Customer ID or CustomerID is missing"),
        ("year_2009_2010", ",2.55,", ",2.55555,", "1 rows have a price of more than four decimals"),
        ("year_2009_2010", ",-7,", ",many,", "a value cannot be read"),
        ("year_2009_2010", "2,2010-06-01 10:01:00,2.55,13085", "2,2010-06-01 10:01:00,2.55,13086",
         "an invoice has more than one customer"),
    ],
)  # fmt: skip
def test_fault_is_one_sentence_and_writes_nothing(
    tmp_path: Path, sheet: str, replaced: str | None, by: str, sentence: str
) -> None:
    """Whoever brings other sheets learns what to mend, and finds no half-written shop."""
    file = _write_sheets(tmp_path / "sheets") / f"{sheet}.csv"
    if replaced is None:
        file.unlink()
    else:
        file.write_text(file.read_text().replace(replaced, by))
    run = import_sheets(tmp_path / "sheets", tmp_path / "shop")
    assert run.returncode == 1
    assert sentence in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "shop").exists()


def test_folder_of_another_shop_is_left_alone(tmp_path: Path) -> None:
    """Five tables written among another shop's would mix two shops in one build."""
    other = tmp_path / "shop"
    other.mkdir()
    (other / "events.csv").write_text("event_id\n1\n")
    run = import_sheets(_write_sheets(tmp_path / "sheets"), other)
    assert run.returncode == 1
    assert "events.csv" in run.stderr
    assert [path.name for path in other.iterdir()] == ["events.csv"]


def _importer() -> Any:
    spec = importlib.util.spec_from_file_location("online_retail_ii_import", IMPORTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from("pq"),
            st.sampled_from([Decimal("1.5"), Decimal(2)]),
            st.integers(1, 9),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_matches_give_back_only_what_was_sold_before(lines: list[tuple[Any, ...]]) -> None:
    """Each match is of an earlier line of its key, none gives back too much, and none is missed."""
    importer = _importer()
    movements = [importer.Movement(str(time), 1, *line) for time, line in enumerate(lines)]
    matches = importer.match_cancellations(movements)
    by_invoice = {movement.invoice: movement for movement in movements}
    given_back: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for match in matches:
        cancelled, sale = by_invoice[match.invoice], by_invoice[match.order_id]
        assert (sale.is_sale, cancelled.is_sale) == (True, False)
        assert match.quantity > 0
        assert int(match.order_id) < int(match.invoice)
        assert (sale.customer_id, sale.product_id, sale.price) == (
            cancelled.customer_id, cancelled.product_id, cancelled.price,
        )  # fmt: skip
        given_back[match.order_id] += match.quantity
        taken[match.invoice] += match.quantity
    assert all(given_back[name] <= by_invoice[name].quantity for name in given_back)
    assert all(taken[name] <= by_invoice[name].quantity for name in taken)
    # Nothing is missed: the units of a key that are left at each moment are counted a second time.
    left: Counter[tuple[Any, ...]] = Counter()
    for movement in movements:
        key = (movement.customer_id, movement.product_id, movement.price)
        if movement.is_sale:
            left[key] += movement.quantity
        else:
            expected = min(movement.quantity, left[key])
            assert taken[movement.invoice] == expected
            left[key] -= expected

"""Who brings damaged files meets a build that stops in time, or rows set aside and told."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_rows import (
    PRIVATE,
    PRIVATE_PATTERN,
    broken_rows,
    contract,
    greatest_value,
    valid_rows,
    valid_value,
)
from shops import Row, dicts, mart_rows, marts, small_shop, write_csv, write_tables
from warehouses import NO_TESTS, Build, BuildFailed, Dbt

LOAD_DATE = "2024-01-04"
AS_OF = "2024-01-03"
HEADER = b"order_id,ordered_at,status\n"
LINES = (
    b"A,2024-01-01T10:00:00Z,paid\nB,2024-01-02T10:00:00Z,shipped\nC,2024-01-03T10:00:00Z,paid\n"
)
REPORTS = "+agg_load_report +fct_rejected_rows"
Damage = Callable[[Path], object]


def moment(day: int, hour: int = 0) -> datetime:
    """An hour of January 2024; without a zone, as Parquet's TIMESTAMP has none."""
    return datetime.fromisoformat(f"2024-01-{day:02}T{hour:02}:00:00")


# --- Files that stop a build ------------------------------------------------------------


def fingerprint(warehouse: Path) -> dict[str, Any]:
    """Every table and view of a warehouse with its rows, sorted."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        relations = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by 1"
        ).fetchall()
        return {
            name: Counter(map(repr, connection.execute(f"select * from {name}").fetchall()))
            for (name,) in relations
        }


@dataclass
class Earlier:
    """A warehouse of the small shop as an earlier build left it; `before` is its fingerprint."""

    warehouse: Path
    before: dict[str, Any]


@pytest.fixture(scope="module")
def built_before(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """The earlier build; tests that build again take a copy, `earlier`."""
    folder = write_tables(tmp_path_factory.mktemp("before"), small_shop())
    warehouse = tmp_path_factory.mktemp("warehouse") / "cartwright.duckdb"
    build_into(dbt, warehouse, folder)
    return Earlier(warehouse, fingerprint(warehouse))


@pytest.fixture
def earlier(built_before: Earlier, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """A copy of the earlier warehouse, so that no test meets what another one left open."""
    copy = tmp_path_factory.mktemp("copy") / "cartwright.duckdb"
    shutil.copy(built_before.warehouse, copy)
    return Earlier(copy, built_before.before)


def build_into(dbt: Dbt, warehouse: Path, folder: Path | str) -> None:
    """Build a folder into a warehouse that may be there already."""
    variables = {"raw_path": str(folder), "load_date": LOAD_DATE}
    dbt.run("build", *NO_TESTS, warehouse=warehouse, variables=variables)


def orders_csv(content: bytes) -> Damage:
    """orders.csv with this content."""
    return lambda folder: (folder / "orders.csv").write_bytes(content)


def orders_parquet(name: str = "orders.parquet", **columns: list[Any]) -> Damage:
    """Orders as Parquet instead of CSV, with other columns; an empty list leaves one out."""

    def write(folder: Path) -> None:
        (folder / "orders.csv").unlink(missing_ok=True)
        table: dict[str, list[Any]] = {
            "order_id": ["A", "B"],
            "ordered_at": [moment(1, 10), moment(2, 10)],
            "status": ["paid", "shipped"],
        }
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {name: values for name, values in (table | columns).items() if values}
        pq.write_table(pa.table(kept), path)

    return write


def truncated_parquet(folder: Path) -> None:
    """The second half of the file never arrived."""
    orders_parquet()(folder)
    path = folder / "orders.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def corrupt_parquet(folder: Path) -> None:
    """Whole, but bytes in the middle were overwritten."""
    orders_parquet(
        order_id=[f"A{n}" for n in range(5000)],
        ordered_at=[moment(1)] * 5000,
        status=["paid"] * 5000,
    )(folder)
    path = folder / "orders.parquet"
    content = bytearray(path.read_bytes())
    content[50:2000] = bytes(1950)
    path.write_bytes(content)


def both_formats(folder: Path) -> None:
    """orders.csv and orders.parquet side by side."""
    content = (folder / "orders.csv").read_bytes()
    orders_parquet()(folder)
    (folder / "orders.csv").write_bytes(content)


def file_and_parts(folder: Path) -> None:
    """orders.csv beside a folder orders/ with a part."""
    write_csv(folder / "orders" / "part.csv", small_shop()["orders"])


def empty_folder(folder: Path) -> None:
    """Nothing there at all."""
    for path in folder.iterdir():
        path.unlink()


def parts_of_two_types(folder: Path) -> None:
    """One part has times, another one text that is no time: they have no type in common."""
    orders_parquet("orders/1.parquet")(folder)
    orders_parquet("orders/2.parquet", order_id=["C", "D"], ordered_at=["2024-01-03", "never"])(
        folder
    )


def two_faults(folder: Path) -> None:
    """Two tables are damaged: a user wants to hear of both at once."""
    (folder / "orders.csv").write_bytes(b"")
    (folder / "refunds.csv").write_bytes(b"refund_id,order_id,refund_id\n")


# What is damaged: how, and what the one sentence must have (regular expressions).
STOPS: dict[str, tuple[Damage, list[str]]] = {
    "empty file": (orders_csv(b""), [r"^orders\.csv: the file is empty; expected a header line"]),
    "blank first line": (orders_csv(b"\n" + HEADER + LINES), [r"^orders\.csv: .*header"]),
    "UTF-16": (
        orders_csv((HEADER + LINES).decode().encode("utf-16")),
        [r"^orders\.csv: .*not UTF-8.*save the file as UTF-8"],
    ),
    "UTF-16 without a mark": (
        orders_csv((HEADER + LINES).decode().encode("utf-16-le")),
        [r"^orders\.csv: .*UTF-8"],
    ),
    "latin-1 header": (
        orders_csv(HEADER.replace(b"\n", b",r\xe9gion\n") + LINES.replace(b"\n", b",x\n")),
        [r"^orders\.csv: .*not UTF-8.*save the file as UTF-8"],
    ),
    "duplicate column": (
        orders_csv(b"order_id,ordered_at,status,STATUS\nA,2024-01-01,paid,paid\n"),
        [r"^orders\.csv: column 'status' is there 2 times; expected each name once"],
    ),
    "column without a name": (
        orders_csv(HEADER.replace(b"\n", b",\n") + LINES.replace(b"\n", b",\n")),
        [r"^orders\.csv: .*(header|name)"],
    ),
    "line of a spreadsheet before the header": (
        orders_csv(b"sep=;\n" + (HEADER + LINES).replace(b",", b";")),
        [r"^orders\.csv: .*(header|order_id)"],
    ),
    "missing required column": (
        orders_csv(b"order_id,status\nA,paid\n"),
        [r"^orders\.csv: the required column ordered_at is missing", "found order_id, status"],
    ),
    "mixed line ends": (
        orders_csv(HEADER + LINES.replace(b"paid\n", b"paid\r\n")),
        [r"^orders\.csv: .*line end.*[Ee]xport it again"],
    ),
    "old Macintosh line ends": (
        orders_csv((HEADER + LINES).replace(b"\n", b"\r")),
        [r"^orders\.csv: .*line end"],
    ),
    "missing required table": (
        lambda folder: (folder / "order_items.csv").unlink(),
        [r"required table order_items is missing; expected order_items\.csv"],
    ),
    "CSV and Parquet": (both_formats, [r"orders\.csv, orders\.parquet", "Keep one"]),
    "file and folder of parts": (file_and_parts, ["^orders: .*more than one form", "Keep one"]),
    "truncated Parquet": (truncated_parquet, [r"^orders\.parquet: cannot be read as Parquet"]),
    "corrupt Parquet": (corrupt_parquet, [r"^orders\.parquet: cannot be read as Parquet"]),
    "CSV named Parquet": (
        lambda folder: (folder / "orders.csv").rename(folder / "orders.parquet"),
        [r"^orders\.parquet: cannot be read as Parquet"],
    ),
    "Parquet time as number": (
        orders_parquet(ordered_at=[1704103200, 1704189600]),
        [r"^orders\.parquet: column ordered_at is BIGINT, expected a time"],
    ),
    "Parquet id as double": (
        orders_parquet(customer_id=[1.0, 2.0]),
        [r"^orders\.parquet: column customer_id is DOUBLE, expected text"],
    ),
    "Parquet list": (
        orders_parquet(promo_code=[["X"], ["Y"]]),
        [r"^orders\.parquet: column promo_code is VARCHAR\[\], expected text"],
    ),
    "Parquet without required column": (
        orders_parquet(status=[]),
        [r"^orders\.parquet: the required column status is missing"],
    ),
    "Parquet with a column twice": (
        orders_parquet(ORDER_ID=["X", "Y"]),
        [r"^orders\.parquet: .*order_id.*(2 times|twice|each once)"],
    ),
}


def told(dbt: Dbt, earlier: Earlier, folder: Path | str) -> list[str]:
    """The sentences with which a build of the folder stops."""
    with pytest.raises(BuildFailed) as failure:
        build_into(dbt, earlier.warehouse, folder)
    _, _, after = str(failure.value).partition("The raw tables cannot be built from:\n")
    sentences, _, _ = after.partition("\n  \n")
    assert sentences, f"the build broke instead of stopping in time: {failure.value}"
    return [sentence.strip() for sentence in sentences.splitlines()]


@pytest.mark.parametrize("case", STOPS)
def test_a_damaged_file_stops_the_build_before_anything_changes(
    dbt: Dbt, earlier: Earlier, tmp_path: Path, case: str
) -> None:
    """One clear sentence, and the warehouse of the earlier build stays as it was, every row."""
    damage, expected = STOPS[case]
    folder = write_tables(tmp_path, small_shop())
    damage(folder)
    sentences = told(dbt, earlier, folder)
    assert len(sentences) == 1
    for pattern in expected:
        assert re.search(pattern, sentences[0]), sentences[0]
    assert not re.search(r"Binder|Parser Error|Traceback|object has no", sentences[0])
    assert fingerprint(earlier.warehouse) == earlier.before


def test_all_faults_are_told_at_once(dbt: Dbt, earlier: Earlier, tmp_path: Path) -> None:
    """Who mends one file and builds again should not meet the next fault only then."""
    folder = write_tables(tmp_path, small_shop())
    two_faults(folder)
    sentences = told(dbt, earlier, folder)
    assert [sentence.partition(":")[0] for sentence in sentences] == ["orders.csv", "refunds.csv"]


def test_an_empty_folder_names_both_required_tables(
    dbt: Dbt, earlier: Earlier, tmp_path: Path
) -> None:
    """A folder with nothing in it stops the build, which says what it wants."""
    sentences = told(dbt, earlier, tmp_path)
    assert [re.findall(r"required table (\w+)", sentence) for sentence in sentences] == [
        ["order_items"],
        ["orders"],
    ]
    assert fingerprint(earlier.warehouse) == earlier.before


@pytest.mark.parametrize("name", ["nowhere", "it's nowhere", "a file.csv"])
def test_a_folder_that_is_none_stops_the_build(
    dbt: Dbt, earlier: Earlier, tmp_path: Path, name: str
) -> None:
    """A wrong path, a path with a quote, or a file instead of a folder: told, nothing changed."""
    (tmp_path / "a file.csv").touch()
    (sentence,) = told(dbt, earlier, tmp_path / name)
    assert str(tmp_path / name) in sentence
    assert "expected a folder" in sentence
    assert fingerprint(earlier.warehouse) == earlier.before


def test_an_unterminated_quote_loses_no_line(build: Build, tmp_path: Path) -> None:
    """A quote that never ends swallows the lines after it: the build stops, or counts every one."""
    folder = write_tables(tmp_path, small_shop())
    (folder / "orders.csv").write_bytes(HEADER + LINES.replace(b"B,", b'"B,'))
    try:
        connection = build(tests=False, select=REPORTS, raw_path=str(folder), load_date=LOAD_DATE)
    except BuildFailed as failure:
        assert "cannot be built from" in str(failure)  # noqa: PT017
        return
    assert report_of(connection)["orders"]["read_row_count"] == 3


# --- Files that are unusual, not damaged ------------------------------------------------


def write_unusual(folder: Path) -> Path:
    """The small shop in forms that an export may take, and tables with nothing in them."""
    shop = small_shop()
    orders = (HEADER.upper() + LINES).replace(b",", b";")
    (folder / "orders.csv").write_bytes(orders.rstrip(b"\n"))
    write_csv(folder / "order_items.csv", shop["order_items"])
    items = (
        (folder / "order_items.csv")
        .read_text()
        .replace(",3.50", ", 3.50 ")
        .replace("A,1,", "A, 1 ,")
    )
    (folder / "order_items.csv").write_bytes(b"\xef\xbb\xbf" + items.replace("\n", "\r\n").encode())
    columns = [*shop["refunds"][0], "filename", 'the "odd" one, it\'s']
    write_csv(folder / "refunds.csv", shop["refunds"], columns)
    blank_lines = (folder / "refunds.csv").read_text().replace("\n", "\n\n")
    (folder / "refunds.csv").write_text(blank_lines)
    (folder / "customers.csv").write_text("customer_id,email")
    (folder / "products").mkdir()
    (folder / "products" / 'it\'s a "part", (1) [2].csv').write_text("product_id\tname\nP\tPen\n")
    orders_parquet("nps_responses/none yet.parquet")(folder / "elsewhere")
    return folder


@pytest.fixture(scope="module")
def unusual(build: Build, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The warehouse of the unusual files."""
    folder = write_unusual(tmp_path_factory.mktemp("it's unusual [1]"))
    select = f"{REPORTS} +fct_order_lines +fct_orders +fct_refunds +dim_products"
    return build(tests=False, select=select, raw_path=str(folder), load_date=LOAD_DATE)


def report_of(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """The load report by table."""
    rows = dicts(connection, "select * from marts.agg_load_report")
    return {row["table_name"]: row for row in rows}


def test_unusual_files_are_read_as_plain_ones(
    unusual: duckdb.DuckDBPyConnection, earlier: Earlier
) -> None:
    """Semicolons, tabs, upper case, BOM, CRLF, blank lines, padded numbers, odd file names."""
    with duckdb.connect(str(earlier.warehouse), read_only=True) as connection:
        plain = {
            mart: mart_rows(connection, mart)
            for mart in ("fct_order_lines", "fct_orders", "fct_refunds")
        }
    assert {mart: mart_rows(unusual, mart) for mart in plain} == plain
    assert unusual.execute("select product_name from marts.dim_products").fetchall() == [("Pen",)]
    assert unusual.execute("select * from marts.fct_rejected_rows").fetchall() == []


def test_unknown_columns_are_ignored_and_named(unusual: duckdb.DuckDBPyConnection) -> None:
    """A column that the contract does not know is told once, not used."""
    report = report_of(unusual)
    assert report["refunds"]["unknown_columns"] == 'filename, the "odd" one, it\'s'
    assert report["orders"]["unknown_columns"] == ""
    assert report["customers"]["read_row_count"] == 0
    assert report["customers"]["file_count"] == 1
    assert report["payments"]["file_format"] == "absent"


ADDRESS = "https://shop.example/account?email=private.person@example.org"


def write_odd(folder: Path) -> Path:
    """Names that could be taken for something else, and addresses that name a person."""
    shop = small_shop()
    shop["refunds"] = [{**shop["refunds"][0], "amount": "a lot", "filename": "export of May"}]
    event = valid_rows()["events"] | {"page_url": ADDRESS, "referrer": ADDRESS}
    shop["events"] = [event, event | {"event_id": "B", "event_at": "never"}]
    for name, row in zip(
        ("part*.csv", "part 1.csv", "part 2.csv"), shop.pop("orders"), strict=True
    ):
        write_csv(folder / "orders" / name, [row])
    return write_tables(folder, shop)


@pytest.fixture(scope="module")
def odd(build: Build, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The warehouse of the odd names."""
    folder = write_odd(tmp_path_factory.mktemp("odd"))
    return build(tests=False, raw_path=str(folder), load_date=LOAD_DATE, as_of_date=AS_OF)


def test_a_column_named_filename_is_no_file_name(odd: duckdb.DuckDBPyConnection) -> None:
    """A shop's own column `filename` must not pose as the file that a rejected row came from."""
    rows = odd.execute(
        "select file_name from marts.fct_rejected_rows where table_name = 'refunds'"
    ).fetchall()
    assert rows == [("refunds.csv",)]


def test_a_file_name_is_no_pattern(odd: duckdb.DuckDBPyConnection) -> None:
    """A part whose name has a * is one file, not all that match."""
    report = report_of(odd)["orders"]
    assert (report["read_row_count"], report["duplicate_row_count"]) == (3, 0)


def test_no_mart_shows_the_query_of_an_address(odd: duckdb.DuckDBPyConnection) -> None:
    """Addresses lose their query, which may name a person, also where the event is rejected."""
    assert report_of(odd)["events"]["rejected_row_count"] == 1
    shown = [mart for mart, rows in marts(odd).items() if re.search("private", str(rows))]
    assert shown == []


def test_parquet_parts_may_leave_a_column_empty(build: Build, tmp_path: Path) -> None:
    """A month without promo codes or deliveries has columns of no type: they are NULL."""
    write_tables(tmp_path, small_shop())
    orders_parquet("orders/1.parquet", promo_code=[None, None], delivered_at=[None, None])(tmp_path)
    times = [moment(3, 10), moment(3, 11)]
    orders_parquet(
        "orders/2.parquet",
        order_id=["C", "D"],
        ordered_at=times,
        promo_code=["X", "Y"],
        delivered_at=times,
    )(tmp_path)
    connection = build(
        tests=False,
        select="+fct_orders",
        raw_path=str(tmp_path),
        load_date=LOAD_DATE,
        as_of_date=AS_OF,
    )
    rows = connection.execute(
        "select order_id, promo_code, delivered_at is not null from marts.fct_orders order by 1"
    ).fetchall()
    assert rows == [("A", None, False), ("B", None, False), ("C", "X", True), ("D", "Y", True)]


def test_parquet_parts_of_two_types_are_told_or_read(build: Build, tmp_path: Path) -> None:
    """Times in one part, text in the next: a sentence in time, or all read, never a crash."""
    write_tables(tmp_path, small_shop())
    parts_of_two_types(tmp_path)
    try:
        connection = build(tests=False, select=REPORTS, raw_path=str(tmp_path), load_date=LOAD_DATE)
    except BuildFailed as failure:
        assert "cannot be built from" in str(failure)  # noqa: PT017
        return
    report = report_of(connection)["orders"]
    assert (report["kept_row_count"], report["rejected_row_count"]) == (3, 1)


def test_headers_alone_build_an_empty_warehouse(build: Build, tmp_path: Path) -> None:
    """A shop that opens tomorrow: every table is there, none has a row, and nothing fails."""
    for table, columns in contract().items():
        write_csv(tmp_path / f"{table}.csv", [], [column["name"] for column in columns])
    connection = build(tests=False, raw_path=str(tmp_path), load_date=LOAD_DATE)
    rows = marts(connection)
    assert [len(rows[mart]) for mart in ("fct_orders", "fct_order_lines", "dim_customers")] == [
        0,
        0,
        0,
    ]
    assert len(rows["agg_load_report"]) == len(contract())


def test_the_greatest_values_do_not_break_a_build(build: Build, tmp_path: Path) -> None:
    """No row that keeps the contract can stop a build, however large its numbers."""
    folder = write_greatest_values(tmp_path)
    connection = build(tests=False, raw_path=str(folder), load_date=LOAD_DATE, as_of_date=AS_OF)
    report = report_of(connection)
    assert report["order_items"]["rejected_row_count"] == 0
    assert report["events"]["rejected_row_count"] == 0


def write_greatest_values(folder: Path) -> Path:
    """Twenty rows a table, each number the greatest that the contract allows, the rate too."""
    overrides = {
        "orders": {"status": "paid"},
        # At the greatest rate: what a line may be worth (largest_line_amount).
        "order_items": {"quantity": "10", "unit_price": "1000000"},
        "events": {"is_bot": "false"},
    }
    for table, columns in contract().items():
        row = {column["name"]: greatest_value(column) or valid_value(column) for column in columns}
        if "currency" in row:
            row["currency"] = "XAU"
        write_csv(folder / f"{table}.csv", numbered(table, row | overrides.get(table, {})))
    return folder


def numbered(table: str, row: dict[str, str]) -> list[Row]:
    """Copies of a row that differ in their key; one order, all else as often as may be."""
    keys = {
        "order_items": "line_number",
        "fx_rates": "",
        "orders": "",
        "experiments": "anonymous_id",
    }
    key = keys.get(table, next(iter(row)))
    if not key:
        return [row]
    if table == "order_items":
        return [{**row, key: 1000000 - n} for n in range(20)]
    if table == "ad_spend":
        return [{**row, "utm_campaign": n} for n in range(20)]
    return [{**row, key: "A" if n == 0 else f"A{n}"} for n in range(20)]


# --- Rows that are set aside ------------------------------------------------------------


RAGGED = "A,private.person@example.org,2024-01-02\n"
NOT_UTF8 = b"A,PRIVATE \xff\xfe,2024-01-02T10:00:00Z,1977-07-07" + b"," * 9 + b"\n"
CONFLICT = {
    "customers": {"city": "Elsewhere"},
    "events": {"browser": "B"},
    "orders": {"device": "B"},
}


def write_damaged(folder: Path) -> Path:
    """One valid row a table, two exact copies of it, some conflicts, every rule broken."""
    valid = valid_rows()
    rows: dict[str, list[Row]] = {table: [row, row, row] for table, row in valid.items()}
    for table, change in CONFLICT.items():
        rows[table].append(valid[table] | change)
    for broken in broken_rows():
        rows[broken.table].append(broken.row)
    write_tables(folder, rows)
    with (folder / "customers.csv").open("ab") as stream:
        stream.write(RAGGED.encode() + b"\n" + RAGGED.encode() + NOT_UTF8)
    return folder


@pytest.fixture(scope="module")
def damaged_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The damaged files."""
    return write_damaged(tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="module")
def damaged(build: Build, damaged_folder: Path) -> duckdb.DuckDBPyConnection:
    """Their warehouse."""
    return build(tests=False, raw_path=str(damaged_folder), load_date=LOAD_DATE, as_of_date=AS_OF)


def data_lines(path: Path) -> int:
    """The lines of a CSV that are neither blank nor the header."""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        return sum(1 for line in csv.reader(stream) if line) - 1


def test_every_line_is_kept_a_duplicate_or_rejected(
    damaged: duckdb.DuckDBPyConnection, damaged_folder: Path
) -> None:
    """Rows read = kept + exact duplicates + rejected, and rows read = lines in the file."""
    expected = {}
    for table in contract():
        lines = data_lines(damaged_folder / f"{table}.csv")
        expected[table] = (lines, 1, 2, lines - 3)
    found = {
        table: (
            row["read_row_count"],
            row["kept_row_count"],
            row["duplicate_row_count"],
            row["rejected_row_count"],
        )
        for table, row in report_of(damaged).items()
    }
    assert found == expected


def rejected(damaged: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rejected rows as they came."""
    return dicts(damaged, "select * from intermediate.int_rows_rejected")


def test_every_broken_rule_is_told(damaged: duckdb.DuckDBPyConnection) -> None:
    """Each row names the column and the rule that it breaks: nothing else is wrong with it."""
    reasons = Counter((row["table_name"], row["reject_reason"]) for row in rejected(damaged))
    for broken in broken_rows():
        matches = [
            reason
            for (table, reason), count in reasons.items()
            if table == broken.table and reason.startswith(broken.reason) and count == 1
        ]
        assert matches, (broken, [reason for table, reason in reasons if table == broken.table])


def test_rejected_rows_are_whole(damaged: duckdb.DuckDBPyConnection) -> None:
    """Every value of a rejected row is in its row_content, so that it can be mended."""
    contents = [
        (row["table_name"], json.loads(row["row_content"]))
        for row in rejected(damaged)
        if not row["reject_reason"].startswith("malformed line")
    ]
    for broken in broken_rows():
        values = {name: value or None for name, value in broken.row.items()}
        assert (broken.table, values) in contents


def test_lines_that_are_no_rows_are_whole(damaged: duckdb.DuckDBPyConnection) -> None:
    """A ragged line, and one that is not UTF-8, is there with its file and line number."""
    malformed = [row for row in rejected(damaged) if row["reject_reason"].startswith("malformed")]
    ragged = [row for row in malformed if row["row_content"].strip() == RAGGED.strip()]
    (not_utf8,) = [row for row in malformed if row not in ragged]
    first = min(row["line_number"] for row in ragged)
    assert sorted(row["line_number"] for row in ragged) == [first, first + 2]
    assert not_utf8["line_number"] == first + 3
    assert not_utf8["row_content"].startswith("A,PRIVATE ")
    assert "1977-07-07,,,," in not_utf8["row_content"]
    assert {row["file_name"] for row in malformed} == {"customers.csv"}


def test_no_mart_shows_a_personal_value(damaged: duckdb.DuckDBPyConnection) -> None:
    """E-mail, birth date, postcode and comment end in staging, also in rows that were rejected."""
    assert len(PRIVATE) == sum(
        column["meta"].get("personal", False)
        for columns in contract().values()
        for column in columns
    )
    assert any(re.search(PRIVATE_PATTERN, row["row_content"]) for row in rejected(damaged))
    kept = damaged.execute("select email_hash, age_band, postcode_area from marts.dim_customers")
    assert None not in kept.fetchall()[0]
    shown = {
        mart: found
        for mart, rows in marts(damaged).items()
        if (found := [row for row in rows if re.search(PRIVATE_PATTERN, row)])
    }
    assert not shown

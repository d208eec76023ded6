"""Shops that have next to nothing: every page says what is missing and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dashboard.app_runs import PAGES, faults, publish_marts, run_page, tiles
from dashboard.browser import Browser, a_browser, dashboard_of, wait
from shops import Row, columns_of, small_shop, write_csv, write_tables
from warehouses import Build, Dbt

from dashboards.formats import NOTHING
from dashboards.texts import Texts

SHOPS = ("empty", "no_web", "first_day")
STEPS = ("page_view", "product_view", "add_to_cart", "begin_checkout", "purchase")


def first_day() -> dict[str, list[Row]]:
    """A shop's first day: eight visitors, six carts, three orders; and the next morning's visit."""
    tables: dict[str, list[Row]] = {"orders": [], "order_items": [], "events": []}
    for visitor in range(8):
        at = f"2024-03-04T1{visitor}"
        for number, name in enumerate(STEPS[: 5 if visitor < 3 else visitor - 2]):
            is_about_product = name in ("product_view", "add_to_cart")
            tables["events"].append({
                "event_id": f"{visitor}-{number}", "event_at": f"{at}:0{number}:00Z",
                "anonymous_id": f"D{visitor}", "event_name": name, "device": "mobile",
                "product_id": "P" if is_about_product else None,
                "quantity": 1 if is_about_product else None, "country": "FR",
                "order_id": f"O{visitor}" if name == "purchase" else None,
            })  # fmt: skip
        if visitor < 3:
            tables["orders"].append({
                "order_id": f"O{visitor}", "ordered_at": f"{at}:04:00Z", "status": "paid",
                "customer_id": f"C{visitor}", "anonymous_id": f"D{visitor}",
            })  # fmt: skip
            tables["order_items"].append({
                "order_id": f"O{visitor}", "line_number": 1, "product_id": "P", "quantity": 1,
                "unit_price": "19.90",
            })  # fmt: skip
    tables["events"].append({
        "event_id": "next", "event_at": "2024-03-05T08:00:00Z", "anonymous_id": "D0",
        "event_name": "page_view", "device": "mobile", "country": "FR",
    })  # fmt: skip
    return tables


@pytest.fixture(scope="module")
def folders(build: Build, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is published of a shop without any row, of one without web events, of a first day."""
    folders = {}
    for name in SHOPS:
        folder = tmp_path_factory.mktemp(name)
        if name == "empty":
            for table in ("orders", "order_items"):
                write_csv(folder / "raw" / f"{table}.csv", [], columns_of(small_shop()[table]))
        else:
            write_tables(folder / "raw", small_shop() if name == "no_web" else first_day())
        connection = build(tests=False, raw_path=str(folder / "raw"))
        folders[name] = publish_marts(connection, dbt, folder)
    return folders


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for both shops."""
    yield from a_browser(tmp_path_factory.mktemp("browser"))


@pytest.mark.parametrize("shop", ["empty", "first_day"])
def test_pages_of_a_small_shop_open_in_a_browser(
    folders: dict[str, Path], browser: Browser, shop: str
) -> None:
    """No page breaks where it is drawn, which may be in the browser alone; each says something."""
    texts = Texts("en")
    with dashboard_of(folders[shop]) as address:
        for page in PAGES:
            browser.open(f"{address}/?page={page}&lang=en", texts(f"page_{page}"))
            said = '[data-testid="stAlert"], [data-testid="stMetric"]'
            wait(lambda: browser.find(said), f"for {page}")  # noqa: B023
            # A chart that cannot be drawn says so in a box, a moment after the page stands still.
            assert not browser.faults(), page
        browser.driver.get("about:blank")
    assert not browser.complaints()


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("shop", SHOPS)
def test_page_of_a_small_shop_says_what_to_do(
    folders: dict[str, Path], shop: str, page: str, language: str
) -> None:
    """A newcomer's first shop is small: no page may break, or be blank."""
    app = run_page(folders[shop], page, lang=language)
    assert not faults(app)
    assert tiles(app) or [message.value for message in (*app.info, *app.success)]


def test_empty_shop_is_told_to_bring_orders(folders: dict[str, Path]) -> None:
    """Where there is nothing the page names the tables that are needed."""
    for page in PAGES:
        app = run_page(folders["empty"], page)
        assert "order_items" in app.info[0].value
        assert "make build" in app.info[0].value


def test_shop_whose_first_day_is_not_over_is_told_to_wait(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Its rows are there, but no number knows them before their day has ended."""
    for name in ("marts.duckdb", "manifest.json"):
        shutil.copy(folders["empty"] / name, tmp_path)
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as connection:
        connection.execute("update agg_load_report set kept_row_count = 3")
    assert "tomorrow" in run_page(tmp_path, "funnel").info[0].value


def test_first_day_has_its_numbers(folders: dict[str, Path]) -> None:
    """A shop that opened yesterday sees what it sold, though no week or month is over."""
    app = run_page(folders["first_day"], "overview")
    assert tiles(app)["Net revenue"] == "€59.70"
    assert tiles(app)["Orders"] == tiles(app)["New customers"] == "3"
    assert "4 Mar 2024" in app.info[0].value
    assert tiles(run_page(folders["first_day"], "carts"))["Carts"] == "6"
    assert tiles(run_page(folders["first_day"], "funnel"))["Largest drop-off before"] == NOTHING


def test_orders_without_web_events_say_so_where_these_are_needed(folders: dict[str, Path]) -> None:
    """What is missing is named, where its numbers would be."""
    for page in ("funnel", "carts"):
        assert "`events`" in run_page(folders["no_web"], page).info[0].value
    app = run_page(folders["no_web"], "overview")
    assert tiles(app)["Orders"] == "2"


def test_orders_without_web_events_have_kpis(folders: dict[str, Path]) -> None:
    """What orders alone tell is told: a shop need not track its visitors to see its revenue."""
    app = run_page(folders["no_web"], "quality")
    assert tiles(app)["Rows rejected"].startswith("0 / 7")
    app = run_page(folders["no_web"], "carts")
    assert "events" in app.info[0].value

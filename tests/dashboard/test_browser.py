"""The dashboard in Chromium, as a reader uses it. Skipped where there is no Chromium."""

from __future__ import annotations

import csv
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest
from dashboard.app_runs import PAGES
from dashboard.browser import Browser, a_browser, dashboard_of, wait

from dashboards.texts import Texts

ENGLISH, FRENCH = Texts("en"), Texts("fr")
DRAWN = '[data-testid="stVegaLiteChart"] svg, [data-testid="stVegaLiteChart"] canvas'
RADIO = '[data-testid="stSidebar"] [data-testid="stRadioOption"]'


@pytest.fixture(scope="module")
def folder(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is published of the demo shop, for a test to publish over."""
    folder = tmp_path_factory.mktemp("browsed")
    for name in ("marts.duckdb", "manifest.json"):
        shutil.copy(demo_folder / name, folder)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The address of a dashboard of it."""
    with dashboard_of(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for all tests."""
    yield from a_browser(tmp_path_factory.mktemp("browser"))


def test_pages_open_one_after_the_other_without_complaints(address: str, browser: Browser) -> None:
    """Each page draws what it has, the console is silent, and no other host is asked."""
    browser.open(address, "Overview")
    for page in (*PAGES[1:], PAGES[0]):
        browser.click(RADIO, ENGLISH(f"page_{page}"))
        browser.expect_title(ENGLISH(f"page_{page}"))
        wait(lambda: browser.find(DRAWN), f"for the charts of {page}")
        wait(partial(browser.is_at, f"page={page}"), f"for the URL of {page}")
        assert not browser.faults()
    assert not browser.complaints()
    assert browser.hosts() == {"127.0.0.1"}


def test_filters_and_language_are_in_the_url_and_restored_from_it(
    address: str, browser: Browser
) -> None:
    """A link that is sent to a colleague shows what its sender saw, in the colleague's language."""
    browser.open(f"{address}/?page=carts", "Carts")
    whole = browser.tiles()["Carts"]
    browser.click('[data-testid="stMultiSelect"] input, [data-testid="stMultiSelect"]', "Device")
    browser.find('[data-testid="stMultiSelect"] input')[1].click()
    browser.click('[role="option"]', "Mobile")
    wait(lambda: browser.is_at("device=mobile"), "for the URL")
    wait(lambda: browser.is_still() and browser.tiles()["Carts"] != whole, "for the numbers")
    mobile = browser.tiles()["Carts"]
    browser.click(RADIO, "Funnel")
    browser.expect_title("Funnel")
    assert browser.is_at("device=mobile")
    browser.click(RADIO, "Carts")
    browser.expect_title("Carts")
    link = browser.driver.current_url
    browser.open(address, "Overview")
    browser.open(link, "Carts")
    assert browser.tiles()["Carts"] == mobile
    browser.click('[data-testid="stSidebar"] button', "Français")
    browser.expect_title("Paniers")
    assert browser.tiles()["Paniers"] == mobile.replace(",", "\u202f")
    wait(lambda: browser.is_at("lang=fr"), "for the URL")
    assert browser.is_at("device=mobile")
    assert not browser.complaints()


def test_going_back_restores_the_page_of_before(address: str, browser: Browser) -> None:
    """The browser's own button works, as everybody expects of pages."""
    browser.open(f"{address}/?page=funnel&lang=en", "Funnel")
    browser.click(RADIO, "Cohorts")
    browser.expect_title("Cohorts")
    browser.driver.back()
    browser.expect_title("Funnel")


def test_download_holds_the_rows_of_the_mart(address: str, folder: Path, browser: Browser) -> None:
    """The list that is taken along is the one on the page, all of it."""
    browser.open(f"{address}/?page=opportunities&kind=second_order&lang=en", "Opportunities")
    browser.click('[data-testid="stDownloadButton"] button', "rows)")
    file = wait(lambda: next(iter(browser.downloads.glob("opportunities*.csv")), None), "for CSV")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{folder / 'marts.duckdb'}' as published (read_only)")
        expected = connection.execute(
            "select customer_id from published.fct_customer_opportunities"
            " where kind = 'second_order'"
        ).fetchall()
    assert sorted(row["customer_id"] for row in rows) == sorted(name for (name,) in expected)


def test_a_definition_is_one_hover_away(address: str, browser: Browser) -> None:
    """A reader who wonders what a number is finds it where the number is."""
    from selenium.webdriver import ActionChains

    browser.open(f"{address}/?page=carts&lang=en", "Carts")
    icon = browser.find('[data-testid="stMetric"] [data-testid="stTooltipIcon"]')[1]
    ActionChains(browser.driver).move_to_element(icon).perform()

    def is_shown() -> bool:
        return "mature_cart_count" in " ".join(browser.texts('[data-testid="stTooltipContent"]'))

    wait(is_shown, "for the definition")


def test_an_open_page_follows_a_publish_by_itself(
    address: str, folder: Path, browser: Browser
) -> None:
    """Whoever has the page open in the morning sees the new numbers without touching it."""
    browser.open(f"{address}/?page=carts&lang=en", "Carts")
    before = browser.tiles()["Carts"]
    new = folder / "new.duckdb"
    shutil.copy(folder / "marts.duckdb", new)
    with duckdb.connect(str(new)) as connection:
        connection.execute("delete from agg_cart_abandonment_daily where country = 'FR'")
    began = time.monotonic()
    os.replace(new, folder / "marts.duckdb")
    assert time.monotonic() - began < 1
    wait(lambda: browser.tiles().get("Carts", before) != before, "for the new build")
    browser.expect_title("Carts")
    assert not browser.complaints()


def test_an_open_page_waits_for_the_first_publish(
    browser: Browser, demo_folder: Path, tmp_path: Path
) -> None:
    """A newcomer who opens the dashboard too early need not come back: it opens by itself."""
    with dashboard_of(tmp_path) as address:
        browser.open(f"{address}/?page=quality", "Data quality")
        assert "make build" in " ".join(browser.texts('[data-testid="stAlert"]'))
        for name in ("marts.duckdb", "manifest.json"):
            shutil.copy(demo_folder / name, tmp_path / f"{name}.new")
            os.replace(tmp_path / f"{name}.new", tmp_path / name)
        wait(lambda: "Checks passed" in browser.tiles(), "for the numbers")
        browser.driver.get("about:blank")
    browser.complaints()

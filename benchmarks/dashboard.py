"""The dashboard in Chromium: seconds until each page stands still, with all its charts.

    python -m benchmarks.dashboard                         what is published
    python -m benchmarks.dashboard --customers 1000000     its customers repeated up to a million

First from the start of the server to the first whole page; then each page, three times and more:

    published   opened by its URL just after a publish: nothing is read or kept yet
    again       opened by its URL once more, as the next reader does
    click       chosen in the list of pages

A page stands still when the server has computed it and every chart is drawn. Opening by a URL loads
Streamlit's own scripts too, which a click does not. Medians are given, in seconds, and in brackets
the server's processor seconds, which do not hang on what else the machine does (its load is told).
A repeated file has the customers of the published one under other numbers, with their profiles,
orders, opportunities, recommendations and states; aggregates by day are as large as they were.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from dashboards.published import published_path
from dashboards.texts import Texts

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dashboard.app_runs import PAGES
from dashboard.browser import Browser, dashboard_of

# What is as large as the shop's customers, with the order in which its rows lie.
OF_CUSTOMERS = {
    "dim_customer_profiles": "customer_id",
    "fct_orders": "order_date, order_id",
    "fct_customer_opportunities": "customer_id, kind",
    "fct_product_recommendations": "customer_id, recommendation_rank",
    "fct_customer_states": "customer_id, valid_from_date",
}
TEXTS = Texts("en")
RADIO = '[data-testid="stSidebar"] [data-testid="stRadioOption"]'
STANDS_STILL = """
    const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
    const app = document.querySelector('[data-testid="stApp"]');
    return document.querySelector('h1')?.innerText === arguments[0]
        && app?.getAttribute('data-test-script-state') === 'notRunning'
        && !document.querySelector('[data-testid="stSkeleton"]')
        && charts.every(chart => chart.querySelector('svg, canvas'));
"""


def repeated(source: Path, folder: Path, customers: int) -> Path:
    """A folder with what is published in another, its customers repeated up to a number."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("marts.duckdb", "manifest.json"):
        shutil.copy(source / name, folder)
    with duckdb.connect(str(folder / "marts.duckdb")) as connection:
        row = connection.execute("select count(*) from dim_customer_profiles").fetchone()
        times = -(-customers // max(row[0] if row else 0, 1))
        for mart, order in OF_CUSTOMERS.items():
            connection.execute(
                f"insert into {mart} select mart.* replace"
                f" (printf('%06d-%s', times.number, customer_id) as customer_id)"
                f" from {mart} as mart, range(1, {times}) as times (number) order by {order}"
            )
        connection.execute(
            f"update agg_customer_bands set customer_count = customer_count * {times}"
        )
    return folder


def seconds_until_still(browser: Browser, page: str, begin: Callable[[], Any]) -> float:
    """Begin something, and wait until a page stands still; AssertionError where it does not."""
    began = time.perf_counter()
    begin()
    while not browser.driver.execute_script(STANDS_STILL, TEXTS(f"page_{page}")):
        if time.perf_counter() - began > 60:
            raise AssertionError(f"waited a minute for {page}")
        time.sleep(0.01)
    return time.perf_counter() - began


def processor_seconds() -> float:
    """What the server, a child of this process, has used so far."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            command = (stat.parent / "cmdline").read_bytes()
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == os.getpid() and b"streamlit" in command:
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def publish_again(folder: Path) -> None:
    """Make the file another one, as a publish does: whatever was kept of it is forgotten."""
    os.utime(folder / "marts.duckdb")


def click_on(browser: Browser, page: str) -> None:
    """Choose a page in the list."""
    title = TEXTS(f"page_{page}")
    next(place for place in browser.find(RADIO) if place.text.strip().endswith(title)).click()


def measure(folder: Path, rounds: int, scratch: Path) -> None:
    """Print seconds of the start and of each page of what is published in a folder."""
    browser = Browser(scratch / "browser")
    took: dict[str, dict[str, list[tuple[float, float]]]] = {page: {} for page in PAGES}

    def note(page: str, kind: str, begin: Callable[[], Any]) -> None:
        used = processor_seconds()
        seconds = seconds_until_still(browser, page, begin)
        took[page].setdefault(kind, []).append((seconds, processor_seconds() - used))

    def blank() -> None:
        browser.driver.get("about:blank")

    began = time.perf_counter()
    with dashboard_of(folder) as address:
        seconds_until_still(browser, "overview", lambda: browser.driver.get(address))
        print(f"start to the first whole page: {time.perf_counter() - began:.1f} s")
        for _ in range(rounds):
            for page in PAGES:
                url = f"{address}/?page={page}&lang=en"
                blank()
                publish_again(folder)
                note(page, "published", lambda url=url: browser.driver.get(url))  # type: ignore[misc]
                blank()
                note(page, "again", lambda url=url: browser.driver.get(url))  # type: ignore[misc]
            for page in PAGES:  # from the page before; the last one was the last opened
                note(page, "click", lambda page=page: click_on(browser, page))  # type: ignore[misc]
        blank()
    browser.driver.quit()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'page':<14}" + "".join(f"{kind:>14}" for kind in ("published", "again", "click")))
    for page, kinds in took.items():
        figures = [
            f"{median(seconds for seconds, _ in runs):.2f} ({median(used for _, used in runs):.2f})"
            for runs in (kinds["published"], kinds["again"], kinds["click"])
        ]
        print(f"{page:<14}" + "".join(f"{figure:>14}" for figure in figures))


def main() -> None:
    """Measure what is published, or that with more customers."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--customers", type=int, default=0, help="repeat customers up to so many")
    parser.add_argument("--rounds", type=int, default=3, help="times that each page is opened")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = repeated(published_path().parent, Path(scratch) / "published", options.customers)
        with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as connection:
            for mart in OF_CUSTOMERS:
                row = connection.execute(f"select count(*) from {mart}").fetchone()
                print(f"{mart}: {row[0] if row else 0:,} rows")
        measure(folder, options.rounds, Path(scratch))


if __name__ == "__main__":
    main()

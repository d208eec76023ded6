"""Shops that have next to nothing: every page says what is missing and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from dashboard.app_runs import PAGES, faults, publish_marts, run_page, tiles
from shops import columns_of, small_shop, write_csv, write_tables
from warehouses import Build, Dbt


@pytest.fixture(scope="module")
def folders(build: Build, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is published of a shop with no row at all, and of one without web events."""
    folders = {}
    for name in ("empty", "no_web"):
        folder = tmp_path_factory.mktemp(name)
        if name == "empty":
            for table in ("orders", "order_items"):
                write_csv(folder / "raw" / f"{table}.csv", [], columns_of(small_shop()[table]))
        else:
            write_tables(folder / "raw", small_shop())
        connection = build(tests=False, raw_path=str(folder / "raw"))
        folders[name] = publish_marts(connection, dbt, folder)
    return folders


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("shop", ["empty", "no_web"])
def test_page_of_a_small_shop_says_what_to_do(
    folders: dict[str, Path], shop: str, page: str, language: str
) -> None:
    """A newcomer's first shop is small: no page may break, or be blank."""
    app = run_page(folders[shop], page, lang=language)
    assert not faults(app)
    assert tiles(app) or [message.value for message in (*app.info, *app.success)]


def test_empty_shop_is_told_to_bring_orders(folders: dict[str, Path]) -> None:
    """Where there is nothing the page names the tables that are needed."""
    app = run_page(folders["empty"], "overview")
    assert "make build" in app.info[0].value
    app = run_page(folders["empty"], "quality")
    assert "order_items" in app.info[0].value


def test_orders_without_web_events_have_kpis(folders: dict[str, Path]) -> None:
    """What orders alone tell is told: a shop need not track its visitors to see its revenue."""
    app = run_page(folders["no_web"], "quality")
    assert tiles(app)["Rows rejected"].startswith("0 / 7")
    app = run_page(folders["no_web"], "carts")
    assert "events" in app.info[0].value

"""Affinities against brute force and scipy; recommendations against what was bought afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from scipy.stats import fisher_exact
from shops import Row, dicts, write_tables
from warehouses import Build

from seeds.simulator.__main__ import parquet as simulate

MARTS = "+fct_product_recommendations +agg_recommendation_backtests +agg_product_affinities"
AS_OF = date(2025, 6, 30)
HORIZON = 90
HOLDOUT = AS_OF - timedelta(days=HORIZON)
LARGEST_BASKET = 7
MINIMUM_COUNT = 3
TASTES, PRODUCTS_OF_A_TASTE, CUSTOMERS = 4, 12, 420


@dataclass
class TasteShop:
    """Customers who mostly buy and view what is to their taste, and what each basket has."""

    tables: dict[str, list[Row]]
    baskets: dict[str, list[tuple[date, frozenset[str]]]]  # by basis
    bought: list[tuple[str, date, str]]  # customer, day, product


def taste_shop(seed: int) -> TasteShop:
    """Orders of 600 days and sessions of 300, the devices' owners often known later only."""
    random = Random(seed)
    products = [
        [f"P{taste}{number:02}" for number in range(PRODUCTS_OF_A_TASTE)] for taste in range(TASTES)
    ]
    weights = [1 / (number + 2) for number in range(PRODUCTS_OF_A_TASTE)]
    shop = TasteShop({}, {"orders": [], "sessions": []}, [])
    orders: list[Row] = []
    items: list[Row] = []
    events: list[Row] = []

    def picked(taste: int, size: int) -> list[str]:
        tastes = [
            taste if random.random() < 0.85 else random.randrange(TASTES) for _ in range(size)
        ]
        return [random.choices(products[t], weights)[0] for t in tastes]

    for number in range(CUSTOMERS):
        customer, taste = f"C{number:03}", number % TASTES
        for _ in range(random.choice((0, 1, 3, 4, 6))):
            day = AS_OF - timedelta(days=random.randrange(600))
            order = f"O{len(orders):05}"
            is_cancelled = random.random() < 0.05
            orders.append({
                "order_id": order,
                "ordered_at": f"{day}T12:00:00Z",
                "customer_id": None if random.random() < 0.05 else customer,
                "status": "cancelled" if is_cancelled else "paid",
            })  # fmt: skip
            basket = picked(taste, random.choice((1, 2, 2, 3, 4, 9)))
            for line, product in enumerate(basket):
                items.append({
                    "order_id": order, "line_number": line + 1, "product_id": product,
                    "quantity": 1, "unit_price": "10.00",
                })  # fmt: skip
            if not is_cancelled:
                shop.baskets["orders"].append((day, frozenset(basket)))
                if orders[-1]["customer_id"]:
                    shop.bought += [(customer, day, product) for product in basket]
        known_from = AS_OF - timedelta(days=random.randrange(300))
        for _ in range(random.randrange(6)):
            day = AS_OF - timedelta(days=random.randrange(300))
            start = datetime.fromisoformat(f"{day}T09:00:00") + timedelta(
                minutes=random.randrange(300)
            )
            viewed = picked(taste, random.randrange(1, 12))
            for place, product in enumerate(viewed):
                events.append({
                    "event_id": f"E{len(events):06}",
                    "event_at": f"{start + timedelta(minutes=place)}Z",
                    "anonymous_id": f"A{number:03}",
                    "event_name": random.choice(("product_view", "view_item", "add_to_cart")),
                    "product_id": product,
                    "customer_id": customer if day >= known_from else None,
                })  # fmt: skip
            shop.baskets["sessions"].append((day, frozenset(viewed)))
    customers: list[Row] = [
        {"customer_id": f"C{number:03}", "created_at": "2023-01-01T00:00:00Z",
         "country": random.choice(("FR", "DE", "BE"))}
        for number in range(CUSTOMERS)
    ]  # fmt: skip
    shop.tables = {
        "orders": orders, "order_items": items, "events": events, "customers": customers,
    }  # fmt: skip
    return shop


@pytest.fixture(scope="module")
def shop() -> TasteShop:
    """The shop of tastes."""
    return taste_shop(7)


@pytest.fixture(scope="module")
def folder(shop: TasteShop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its raw tables."""
    return write_tables(tmp_path_factory.mktemp("tastes"), shop.tables)


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, Any]:
    """The variables of both builds."""
    return {
        "raw_path": str(folder),
        "select": MARTS,
        "tests": False,
        "affinity_largest_basket": LARGEST_BASKET,
        "affinity_minimum_count": MINIMUM_COUNT,
    }


@pytest.fixture(scope="module")
def built(build: Build, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The shop as AS_OF knows it."""
    return build(as_of_date=str(AS_OF), **settings)


@pytest.fixture(scope="module")
def built_before(build: Build, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The shop as the holdout's day knew it."""
    return build(as_of_date=str(HOLDOUT), **settings)


@pytest.fixture(scope="module")
def simulated(
    build: Build, tmp_path_factory: pytest.TempPathFactory
) -> tuple[duckdb.DuckDBPyConnection, Path]:
    """A simulated shop of about 43,000 orders, and the folder of its truth."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(42, 60_000, 8, folder / "raw", folder / "truth")
    return build(raw_path=str(folder / "raw"), select=MARTS, tests=False), folder / "truth"


@pytest.mark.parametrize(("basis", "days"), [("orders", 365), ("sessions", 90)])
def test_pairs_are_those_counted_by_hand(
    shop: TasteShop, built: duckdb.DuckDBPyConnection, basis: str, days: int
) -> None:
    """Counts, support, confidence and lift: of baskets in the window, not of too many products."""
    baskets = [
        products
        for day, products in shop.baskets[basis]
        if AS_OF - timedelta(days=days) < day <= AS_OF and len(products) <= LARGEST_BASKET
    ]
    single = Counter(product for products in baskets for product in products)
    pairs = Counter(pair for products in baskets for pair in combinations(sorted(products), 2))
    comparable = sum(map(len, baskets)) ** 2 / sum(len(b) * (len(b) - 1) for b in baskets)
    rows = dicts(built, f"from marts.agg_product_affinities where basis = '{basis}'")
    found = {(row["product_a_id"], row["product_b_id"]): row for row in rows}
    assert set(found) == {pair for pair, count in pairs.items() if count >= MINIMUM_COUNT}
    assert len(found) > 100
    for (a, b), row in found.items():
        count = pairs[a, b]
        assert row["pair_count"] == count
        assert (row["product_a_count"], row["product_b_count"]) == (single[a], single[b])
        assert row["basket_count"] == len(baskets)
        assert row["comparable_basket_count"] == pytest.approx(comparable, abs=0.5)
        assert row["support_share"] == pytest.approx(count / len(baskets))
        assert row["confidence_a_to_b_share"] == pytest.approx(count / single[a])
        assert row["confidence_b_to_a_share"] == pytest.approx(count / single[b])
        assert row["lift"] == pytest.approx(count * len(baskets) / single[a] / single[b])


def test_p_values_are_those_of_scipy(built: duckdb.DuckDBPyConnection) -> None:
    """Fisher's exact test, one-sided, in plain arithmetic; then Benjamini and Hochberg."""
    for basis in ("orders", "sessions"):
        rows = dicts(built, f"from marts.agg_product_affinities where basis = '{basis}'")
        tests = []
        for row in rows:
            k, a, b = row["pair_count"], row["product_a_count"], row["product_b_count"]
            n = row["comparable_basket_count"]
            if k * n <= a * b:
                assert row["p_value"] is None
                continue
            table = [[k, a - k], [b - k, n - a - b + k]]
            exact = fisher_exact(table, alternative="greater").pvalue
            assert row["p_value"] == pytest.approx(exact, rel=0.02 if exact < 0.05 else 0.5)
            assert row["p_value"] >= exact * (1 - 1e-6), "the tail is never cut short"
            tests.append(row)
        products = TASTES * PRODUCTS_OF_A_TASTE
        possible = products * (products - 1) // 2
        tests.sort(key=lambda row: -row["p_value"])
        smallest = 1.0
        for place, row in enumerate(tests):
            rank = len(tests) - place
            smallest = min(smallest, row["p_value"] * possible / rank)
            assert row["adjusted_p_value"] == pytest.approx(smallest, rel=1e-6)
            assert row["is_significant"] == (row["adjusted_p_value"] <= 0.05)


def test_baskets_of_many_products_make_no_pair_significant(
    simulated: tuple[duckdb.DuckDBPyConnection, Path],
) -> None:
    """Views of the simulated shop are drawn at random; long sessions have every pair: no lift."""
    connection, _ = simulated
    found, significant = connection.execute(
        "select count(*), count(*) filter (where is_significant) from marts.agg_product_affinities"
        " where basis = 'sessions'"
    ).fetchall()[0]
    assert found > 500
    # Sessions of orders have the products of the order: the planted pairs, and no others.
    assert significant <= 8 + 2


def test_planted_pairs_are_found_and_hardly_any_other(
    simulated: tuple[duckdb.DuckDBPyConnection, Path],
) -> None:
    """The simulator's truth: buying the first brings the second in more than a third of orders."""
    connection, truth = simulated
    planted = connection.execute(
        "select least(product_id, companion_product_id), greatest(product_id, companion_product_id)"
        f" from '{truth}/truth_affinities.parquet'"
    ).fetchall()
    found = connection.execute(
        "select product_a_id, product_b_id from marts.agg_product_affinities"
        " where basis = 'orders' and is_significant order by p_value"
    ).fetchall()
    assert set(found[: len(planted)]) == set(planted)
    assert len(found) <= len(planted) + 2


def test_recommendations_beat_most_popular_on_the_simulated_shop(
    simulated: tuple[duckdb.DuckDBPyConnection, Path],
) -> None:
    """They leave out what a customer has.

    Taste is no part of the simulated shop - what is bought next hangs on popularity alone - so the
    most popular products that a customer does not have are the best list there is: not beaten, and
    not lost to by more than chance.
    """
    connection, _ = simulated
    rows = {
        (row["list_kind"], row["list_length"]): row
        for row in dicts(connection, "from marts.agg_recommendation_backtests")
    }
    for length in (5, 10):
        assert rows["most_popular", length]["customer_count"] > 1000
        assert rows["most_popular", length]["recommended_lead"] > 0.02
        assert rows["most_popular", length]["p_value"] < 0.001
        assert abs(rows["most_popular_new", length]["recommended_lead"]) < 0.015


def test_recommendations_find_tastes(built: duckdb.DuckDBPyConnection) -> None:
    """Where there are tastes, companions of what customers bought and viewed beat popularity."""
    rows = {
        (row["list_kind"], row["list_length"]): row
        for row in dicts(built, "from marts.agg_recommendation_backtests")
    }
    for length in (5, 10):
        assert rows["most_popular_new", length]["recommended_lead"] > 0.1
        assert rows["most_popular_new", length]["p_value"] < 0.001
    weights = dict(
        built.execute(
            "select reason, weight from intermediate.int_recommendation_reasons_weighed"
            f" where as_of_date = date '{AS_OF}'"
        ).fetchall()
    )
    assert weights["bought_with"] > 0.1
    assert weights["country"] < 0.4, "countries have no tastes of their own"


def test_what_is_judged_is_what_was_served(
    shop: TasteShop,
    built: duckdb.DuckDBPyConnection,
    built_before: duckdb.DuckDBPyConnection,
) -> None:
    """The holdout's lists are those of a build on that day, which knows no later login.

    Hits are counted again from these lists and the orders of the horizon.
    """
    served = dicts(built_before, "from marts.fct_product_recommendations")
    judged = built.execute(
        "select customer_id, recommendation_rank, product_id, reason, source_product_id"
        " from intermediate.int_recommendations_ranked where not is_latest"
    ).fetchall()
    customers = {row[0] for row in judged}
    assert len(customers) > 100
    assert sorted(judged, key=repr) == sorted(
        (
            tuple(row.values())[:5]
            for row in served
            if row["customer_id"] in customers
        ),
        key=repr,
    )  # fmt: skip

    known_late = built.execute(
        "select count(*) from marts.fct_sessions"
        f" where session_date <= date '{HOLDOUT}' and session_date > date '{HOLDOUT}' - 30"
        f" and customer_known_at >= timestamp '{HOLDOUT}' + interval 1 day"
    ).fetchall()[0][0]
    assert known_late > 3, "sessions whose customer the holdout must not know yet"

    owned = {(c, p) for c, day, p in shop.bought if day <= HOLDOUT}
    due = {(row["customer_id"], row["product_id"]) for row in served if row["is_replenished"]}
    wanted: dict[str, set[str]] = {}
    for customer, day, product in shop.bought:
        if HOLDOUT < day <= AS_OF and ((customer, product) not in owned - due):
            wanted.setdefault(customer, set()).add(product)
    for length in (5, 10):
        hits = {
            row["customer_id"]
            for row in served
            if row["recommendation_rank"] <= length
            and row["product_id"] in wanted.get(row["customer_id"], ())
        }
        row = dicts(
            built,
            "from marts.agg_recommendation_backtests"
            f" where list_kind = 'recommendations' and list_length = {length}",
        )[0]
        assert (row["customer_count"], row["hit_count"]) == (len(wanted), len(hits))


def test_lists_are_whole_and_hold_nothing_that_the_customer_has(
    shop: TasteShop, built: duckdb.DuckDBPyConnection
) -> None:
    """Ten for each customer, those without an order too, best first; owned ones only when due."""
    rows = dicts(
        built, "from marts.fct_product_recommendations order by customer_id, recommendation_rank"
    )
    owned = {(customer, product) for customer, _, product in shop.bought}
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        lists.setdefault(row["customer_id"], []).append(row)
        assert row["is_replenished"] == ((row["customer_id"], row["product_id"]) in owned)
        assert (row["source_product_id"] is None) == row["reason"].startswith("popular")
    assert len(lists) == CUSTOMERS
    for products in lists.values():
        assert [row["recommendation_rank"] for row in products] == list(range(1, 11))
        assert len({row["product_id"] for row in products}) == 10
        shares = [row["expected_order_share"] for row in products]
        assert shares == sorted(shares, reverse=True)
    bought_by_none = set(lists) - {customer for customer, _, _ in shop.bought}
    assert len(bought_by_none) > 50
    assert {"bought_with", "viewed_with", "popular"} <= {row["reason"] for row in rows}

"""What is sold: products with prices, costs and popularity, and pairs bought together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from seeds.simulator import columns as col
from seeds.simulator.config import DAY, HOUR, Bools, Floats, Ints, Streams
from seeds.simulator.contract import build

PRODUCTS = 120
AFFINITY_PROBABILITY = 0.35
PRICE_RISE = 0.03  # a year; the list price is the one of 2026


class Category(NamedTuple):
    """A category: its return rate per line, price range (EUR), and its kinds of product."""

    name: str
    return_rate: float
    low: float
    high: float
    kinds: tuple[tuple[str, str], ...]  # subcategory, noun


CATEGORIES: tuple[Category, ...] = (
    Category("coffee_tea", 0.015, 7, 24, (
        ("beans", "Coffee Beans"), ("ground", "Ground Coffee"), ("tea", "Tea"),
        ("gear", "Dripper"))),
    Category("kitchen", 0.05, 12, 75, (
        ("cookware", "Saucepan"), ("knives", "Knife"), ("baking", "Baking Tin"),
        ("glass", "Carafe"))),
    Category("home_decor", 0.09, 14, 110, (
        ("lighting", "Lamp"), ("vases", "Vase"), ("frames", "Frame"), ("candles", "Candle"))),
    Category("textiles", 0.15, 18, 95, (
        ("bed_linen", "Duvet Cover"), ("towels", "Towel"), ("throws", "Throw"), ("rugs", "Rug"))),
    Category("garden", 0.06, 9, 80, (
        ("pots", "Planter"), ("tools", "Trowel"), ("outdoor", "Lantern"), ("seeds", "Seed Box"))),
    Category("body_care", 0.03, 6, 32, (
        ("soap", "Soap"), ("cream", "Hand Cream"), ("oil", "Bath Oil"), ("shave", "Shaving Set"))),
)  # fmt: skip
BRANDS = (
    "Atelier Nord", "Maison Lune", "Brume", "Costa & Fils", "Oriel", "Tamaris", "Hagel", "Sève",
)  # fmt: skip
ADJECTIVES = (
    "Blue", "Natural", "Small", "Large", "Classic", "Striped", "Dark", "Light", "Round", "Fine",
)  # fmt: skip
SUBSCRIBED = ("beans", "ground", "tea", "cream")
# Pairs of positions in the order of popularity, so that each pair sells enough to be found.
AFFINITY_RANKS = ((0, 9), (3, 14), (5, 22), (8, 30), (11, 40), (17, 50), (20, 63), (26, 75))


@dataclass
class Catalogue:
    """One row per product, in the order of the ids."""

    category: Ints
    subcategory: Ints  # index into SUBCATEGORIES
    price: Ints  # cents, of 2026
    cost: Ints  # units of 0.0001 EUR, of 2026
    popularity: Floats
    launched_at: Ints  # ms
    is_subscription: Bools
    return_rate: Floats
    pairs: Ints  # (pairs, 2): buying the first brings the second

    def ids(self, products: Ints, valid: Bools | None = None) -> pa.Array:
        """product_id."""
        return col.numbered("SKU", products + 1, 3, valid)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], at: Ints) -> Ints:
        """Products by popularity, launched at the times `at` (broadcast to `shape`)."""
        cumulative = np.cumsum(self.popularity)
        cumulative /= cumulative[-1]
        at = np.broadcast_to(at, shape)
        picked = np.searchsorted(cumulative, rng.random(shape), side="right")
        for _ in range(3):
            late = self.launched_at[picked] > at
            redrawn = np.searchsorted(cumulative, rng.random(int(late.sum())), side="right")
            picked[late] = redrawn
        result: Ints = np.where(self.launched_at[picked] > at, self._evergreen(picked), picked)
        return result

    def _evergreen(self, picked: Ints) -> Ints:
        """The next older product that was always there."""
        always = np.flatnonzero(self.launched_at == self.launched_at.min())
        older: Ints = always[np.searchsorted(always, picked) % len(always)]
        return older


SUBCATEGORIES = tuple((c, sub, noun) for c in CATEGORIES for sub, noun in c.kinds)


def make_catalogue(streams: Streams, orders_start: int) -> Catalogue:
    """120 products over 6 categories and 24 subcategories."""
    rng = streams.get("catalogue")
    sub = np.arange(PRODUCTS) % len(SUBCATEGORIES)
    category = sub // 4
    low = np.array([c.low for c in CATEGORIES])[category]
    high = np.array([c.high for c in CATEGORIES])[category]
    # Squared, so that cheap products are more frequent.
    price = (low + (high - low) * rng.random(PRODUCTS) ** 2).astype(np.int64) * 100 + 90
    cost = (price * 100 * np.clip(rng.normal(0.5, 0.06, PRODUCTS), 0.35, 0.68)).astype(np.int64)
    rank = rng.permutation(PRODUCTS)
    popularity = np.array([(r + 4) ** -0.85 for r in rank.tolist()])
    launched = np.full(PRODUCTS, orders_start - 30 * DAY)
    late = np.flatnonzero(rank >= 80)[:24]
    launched[late] = orders_start + (np.arange(len(late)) + 1) * 40 * DAY + 8 * HOUR
    by_rank = np.argsort(rank, kind="stable")
    return Catalogue(
        category=category,
        subcategory=sub,
        price=price,
        cost=cost,
        popularity=popularity,
        launched_at=launched,
        is_subscription=np.array([SUBCATEGORIES[s][1] in SUBSCRIBED for s in sub])
        & (np.arange(PRODUCTS) % 2 == 0),
        return_rate=np.array([c.return_rate for c in CATEGORIES])[category],
        pairs=by_rank[np.array(AFFINITY_RANKS)],
    )


def price_level(times: Ints) -> Floats:
    """The price of a time relative to 2026: prices rise each January."""
    first, last = int(times.min() // DAY), int(times.max() // DAY)
    years = [(date(1970, 1, 1) + timedelta(days=n)).year for n in range(first, last + 1)]
    level = np.array([1.0 - PRICE_RISE * max(0, 2026 - year) for year in years])
    clipped: Floats = np.maximum(level[times // DAY - first], 0.5)
    return clipped


def products_table(catalogue: Catalogue, streams: Streams) -> pa.Table:
    """`products`."""
    rng = streams.get("products")
    adjective = (np.arange(PRODUCTS) // len(SUBCATEGORIES) * 2 + rng.integers(0, 2, PRODUCTS)) % 10
    names = [
        f"{ADJECTIVES[a]} {SUBCATEGORIES[s][2]}"
        for a, s in zip(adjective, catalogue.subcategory, strict=True)
    ]
    return build(
        "products",
        product_id=catalogue.ids(np.arange(PRODUCTS)),
        name=pa.array(names),
        category=col.pick([c.name for c in CATEGORIES], catalogue.category),
        subcategory=col.pick([s[1] for s in SUBCATEGORIES], catalogue.subcategory),
        brand=col.pick(BRANDS, rng.integers(0, len(BRANDS), PRODUCTS)),
        list_price=col.decimals(catalogue.price, 2),
        unit_cost=col.decimals(catalogue.cost, 4),
        currency=col.pick(("EUR",), np.zeros(PRODUCTS, dtype=np.int64)),
        is_subscription=col.booleans(catalogue.is_subscription),
        launched_at=col.times(catalogue.launched_at),
    )


def truth_affinities(catalogue: Catalogue) -> pa.Table:
    """The planted pairs: P(second | first) is AFFINITY_PROBABILITY above chance."""
    return pa.table(
        {
            "product_id": catalogue.ids(catalogue.pairs[:, 0]),
            "companion_product_id": catalogue.ids(catalogue.pairs[:, 1]),
            "added_probability": np.full(len(catalogue.pairs), AFFINITY_PROBABILITY),
        }
    )

"""Published purchase data as raw tables of a shop, and customers who live as the models say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shops import Row, item

# A purchase: who, on which day, of what worth.
Purchase = tuple[str, date, float]


def cdnow_purchases(path: Path) -> list[Purchase]:
    """CDNOW_sample.txt (its first column is the id in the master) or CDNOW_master.txt."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row and row[0].isdigit()]
    return [
        (row[0], date(int(row[-3][:4]), int(row[-3][4:6]), int(row[-3][6:])), float(row[-1]))
        for row in rows
    ]


def shop_of(purchases: Sequence[Purchase], unit_cost: object = "0.5") -> dict[str, list[Row]]:
    """A shop with an order of one unit for each purchase, at noon (UTC)."""
    orders: list[Row] = []
    items: list[Row] = []
    for number, (customer, day, worth) in enumerate(purchases):
        order = {"order_id": number, "ordered_at": f"{day}T12:00:00Z", "status": "paid"}
        orders.append(order | {"customer_id": customer, "currency": "EUR"})
        items.append({**item(str(number), 1, 1, f"{worth:.2f}"), "unit_cost": unit_cost})
    return {"orders": orders, "order_items": items}


def simulated_purchases(
    model: str,
    parameters: tuple[float, float, float, float],
    values: tuple[float, float, float],
    customer_count: int,
    first: date,
    days: int,
    seed: int,
) -> list[Purchase]:
    """Customers who live as a purchase model says, for `days` days from `first` on.

    They come evenly in the first half of the time; times are in days, rates per week.
    """
    generator = np.random.default_rng(seed)
    r, alpha, a, b = parameters
    p, q, gamma = values
    purchases: list[Purchase] = []
    for number in range(customer_count):
        rate = generator.gamma(r, 1 / alpha) / 7
        gone = generator.beta(a, b)
        scale = generator.gamma(q, 1 / gamma)
        at = start = float(generator.integers(0, days // 2))
        while at < days:
            worth = max(round(generator.gamma(p, 1 / scale), 2), 0.01)
            purchases.append((f"c{number}", first + timedelta(days=int(at)), worth))
            may_be_gone = model == "mbg_nbd" or at > start
            if may_be_gone and generator.random() < gone:
                break
            at += generator.exponential(1 / rate)
    return purchases


def histories_of(
    purchases: Sequence[Purchase], until: date
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Customers, x, t_x and T in weeks by then, reckoned here without the warehouse."""
    days: dict[str, set[date]] = {}
    for customer, day, _ in purchases:
        if day <= until:
            days.setdefault(customer, set()).add(day)
    names = sorted(days)
    x = np.array([len(days[name]) - 1.0 for name in names])
    t_x = np.array([(max(days[name]) - min(days[name])).days / 7 for name in names])
    age = np.array([(until - min(days[name])).days / 7 for name in names])
    return names, x, t_x, age


def days_bought(purchases: Sequence[Purchase], after: date, until: date) -> dict[str, int]:
    """How many days in (after, until] each customer bought on."""
    days: dict[str, set[date]] = {}
    for customer, day, _ in purchases:
        if after < day <= until:
            days.setdefault(customer, set()).add(day)
    return {customer: len(found) for customer, found in days.items()}


def area_under_curve(scores: NDArray[Any], is_hit: NDArray[np.bool_]) -> float:
    """P(a hit scores higher than a miss), ties as a half."""
    order = np.sort(scores[~is_hit])
    below = np.searchsorted(order, scores[is_hit], "left")
    not_above = np.searchsorted(order, scores[is_hit], "right")
    return float((below + not_above).mean() / 2 / len(order))

"""What the shop pays to be found, its exchange rates, and its experiments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from seeds.simulator import columns as col
from seeds.simulator.config import (
    DATA_END,
    DAY,
    EXPERIMENT_ID,
    EXPERIMENT_LIFT,
    EXPERIMENT_WINDOW,
    LAST_DAY_END,
    NULL_EXPERIMENT_ID,
    NULL_EXPERIMENT_WINDOW,
    PAID_PLACEMENTS,
    PLACEMENTS,
    Bools,
    Floats,
    Ints,
    Shop,
    Streams,
)
from seeds.simulator.contract import build
from seeds.simulator.season import demand_of
from seeds.simulator.sessions import BOT, Plan

RATES = (("CHF", 1.05), ("USD", 0.92))  # EUR for one unit


def fx_rates_table(shop: Shop, streams: Streams) -> tuple[pa.Table, dict[str, Floats], Ints]:
    """`fx_rates` on business days, from ten days before the first order; also as arrays."""
    rng = streams.get("fx")
    days = np.arange(shop.orders_start // DAY - 10, DATA_END // DAY + 1)
    # 1970-01-01 was a Thursday.
    business = days[(days + 3) % 7 < 5]
    rates: dict[str, Floats] = {}
    for currency, level in RATES:
        drift, value = rng.normal(0, 0.0025, len(business)).tolist(), level
        walk = []
        for step in drift:
            value += (level - value) * 0.02 + step * level
            walk.append(round(value, 4))
        rates[currency] = np.array(walk)
    size = len(RATES)
    units = np.stack([np.rint(rates[c] * 1e6).astype(np.int64) for c, _ in RATES], axis=1).ravel()
    table = build(
        "fx_rates",
        rate_date=col.dates(np.repeat(business, size)),
        currency=col.pick([c for c, _ in RATES], np.tile(np.arange(size), len(business))),
        rate=col.decimals(units, 6),
    )
    return table, rates, business


def ad_spend_table(
    shop: Shop, plan: Plan, rates: dict[str, Floats], business: Ints, streams: Streams
) -> pa.Table:
    """`ad_spend`: clicks follow the tracked sessions, and before tracking the season's demand."""
    rng = streams.get("ad_spend")
    first, last, tracked = (
        t // DAY for t in (shop.orders_start, LAST_DAY_END, shop.tracking_start)
    )
    days = np.arange(first, last)
    demand = np.array([demand_of(date(1970, 1, 1) + timedelta(days=int(d))) for d in days])
    human = (plan.kind != BOT) & (plan.anchor < LAST_DAY_END)
    cell = (plan.anchor[human] // DAY - tracked) * len(PLACEMENTS) + plan.placement[human]
    visits = np.bincount(cell, minlength=(last - tracked) * len(PLACEMENTS))
    visits = visits.reshape(last - tracked, len(PLACEMENTS))
    growth = 1 + 0.1 * (days - last) / 365.25
    usual = visits.mean(axis=0)
    columns: list[list[np.ndarray]] = [[], [], [], [], []]
    for number in PAID_PLACEMENTS:
        place = PLACEMENTS[number]
        expected = np.maximum(usual[number] * demand * growth, 0.0)
        clicks = rng.poisson(expected * 1.15)
        clicks[tracked - first :] = np.rint(
            visits[:, number] * rng.uniform(1.05, 1.25, last - tracked)
        )
        cents = clicks * place.cost_per_click * 100 * rng.uniform(0.88, 1.12, len(days))
        if place.currency in rates:
            known = np.searchsorted(business, days, side="right") - 1
            cents = cents / rates[place.currency][known]
        shown = clicks / place.click_rate * rng.uniform(0.9, 1.1, len(days)) + rng.integers(
            0, 40, len(days)
        )
        for target, values in zip(
            columns,
            (days, np.full(len(days), number), np.rint(cents).astype(np.int64),
             shown.astype(np.int64), clicks),
            strict=True,
        ):  # fmt: skip
            target.append(values)
    day, place_number, spend, impressions, clicked = (np.concatenate(c) for c in columns)
    t = np.lexsort((place_number, day))
    t = t[impressions[t] > 0]
    return build(
        "ad_spend",
        spend_date=col.dates(day[t]),
        utm_source=col.pick([p.source for p in PLACEMENTS], place_number[t]),
        utm_medium=col.pick([p.medium for p in PLACEMENTS], place_number[t]),
        utm_campaign=col.pick([p.campaign for p in PLACEMENTS], place_number[t]),
        spend=col.decimals(spend[t], 2),
        currency=col.pick([p.currency for p in PLACEMENTS], place_number[t]),
        impressions=col.integers(impressions[t]),
        clicks=col.integers(clicked[t]),
    )


@dataclass
class Visits:
    """Human sessions within the experiments' windows: device, start, and how far they came."""

    device: Ints
    started_at: Ints
    has_cart: Bools
    has_order: Bools


def experiments_table(shop: Shop, visits: Visits, streams: Streams) -> tuple[pa.Table, pa.Table]:
    """`experiments`, and its truth.

    Orders come from the customers' purchase process, so the lift cannot be made by changing who
    buys. Variants are instead assigned by their probability given the outcome (Bayes): with carts
    converting at c (1 - d) in a and c (1 + d) in b, a device that ordered is in b with
    probability (1 + d) / 2, and one that left its cart with (1 - c (1 + d)) / (2 (1 - c)).
    """
    rows: list[tuple[np.ndarray, ...]] = []
    truth: list[dict[str, object]] = []
    experiments = (
        (EXPERIMENT_ID, EXPERIMENT_WINDOW, 0.4, EXPERIMENT_LIFT),
        (NULL_EXPERIMENT_ID, NULL_EXPERIMENT_WINDOW, 0.1, 0.0),
    )
    for index, (name, wanted, position, lift) in enumerate(experiments):
        rng = streams.get(name)
        start, end = shop.window(wanted, position)
        inside = np.flatnonzero((visits.started_at >= start) & (visits.started_at < end))
        inside = inside[np.lexsort((visits.started_at[inside], visits.device[inside]))]
        device = visits.device[inside]
        begins = np.ones(len(device), dtype=bool)
        begins[1:] = device[1:] != device[:-1]
        at = np.flatnonzero(begins)
        if not len(at):
            continue
        exposed = visits.started_at[inside][at]
        order = np.maximum.reduceat(visits.has_order[inside].astype(np.int64), at) == 1
        cart = np.maximum.reduceat(visits.has_cart[inside].astype(np.int64), at) == 1
        rate = order.sum() / max(int((cart | order).sum()), 1)
        half = lift / (2 + lift)
        share_of = {
            "order": (1 + half) / 2,
            "cart": (1 - rate * (1 + half)) / (2 * (1 - rate)) if rate < 1 else 0.5,
            "other": 0.5,
        }
        in_b = np.zeros(len(at), dtype=bool)
        for kind, members in (("order", order), ("cart", cart & ~order), ("other", ~cart & ~order)):
            # A fixed share of each kind, shuffled: the realised lift is then the planted one.
            who = rng.permutation(np.flatnonzero(members))
            in_b[who[: round(len(who) * share_of[kind])]] = True
        rows.append((np.full(len(at), index), in_b, device[at], exposed))
        realised = [
            float(order[group].sum() / max(int((cart | order)[group].sum()), 1))
            for group in (~in_b, in_b)
        ]
        truth.append({
            "experiment_id": name, "starts_at_ms": start, "ends_at_ms": end, "planted_lift": lift,
            "devices": len(at), "cart_to_order_a": realised[0], "cart_to_order_b": realised[1],
        })  # fmt: skip
    number, in_b, device, exposed = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    t = np.lexsort((device, exposed, number))
    table = build(
        "experiments",
        experiment_id=col.pick((EXPERIMENT_ID, NULL_EXPERIMENT_ID), number[t]),
        variant=col.pick(("a", "b"), in_b[t].astype(np.int64)),
        anonymous_id=col.scrambled("", device[t], 6),
        exposed_at=col.times(exposed[t]),
        is_control=col.booleans(~in_b[t]),
    )
    facts = pa.Table.from_pylist(truth)
    for side in ("starts_at", "ends_at"):
        place = facts.schema.get_field_index(f"{side}_ms")
        facts = facts.set_column(place, side, col.times(facts[f"{side}_ms"].to_numpy()))
    return table, facts

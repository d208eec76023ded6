"""Touches and the six models against brute force, order by order, to the cent."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from acquisition.attribution_ledger import LOOKBACK, MODELS
from acquisition.conftest import Households
from acquisition.households import MICROSECOND
from differences import differences

CENT = Decimal("0.01")


def test_the_households_have_what_is_awkward(households: Households) -> None:
    """The generator makes the cases that the other tests are about; else they prove nothing."""
    paths = households.paths
    starts = defaultdict(list)
    for session in households.sessions:
        starts[session["visitor_id"]].append(session["started_at"])
    ages = Counter(
        path.order["ordered_at"] - started_at
        for path in paths
        for started_at in starts[path.order["visitor_id"]]
    )
    days = Counter((path.order["visitor_id"], path.order["order_date"]) for path in paths)
    customers = {session["session_id"]: session["customer_id"] for session in households.sessions}
    elsewhere = [
        path
        for path in paths
        if any(touch["visitor_id"] != path.order["visitor_id"] for touch in path.touches)
    ]
    nets = [path.order["net_amount"] for path in paths]
    counts = {
        **{
            f"{edge} before the order": ages[edge]
            for edge in (
                timedelta(0),
                MICROSECOND,
                -MICROSECOND,
                LOOKBACK,
                LOOKBACK - MICROSECOND,
                LOOKBACK + MICROSECOND,
            )
        },
        **{f"{n} touches": sum(len(path.touches) == n for path in paths) for n in range(5)},
        "orders of a day": sum(count > 1 for count in days.values()),
        "guests with touches": sum(p.order["is_guest"] and bool(p.touches) for p in paths),
        "orders of nobody": sum(path.order["visitor_id"] is None for path in paths),
        "touches at one instant": sum(
            one["started_at"] == other["started_at"]
            for path in paths
            for one, other in pairwise(path.touches)
        ),
        "direct alone": sum(
            len(p.touches) > 1 and {t["channel"] for t in p.touches} == {"direct"} for p in paths
        ),
        "on a device of nobody": sum(customers[p.order["session_id"]] is None for p in elsewhere),
        "in somebody else's session": sum(
            customers[p.order["session_id"]] is not None for p in elsewhere
        ),
        "worth nothing": nets.count(Decimal(0)),
        "pending": nets.count(None),
        "losses": sum((path.order["margin_amount"] or 0) < 0 for path in paths),
        "margins that nobody knows": sum(
            p.order["is_revenue"] and p.order["margin_amount"] is None for p in paths
        ),
    }
    assert not {name: count for name, count in counts.items() if count < 5}


def test_touches_are_those_of_brute_force(households: Households) -> None:
    """Each order has its own sessions from 30 days before it to its very instant, and no other."""
    previous: dict[str, Any] = {}
    expected = {}
    in_order = sorted(
        households.paths, key=lambda path: (path.order["ordered_at"], path.order["order_id"])
    )
    for path in in_order:
        order, count = path.order, len(path.touches)
        others = [n for n, touch in enumerate(path.touches) if touch["channel"] != "direct"]
        earlier = previous.get(order["visitor_id"]) if order["visitor_id"] else None
        for n, touch in enumerate(path.touches):
            expected[order["order_id"], touch["session_id"]] = {
                "order_id": order["order_id"],
                "session_id": touch["session_id"],
                "customer_id": order["customer_id"],
                "touch_number": n + 1,
                "touch_count": count,
                "channel": touch["channel"],
                "campaign": touch["utm_campaign"],
                "is_direct": touch["channel"] == "direct",
                "is_first": n == 0,
                "is_last": n == count - 1,
                "is_last_non_direct": others[-1:] == [n],
                "is_shared_with_earlier_order": earlier is not None
                and touch["started_at"] <= earlier,
                "days_before_order": (order["ordered_at"] - touch["started_at"])
                / timedelta(days=1),
                "order_date": order["order_date"],
                "started_at": touch["started_at"],
                "ordered_at": order["ordered_at"],
            }
        previous[order["visitor_id"]] = order["ordered_at"]
    rows = households.rows("fct_order_touchpoints")
    found = {(row["order_id"], row["session_id"]): row for row in rows}
    assert len(found) == len(rows) >= 500
    assert not differences(found, expected)


def test_every_model_shares_every_order_as_brute_force_does(households: Households) -> None:
    """Credit, net and margin of each touch; of an order without a touch, all is unattributed."""
    expected: dict[Any, Any] = {}
    for path in households.paths:
        order = path.order
        for model in MODELS:
            if not path.touches:
                expected[order["order_id"], model, None] = (
                    "unattributed",
                    None,
                    None,
                    True,
                    Decimal(1),
                    order["net_amount"],
                    order["margin_amount"],
                )
                continue
            nets = path.shares(model, order["net_amount"])
            margins = path.shares(model, order["margin_amount"])
            units = path.shares(model, Decimal(10_000))
            for n, credit in enumerate(path.credits(model)):
                touch = path.touches[n]
                if credit:
                    expected[order["order_id"], model, touch["session_id"]] = (
                        touch["channel"],
                        touch["utm_campaign"],
                        n + 1,
                        n == path.main(model),
                        (units[n] or Decimal(0)) / 10_000,
                        nets[n],
                        margins[n],
                    )
    rows = households.rows("fct_attributed_revenue")
    found = {
        (row["order_id"], row["attribution_model"], row["session_id"]): (
            row["channel"],
            row["campaign"],
            row["touch_number"],
            row["is_main_touch"],
            row["order_credit"],
            row["attributed_net_amount"],
            row["attributed_margin_amount"],
        )
        for row in rows
    }
    assert len(found) == len(rows)
    # Powers of two are no fractions: a share that is a half cent but for a billionth may differ.
    for key, theirs in expected.items():
        ours = found.get(key)
        if key[1] == "time_decay" and ours and ours != theirs:
            near = zip(ours[4:], theirs[4:], (CENT / 10_000, CENT, CENT), strict=True)
            assert all(one is other or abs(one - other) <= most for one, other, most in near), key
            assert ours[:4] == theirs[:4], key
            expected[key] = ours
    assert not differences(found, expected)


def test_every_model_adds_up_to_each_order(households: Households) -> None:
    """To the cent and to the millionth, with no share of another sign or a cent off its own."""
    shares = defaultdict(list)
    for row in households.rows("fct_attributed_revenue"):
        shares[row["order_id"], row["attribution_model"]].append(row)
    assert len(shares) == len(MODELS) * len(households.paths)
    for path in households.paths:
        for model in MODELS:
            rows = shares[path.order["order_id"], model]
            assert sum(row["order_credit"] for row in rows) == 1
            for column in ("net_amount", "margin_amount"):
                amount = path.order[column]
                parts = [row[f"attributed_{column}"] for row in rows]
                if amount is None:
                    assert set(parts) == {None}
                    continue
                assert sum(parts) == amount
                assert all(part * amount >= 0 for part in parts)
                for row in rows if path.touches else []:
                    ideal = path.credits(model)[row["touch_number"] - 1] * Fraction(amount)
                    assert abs(Fraction(row[f"attributed_{column}"]) - ideal) <= Fraction(CENT)

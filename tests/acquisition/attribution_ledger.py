"""Attribution order by order, in the words of the definitions: loops, fractions and decimals.

Sessions and orders are those of the core marts, which have tests of their own; nothing here knows
of the acquisition models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

Facts = dict[str, Any]
LOOKBACK, HALF_LIFE = timedelta(days=30), timedelta(days=7)
MODELS = (
    "first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay",
)  # fmt: skip


@dataclass
class Path:
    """An order and its touches, the first one first."""

    order: Facts
    touches: list[Facts]
    _credits: dict[str, list[Fraction]] = field(default_factory=dict)

    def credits(self, model: str) -> list[Fraction]:
        """What each touch gets of the order, adding up to 1."""
        if model not in self._credits:
            self._credits[model] = self._credits_of(model)
        return self._credits[model]

    def _credits_of(self, model: str) -> list[Fraction]:
        count = len(self.touches)
        shares = [Fraction(0)] * count
        others = [n for n, touch in enumerate(self.touches) if touch["channel"] != "direct"]
        if model == "first_touch":
            shares[0] = Fraction(1)
        elif model == "last_touch":
            shares[-1] = Fraction(1)
        elif model == "last_non_direct":
            shares[others[-1] if others else -1] = Fraction(1)
        elif model == "linear" or (model == "position_based" and count <= 2):
            shares = [Fraction(1, count)] * count
        elif model == "position_based":
            middle = Fraction(20, 100) / (count - 2)
            shares = [Fraction(40, 100), *[middle] * (count - 2), Fraction(40, 100)]
        elif model == "time_decay":
            weights = [_decayed(self.order["ordered_at"] - t["started_at"]) for t in self.touches]
            shares = [weight / sum(weights) for weight in weights]
        else:
            raise ValueError(model)
        return shares

    def shares(self, model: str, amount: Decimal | None) -> list[Decimal | None]:
        """The amount to the cent: what a touch and those before it get, less what those got."""
        if amount is None:
            return [None] * len(self.touches)
        cents, given, result = abs(int(amount * 100)), 0, []
        total = Fraction(0)
        for credit in self.credits(model):
            total += credit
            upto = int(total * cents + Fraction(1, 2))
            result.append(Decimal(upto - given) * (1 if amount >= 0 else -1) / 100)
            given = upto
        return list(result)

    def main(self, model: str) -> int:
        """The touch with the most credit, of equals the last one."""
        shares = self.credits(model)
        return max(range(len(shares)), key=lambda n: (shares[n], n))


def _decayed(age: timedelta) -> Fraction:
    with localcontext() as context:
        context.prec = 30
        lives = Decimal(age // timedelta(microseconds=1)) / Decimal(
            HALF_LIFE // timedelta(microseconds=1)
        )
        return Fraction(Decimal(2) ** -lives)


def paths(orders: Iterable[Facts], sessions: list[Facts]) -> list[Path]:
    """Every order that was not cancelled, with its touches."""
    by_id = {session["session_id"]: session for session in sessions}
    by_visitor: dict[str, list[Facts]] = {}
    for session in sessions:
        by_visitor.setdefault(session["visitor_id"], []).append(session)
    found = []
    for order in orders:
        if order["status"] == "cancelled":
            continue
        candidates = list(by_visitor.get(order["visitor_id"], []))
        placed_in = by_id.get(order["session_id"])
        if placed_in and placed_in["visitor_id"] != order["visitor_id"]:
            is_known = placed_in["customer_id"] is not None
            candidates += [placed_in] if is_known else by_visitor[placed_in["visitor_id"]]
        touches = [
            session
            for session in candidates
            if order["ordered_at"] - LOOKBACK <= session["started_at"] <= order["ordered_at"]
        ]
        touches.sort(key=lambda session: (session["started_at"], session["session_id"]))
        found.append(Path(order, touches))
    return found

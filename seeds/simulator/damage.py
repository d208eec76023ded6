"""What real data has: exact duplicates, and a few broken rows of every kind the contract names.

A broken row is always an extra row, cloned from a good one, so that nothing true is lost with it.
Each is listed in the truth. Kinds that a type cannot express (an unparseable
time) exist in CSV only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seeds.simulator.config import Ints, Streams
from seeds.simulator.contract import KEYS

FUTURE = datetime(2099, 1, 1, 12)  # noqa: DTZ001 - all of the simulator's times are UTC
DUPLICATED = {"customers": 3, "orders": 5, "order_items": 6, "payments": 5, "messages": 6}


class Break(NamedTuple):
    """One broken row: the table, the kind, and the values that break it.

    `fresh` gives the clone a key of its own; a conflicting row keeps the key and changes the rest.
    """

    table: str
    kind: str
    values: dict[str, Any]
    fresh: bool = True


TYPED: tuple[Break, ...] = (
    Break("customers", "missing_key", {"customer_id": None}),
    Break("orders", "missing_key", {"order_id": None}),
    Break("order_items", "missing_key", {"product_id": None}),
    Break("payments", "missing_key", {"payment_id": None}),
    Break("events", "missing_key", {"event_id": None}),
    Break("events", "missing_key", {"anonymous_id": None}),
    Break("order_items", "negative_quantity", {"quantity": -1}),
    Break("order_items", "negative_quantity", {"quantity": -3}),
    Break("refunds", "negative_quantity", {"quantity": -1}),
    Break("events", "negative_quantity", {"event_name": "add_to_cart", "quantity": -2}),
    Break("payments", "negative_amount", {"amount": Decimal("-12.50")}),
    Break("refunds", "negative_amount", {"amount": Decimal("-5.00")}),
    Break("order_items", "negative_amount", {"unit_price": Decimal("-9.9000")}),
    Break("ad_spend", "negative_amount", {"spend": Decimal("-8.40"), "utm_campaign": "refund"}),
    Break("order_items", "item_of_unknown_order", {"order_id": "O999001"}),
    Break("order_items", "item_of_unknown_order", {"order_id": "O999002"}),
    Break("order_items", "item_of_unknown_order", {"order_id": "O999003"}),
    Break("refunds", "refund_of_unknown_order", {"order_id": "O999011", "line_number": None}),
    Break("refunds", "refund_of_unknown_order", {"order_id": "O999012", "line_number": None}),
    Break("payments", "payment_of_unknown_order", {"order_id": "O999021"}),
    Break("payments", "payment_of_unknown_order", {"order_id": "O999022"}),
    Break("orders", "unknown_currency", {"currency": "XXX"}),
    Break("orders", "unknown_currency", {"currency": "???"}),
    Break("ad_spend", "unknown_currency", {"currency": "XXX", "utm_campaign": "unknown"}),
    Break("subscriptions", "unknown_currency", {"currency": "XXX"}),
    Break("orders", "unknown_status", {"status": "teleported"}),
    Break("payments", "unknown_status", {"status": "maybe"}),
    Break("subscriptions", "unknown_status", {"status": "zombie"}),
    Break("events", "unknown_event_name", {"event_name": "mystery_event"}),
    Break("events", "unknown_event_name", {"event_name": "Page View"}),
    Break("messages", "unknown_enumeration", {"channel": "pigeon"}),
    Break("messages", "unknown_enumeration", {"kind": "spam"}),
    Break("promotions", "unknown_enumeration", {"kind": "gift"}),
    Break("orders", "future_date", {"ordered_at": FUTURE}),
    Break("payments", "future_date", {"paid_at": FUTURE}),
    Break("reviews", "future_date", {"reviewed_at": FUTURE}),
    Break("events", "future_date", {"event_at": FUTURE}),
    Break("events", "future_date", {"event_at": FUTURE}),
    Break("nps_responses", "out_of_range", {"score": 11}),
    Break("nps_responses", "out_of_range", {"score": -1}),
    Break("reviews", "out_of_range", {"rating": 6}),
    Break("reviews", "out_of_range", {"rating": 0}),
    Break("support_tickets", "out_of_range", {"satisfaction": 9}),
    Break("customers", "conflicting_key", {"city": "Atlantis"}, fresh=False),
    Break("products", "conflicting_key", {"brand": "Nobody"}, fresh=False),
    Break("payments", "conflicting_key", {"amount": Decimal("0.01")}, fresh=False),
    Break("events", "conflicting_key", {"browser": "netscape"}, fresh=False),
    Break("events", "conflicting_key", {"browser": "netscape"}, fresh=False),
)

UNTYPED: tuple[Break, ...] = (
    Break("orders", "unparseable_time", {"ordered_at": "2025-13-45T99:00:00"}),
    Break("events", "unparseable_time", {"event_at": "2025-13-45T99:00:00"}),
    Break("events", "unparseable_time", {"event_at": "yesterday"}),
    Break("messages", "unparseable_time", {"sent_at": "31/02/2026"}),
    Break("nps_responses", "unparseable_time", {"responded_at": "n/a"}),
    Break("order_items", "unparseable_number", {"unit_price": "abc"}),
    Break("order_items", "unparseable_number", {"quantity": "12,50"}),
    Break("payments", "unparseable_number", {"amount": "12,50"}),
    Break("ad_spend", "unparseable_number", {"spend": "abc", "utm_campaign": "typo"}),
)
RAGGED = ("reviews", 3)


@dataclass
class Injected:
    """What was put in: one entry per broken row, and one per table for its duplicates."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, table: str, kind: str, key: str | None, detail: str, count: int = 1) -> None:
        """Note `count` rows of a kind; `key` joins the key columns with a bar."""
        self.rows.append(
            {
                "table_name": table,
                "kind": kind,
                "row_key": key,
                "detail": detail,
                "row_count": count,
            }
        )

    def to_table(self) -> pa.Table:
        """truth_injected, in a fixed order."""
        rows = sorted(self.rows, key=lambda r: [str(v) for v in r.values()])
        schema = pa.schema(
            [(n, pa.string()) for n in ("table_name", "kind", "row_key", "detail")]
            + [("row_count", pa.int64())]
        )
        return pa.Table.from_pylist(rows, schema=schema)


def _fresh_key(table: str, row: dict[str, Any], serial: int) -> None:
    """Give a clone a key that no good row has, in the style of the good ones."""
    if table == "order_items":
        row["line_number"] = type(row["line_number"])(90 + serial)  # text in a text table
    elif table == "events":
        row["event_id"] = f"oops{serial:03d}"  # good ids have no o
    elif table not in ("ad_spend", "promotions"):
        key = KEYS[table][0]
        prefix = row[key].rstrip("0123456789")
        row[key] = f"{prefix}{990000 + serial}"
    elif table == "promotions":
        row["promo_code"] = f"BROKEN{serial}"


def broken_rows(
    table: str, good: pa.Table, breaks: tuple[Break, ...], rng: np.random.Generator,
    injected: Injected, first_serial: int = 0, candidates: Ints | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The broken rows of one table, cloned from rows of `good` (of `candidates` when given)."""
    rows: list[dict[str, Any]] = []
    pool = np.arange(good.num_rows) if candidates is None else candidates
    if not len(pool):
        return rows
    for serial, broken in enumerate((b for b in breaks if b.table == table), first_serial):
        row = good.slice(int(pool[rng.integers(0, len(pool))]), 1).to_pylist()[0]
        if broken.fresh:
            _fresh_key(table, row, serial)
        before = {name: row[name] for name in broken.values}
        row |= broken.values
        key = "|".join("" if row[k] is None else str(row[k]) for k in KEYS[table])
        detail = ", ".join(f"{k}: {before[k]} -> {v}" for k, v in broken.values.items())
        if broken.kind == "missing_key":
            detail += "; " + ", ".join(f"{k}={row[k]}" for k in list(row)[:4])
        injected.add(table, broken.kind, key, detail)
        rows.append(row)
    return rows


def _insert(rng: np.random.Generator, good: pa.Table, extra: pa.Table) -> pa.Table:
    """`extra` rows at random places among the good ones, which are sliced, not copied."""
    after = rng.integers(0, max(good.num_rows, 1), extra.num_rows)
    pieces, done = [], 0
    for row in np.argsort(after, kind="stable").tolist():
        upto = min(int(after[row]) + 1, good.num_rows)
        pieces += [good.slice(done, upto - done), extra.slice(row, 1)]
        done = upto
    return pa.concat_tables([*pieces, good.slice(done)])


def damage_table(
    table: str, good: pa.Table, breaks: tuple[Break, ...], streams: Streams, injected: Injected,
    duplicates: int = 0, first_serial: int = 0, candidates: Ints | None = None,
) -> pa.Table:  # fmt: skip
    """A table with its duplicates and broken rows put in at random places."""
    rng = streams.get(f"damage {table} {first_serial}")
    parts = []
    if duplicates and good.num_rows:
        again = np.sort(rng.choice(good.num_rows, min(duplicates, good.num_rows), replace=False))
        parts.append(good.take(pa.array(again)))
        injected.add(table, "exact_duplicate", None, "all columns equal", len(again))
    rows = broken_rows(table, good, breaks, rng, injected, first_serial, candidates)
    if rows:
        parts.append(pa.Table.from_pylist(rows, schema=good.schema))
    return _insert(rng, good, pa.concat_tables(parts)) if parts else good


def event_candidates(events: pa.Table) -> Ints:
    """Page views in the middle of a session, whose clones and conflicts change no session.

    The cart page is never a session's first page, and no stage or bounce depends on it.
    """
    mask = pc.and_(pc.equal(events["event_name"], "page_view"), pc.is_null(events["customer_id"]))
    mask = pc.and_(mask, pc.equal(events["page_type"], "cart"))
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))

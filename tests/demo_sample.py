"""A small part of the demo that belongs together, with ties, copies and broken rows."""

from __future__ import annotations

import csv
from collections.abc import Collection

from shops import PROJECT

TextRow = dict[str, str]

ORDER_COUNT = 150
# Of each other table: the column by which its rows belong to the orders of the sample.
BELONGS_BY = {
    "order_items": "order_id",
    "refunds": "order_id",
    "payments": "order_id",
    "customers": "customer_id",
    "messages": "customer_id",
    "nps_responses": "customer_id",
    "reviews": "customer_id",
    "support_tickets": "customer_id",
    "loyalty_entries": "customer_id",
    "subscriptions": "customer_id",
    "referrals": "referrer_customer_id",
    "events": "anonymous_id",
    "experiments": "anonymous_id",
}
WHOLE_TABLES = ("products", "promotions", "fx_rates")
AD_SPEND_ROWS = 500

# A column and a value that make of a copied row: another content for the same key ...
CONFLICTS = {
    "orders": ("country", "ZZ"),
    "order_items": ("quantity", "9"),
    "refunds": ("reason", "another"),
    "customers": ("city", "Elsewhere"),
    "products": ("brand", "Another"),
    "fx_rates": ("rate", "1.5"),
    "events": ("browser", "another"),
    "messages": ("campaign", "another"),
}
# ... a row that breaks the contract ...
BREACHES = {
    "orders": ("ordered_at", "never"),
    "order_items": ("quantity", "-1"),
    "refunds": ("amount", "a lot"),
    "customers": ("birth_date", "31/12/1980"),
    "events": ("event_at", "yesterday"),
    "payments": ("order_id", "NO SUCH ORDER"),
    "nps_responses": ("score", "11"),
}
# ... another row at the same instant, so that only a unique key can tell which comes first ...
TIES = {
    "orders": ("order_id", {"country": "ZZ", "device": "tie"}),
    "refunds": ("refund_id", {"reason": "tie"}),
    "events": (
        "event_id",
        {
            "page_url": "/tie",
            "device": "tie",
            "utm_source": "tie",
            "utm_medium": "email",
            "customer_id": "C-TIE",
        },
    ),
}
# ... or the same event delivered again.
REDELIVERED = ("received_at", "2026-07-01T09:00:00Z")
# Lines that are no rows, which only a CSV can have; alike ones, and ones of one table.
RAGGED_LINES = {
    "reviews": ("V-SHORT,SKU001", "V-SHORT,SKU001", "V-LONG,SKU001,,,5,2026-01-01T00:00:00Z,x,y"),
    "support_tickets": ("T-SHORT,C00001",),
}


def demo_sample() -> dict[str, list[TextRow]]:
    """About 150 orders with traces on the web, and what belongs to them; awkward rows last."""
    orders = [row for row in _read("orders") if row["anonymous_id"] and row["customer_id"]]
    orders = orders[:: max(1, len(orders) // ORDER_COUNT)][:ORDER_COUNT]
    ids = {
        column: {row[column] for row in orders}
        for column in ("order_id", "customer_id", "anonymous_id")
    }
    ids["referrer_customer_id"] = ids["customer_id"]
    sample = {"orders": orders, "ad_spend": _read("ad_spend")[-AD_SPEND_ROWS:]}
    sample |= {table: _read(table) for table in WHOLE_TABLES}
    sample |= {
        table: [row for row in _read(table) if row[column] in ids[column]]
        for table, column in BELONGS_BY.items()
    }
    return {table: rows + awkward_rows(table, rows) for table, rows in sample.items()}


def awkward_rows(table: str, rows: Collection[TextRow]) -> list[TextRow]:
    """Copies of the table's first rows, each kind made of some of them."""
    first = list(rows)[:40]
    awkward = first[:4] + first[:2]
    if table in CONFLICTS:
        column, value = CONFLICTS[table]
        awkward += [row | {column: value} for row in first[2:8]]
    if table in BREACHES:
        column, value = BREACHES[table]
        awkward += [row | {column: value} for row in first[8:12] + first[8:10]]
    if table in TIES:
        key, changes = TIES[table]
        awkward += [row | changes | {key: f"{row[key]}-{n}"} for row in first for n in (2, 1)]
    if table == "events":
        column, value = REDELIVERED
        awkward += [row | {column: value} for row in first[20:30]]
    return awkward


def _read(table: str) -> list[TextRow]:
    """The whole rows of a table of the demo; lines that are no rows are left out."""
    path = PROJECT / "seeds" / "raw" / f"raw_{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return [dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)]

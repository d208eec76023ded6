"""Five weeks of a small shop around a change of clocks, and its raw folder of each evening.

Files of events come by the day, some late, twice or out of order, some are replaced or removed; the
other tables are written whole every day and say what is known by then.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from shops import Row, columns_of, write_csv

FIRST_DAY = date(2024, 3, 11)
DAY_COUNT = 35
MINUTE = timedelta(minutes=1)
# Shortly before midnight of Paris (winter, summer) and of UTC, and the two o'clock that 31 March
# does not have, in minutes of the day (UTC).
EDGES = (22 * 60 + 40, 21 * 60 + 40, 23 * 60 + 40, 50)
PRODUCTS = [f"P{number}" for number in range(12)]
PAGES = (("/", "home"), ("/c/tea", "category"), ("/blog/1", "blog"), ("/cart", "cart"))
SOURCES = (
    (None, None, None),
    (None, None, "https://www.google.com/search"),
    ("google", "cpc", None),
    ("newsletter", "email", None),
    (None, None, "https://t.co/abc"),
)
BROWSING = (
    "page_view", "page_view", "page_view", "product_view", "product_view", "search", "review_view",
    "wishlist_add", "add_to_cart", "add_to_cart", "remove_from_cart", "newsletter_signup", "share",
    "begin_checkout", "sign_up", "session_start",
)  # fmt: skip
CHECKOUT = ("add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info")
# Rows that no build keeps; the last ones have no day.
FAULTS: tuple[Row, ...] = (
    {"quantity": -1}, {"page_type": "cellar"}, {"event_at": "no time"}, {"event_at": None},
)  # fmt: skip
EVENT_COLUMNS = (
    "event_id", "event_at", "anonymous_id", "event_name", "customer_id", "received_at", "page_url",
    "page_type", "product_id", "quantity", "value", "order_id", "device", "browser", "country",
    "referrer", "utm_source", "utm_medium", "page_load_ms", "engaged_ms", "is_bot",
)  # fmt: skip
# On which days of the month a file is not what it will be: see Month.parts.
REPLACED = {6: 17, 12: 19}
LATE_FILE, LATE_FILE_COMES = 15, 21
EXTRA_FILE, EXTRA_FILE_GOES = 8, 20
MISTAKEN_BY_DAYS = 9


def day_of(number: int) -> date:
    """The day of the month with this number, from 0."""
    return FIRST_DAY + timedelta(days=number)


def number_of(at: datetime) -> int:
    """The number of the UTC day of a time."""
    return (at.date() - FIRST_DAY).days


def moment(number: int, minutes: float) -> datetime:
    """A time of a day, in minutes (UTC, as in the warehouse)."""
    return datetime.combine(day_of(number), time()) + timedelta(minutes=minutes)


def as_text(at: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return f"{at.isoformat()}Z" if at else None


@dataclass
class Month:
    """All that happens, and in which file and on which day the shop writes it down."""

    rng: random.Random
    # The events of each file by the number of the day that it is of.
    files: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    # Each row with the number of the day from which on it is there as it is.
    versions: dict[str, list[tuple[int, Row]]] = field(default_factory=lambda: defaultdict(list))
    made: int = 0

    def event(self, at: datetime, anonymous_id: str, name: str, **values: Any) -> None:
        """An event in the file of its day, or late in another one; some come twice."""
        if number_of(at) >= DAY_COUNT:
            return
        rng = self.rng
        self.made += 1
        page_url, page_type = rng.choice(PAGES)
        product = rng.choice(PRODUCTS)
        if name in {"product_view", "add_to_cart", "remove_from_cart", "review_view"}:
            page_url, page_type = f"/p/{product}", "product"
        is_about_units = name in {"add_to_cart", "remove_from_cart"}
        row = dict.fromkeys(EVENT_COLUMNS) | {
            # In no order, so that ties in time go by it alone.
            "event_id": f"{rng.randrange(16**4):04x}-{self.made}",
            "event_at": as_text(at),
            "anonymous_id": anonymous_id,
            "event_name": name,
            "page_url": None if name == "session_start" else page_url,
            "page_type": page_type,
            "product_id": product,
            "quantity": rng.randint(1, 3) if is_about_units else None,
            "value": rng.choice((None, "12.50")) if is_about_units else None,
            "page_load_ms": rng.choice((None, 400, 2_600)) if name == "page_view" else None,
            "engaged_ms": rng.choice((None, 800, 12_000)),
            **values,
        }
        late = rng.choice((*range(1, 11), 1, 2, 3)) if rng.random() < 0.05 else 0
        self.deliver(row, at, late)
        if rng.random() < 0.04:
            self.deliver(row, at, late + rng.randint(0, 9))
        if rng.random() < 0.01:
            broken = {"event_id": f"broken-{self.made}", **rng.choice(FAULTS)}
            self.deliver(row | broken, at, late)

    def deliver(self, row: Row, at: datetime, late_days: int) -> None:
        """Into the file of the day on which it came; what comes late says when it came."""
        came_at = at + timedelta(days=late_days, seconds=3)
        is_told = late_days > 3 or self.rng.random() < 0.7
        number = min(max(number_of(came_at), 0), DAY_COUNT - 1)
        self.files[number].append({**row, "received_at": as_text(came_at) if is_told else None})

    def note(self, table: str, from_day: int, row: Row) -> None:
        """A row of another table as it is from a day on."""
        self.versions[table].append((from_day, row))

    def tables(self, number: int) -> dict[str, list[Row]]:
        """The other tables on the evening of a day: of each row what it is by then."""
        tables: dict[str, list[Row]] = {}
        for table, versions in self.versions.items():
            latest: dict[object, Row] = {}
            for from_day, row in versions:
                if from_day <= number:
                    latest[tuple(row.values())[: KEY_LENGTHS.get(table, 1)]] = row
            tables[table] = list(latest.values())
        return tables

    def parts(self, number: int) -> dict[str, list[Row]]:
        """The files of events on the evening of a day."""
        parts: dict[str, list[Row]] = {}
        for of_day, rows in self.files.items():
            if of_day > number or (of_day == LATE_FILE and number < LATE_FILE_COMES):
                continue
            is_first_version = number < REPLACED.get(of_day, 0)
            parts[f"part-{day_of(of_day)}.csv"] = spoilt(rows) if is_first_version else [*rows]
        if EXTRA_FILE <= number < EXTRA_FILE_GOES:
            parts["part-extra.csv"] = [
                {**row, "event_id": f"extra-{row['event_id']}", "anonymous_id": device}
                for row, device in zip(self.files[EXTRA_FILE], self.extra_devices(), strict=True)
            ]
        return parts

    def extra_devices(self) -> list[str]:
        """Devices for the rows of the file that goes: half of them are known by it alone."""
        return [
            row["anonymous_id"] if position % 2 else f"extra-{position % 7}"
            for position, row in enumerate(self.files[EXTRA_FILE])
        ]

    def write(
        self, folder: Path, number: int, *, is_lone: bool = False, has_mistake: bool = False
    ) -> None:
        """Make the folder what it is on the evening of a day; files that stay are not touched.

        `is_lone`: all events in one file that grows by each day's, none ever replaced or removed.
        `has_mistake`: an order has a date days ahead.
        """
        tables = self.tables(number)
        if has_mistake:
            mistaken_at = as_text(moment(number + MISTAKEN_BY_DAYS, 720))
            tables["orders"][-1] = {**tables["orders"][-1], "ordered_at": mistaken_at}
        for table, rows in tables.items():
            columns = columns_of([row for _, row in self.versions[table]])
            write_csv(folder / f"{table}.csv", rows, columns)
        if is_lone:
            rows = [row for day in range(number + 1) for row in self.files.get(day, [])]
            write_csv(folder / "events.csv", rows, EVENT_COLUMNS)
            return
        parts = self.parts(number)
        for path in (folder / "events").glob("*.csv"):
            if path.name not in parts:
                path.unlink()
        for name, rows in parts.items():
            write_where_changed(folder / "events" / name, rows)


KEY_LENGTHS = {"order_items": 2, "experiments": 2}


def spoilt(rows: Sequence[Row]) -> list[Row]:
    """A file as it was before it was put right: rows too many, rows too few, rows that differ.

    Some differ in a name alone, so that nothing that is counted by session tells of it.
    """
    first: list[Row] = []
    for position, row in enumerate(rows):
        if position % 11 == 0:
            continue
        if position % 7 == 0:
            first.append({**row, "event_id": f"{row['event_id']}-too-many"})
        swapped = {"share": "newsletter_signup", "newsletter_signup": "share"}
        name = row["event_name"]
        first.append({**row, "event_name": swapped.get(str(name), name)})
    return first


def write_where_changed(path: Path, rows: Sequence[Row]) -> None:
    """Write a file unless it is there with these rows."""
    new = path.with_suffix(".new")
    write_csv(new, rows, EVENT_COLUMNS)
    if path.exists() and path.read_bytes() == new.read_bytes():
        new.unlink()
    else:
        new.replace(path)


def make_month(visitor_count: int, seed: int) -> Month:
    """The month of so many people; the same one for the same seed."""
    month = Month(random.Random(f"months/{seed}"))
    shop_window(month)
    for number in range(visitor_count):
        person(month, number)
    order_after_order(month)
    return month


def shop_window(month: Month) -> None:
    """Products, whose prices change once, and the rates of the other currency."""
    for position, product in enumerate(PRODUCTS):
        for from_day, price in ((0, 10), (18, 11)):
            month.note(
                "products",
                from_day,
                {"product_id": product, "list_price": price + position, "unit_cost": "4.00"},
            )
    month.note("fx_rates", 0, {"rate_date": day_of(-30), "currency": "CHF", "rate": "1.05"})


def person(month: Month, number: int) -> None:
    """Some sessions on some devices, in an order of time; of some of them a customer is known."""
    rng = month.rng
    customer = f"c{number}" if rng.random() < 0.6 else None
    logs_in_from = rng.choice((0, 0, 10, 21))
    devices = [f"d{number}-{position}" for position in range(rng.choice((1, 1, 2, 3)))]
    if number % 8 == 1:
        devices.append(f"d{number - 1}-0")  # that of somebody else
    if customer:
        month.note("customers", logs_in_from, {"customer_id": customer, "created_at": day_of(-5)})
    is_bot = "true" if number % 40 == 7 else None
    for _ in range(rng.choice((2, 3, 4, 6))):
        day = rng.randrange(DAY_COUNT)
        minutes = rng.choice(EDGES) if rng.random() < 0.4 else rng.randrange(24 * 60)
        at = moment(day, minutes + rng.randrange(-20, 20) + rng.random())
        known = customer if day >= logs_in_from and rng.random() < 0.6 else None
        visit(month, at, rng.choice(devices), known, customer, is_bot)


def visit(
    month: Month,
    at: datetime,
    device: str,
    known: str | None,
    customer: str | None,
    is_bot: str | None,
) -> None:
    """One session; it may end in an order, or in a cart that is recovered days later."""
    rng = month.rng
    source, medium, referrer = rng.choice(SOURCES)
    origin = {
        "utm_source": source,
        "utm_medium": medium,
        "referrer": referrer,
        "device": rng.choice(("mobile", "desktop")),
        "country": rng.choice(("FR", "BE", None)),
        "is_bot": is_bot,
    }
    names = rng.choices(BROWSING, k=rng.choice((1, 2, 5, 9, 14)))
    if rng.random() < 0.15:
        exposure(month, at, device)
    for position, name in enumerate(names):
        logged_in = known if position > len(names) // 2 or rng.random() < 0.5 else None
        month.event(at, device, name, customer_id=logged_in, **origin)
        at += rng.choice((MINUTE / 60, MINUTE, 4 * MINUTE, 12 * MINUTE, 29 * MINUTE))
    if rng.random() < 0.35:
        for name in CHECKOUT[: rng.choice((1, 2, 4, 4))]:
            month.event(at, device, name, customer_id=known, **origin)
            at += rng.choice((MINUTE / 60, MINUTE, 9 * MINUTE))
        if customer and rng.random() < 0.5:
            message(month, at + timedelta(hours=rng.randint(2, 40)), customer)
        if rng.random() < 0.3:
            at += timedelta(days=rng.randint(1, 9), minutes=rng.randrange(600))
            month.event(at, device, "page_view", customer_id=known, **origin)
        if rng.random() < 0.7 and number_of(at) < DAY_COUNT:
            order(month, at, device, known, customer, origin)


def order_after_order(month: Month) -> None:
    """A second order of one session, cancelled before the shop told of it: it changes no sum."""
    device = "two-orders"
    for minutes, name in ((0, "page_view"), (8, "product_view"), (9, "add_to_cart")):
        month.event(moment(2, 600 + minutes), device, name)
    month.event(moment(2, 610), device, "begin_checkout")
    month.event(moment(2, 625), device, "page_view")
    for minutes, status, told_on in ((605, "paid", 2), (620, "cancelled", 18)):
        month.note(
            "orders",
            told_on,
            {
                "order_id": f"two-orders-{minutes}",
                "ordered_at": as_text(moment(2, minutes)),
                "anonymous_id": device,
                "status": status,
            },
        )


def exposure(month: Month, at: datetime, device: str) -> None:
    """An experiment's variant for a device, told some days later."""
    month.note(
        "experiments",
        number_of(at) + month.rng.randint(0, 4),
        {
            "experiment_id": "exp_home_banner",
            "anonymous_id": device,
            "variant": "ab"[sum(map(ord, device)) % 2],
            "exposed_at": as_text(at),
        },
    )


def message(month: Month, at: datetime, customer: str) -> None:
    """A reminder of a cart; that it was opened is known later."""
    month.made += 1
    row = {
        "message_id": f"m{month.made}",
        "customer_id": customer,
        "channel": "email",
        "kind": "cart_recovery",
        "sent_at": as_text(at),
        "opened_at": None,
    }
    month.note("messages", number_of(at), row)
    opened_at = at + timedelta(hours=month.rng.randint(1, 60))
    month.note("messages", number_of(opened_at), row | {"opened_at": as_text(opened_at)})


def order(
    month: Month,
    at: datetime,
    device: str,
    known: str | None,
    customer: str | None,
    origin: Mapping[str, Any],
) -> None:
    """An order, which tracking may have lost, and what becomes of it in the days after."""
    rng = month.rng
    month.made += 1
    order_id = f"o{month.made}"
    if rng.random() < 0.8:
        for _ in range(rng.choice((1, 1, 1, 2))):
            month.event(at, device, "purchase", customer_id=known, order_id=order_id, **origin)
    row = {
        "order_id": order_id,
        "ordered_at": as_text(at + rng.choice((0, 1, 5)) * MINUTE),
        "customer_id": rng.choice((customer, customer, known)),
        "anonymous_id": rng.choice((device, device, None)),
        "currency": rng.choice(("EUR", "CHF")),
    }
    day = number_of(at) + (rng.randint(1, 6) if rng.random() < 0.1 else 0)
    last_status = rng.choice(("paid", "shipped", "delivered", "cancelled"))
    for status, later in (("pending", 0), ("paid", rng.randint(0, 2)), (last_status, 6)):
        month.note("orders", day + later, row | {"status": status})
    for line in range(1, rng.choice((2, 3))):
        month.note(
            "order_items",
            day,
            {
                "order_id": order_id,
                "line_number": line,
                "product_id": rng.choice(PRODUCTS),
                "quantity": rng.randint(1, 3),
                "unit_price": "12.30",
            },
        )
    if rng.random() < 0.2:
        refunded_at = at + timedelta(days=rng.randint(2, 8))
        month.note(
            "refunds",
            number_of(refunded_at),
            {
                "refund_id": f"r{month.made}",
                "order_id": order_id,
                "line_number": 1,
                "quantity": 1,
                "amount": "5.00",
                "refunded_at": as_text(refunded_at),
            },
        )

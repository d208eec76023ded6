"""What is bought: orders with their lines, discounts, fate, payments and refunds.

Money is in whole cents of the order's currency (int64); unit prices and costs in units of 0.0001.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from seeds.simulator import columns as col
from seeds.simulator.catalogue import AFFINITY_PROBABILITY, Catalogue, price_level
from seeds.simulator.config import (
    CHF,
    COUNTRIES,
    DATA_END,
    DAY,
    DEVICES,
    HOUR,
    LOST_TRACKING_SHARE,
    MINUTE,
    OFFLINE_ORDER_SHARE,
    Bools,
    Ints,
    Shop,
    Streams,
    draw,
    ms,
)
from seeds.simulator.contract import build
from seeds.simulator.people import SPEND_P, People, Purchases
from seeds.simulator.season import BLACK_FRIDAY, NO_SALE, SUMMER_SALE, WINTER_SALE, sales_by_day

STATUSES = ("pending", "paid", "shipped", "delivered", "cancelled")
PENDING, PAID, SHIPPED, DELIVERED, CANCELLED = range(5)
METHODS = ("card", "paypal", "apple_pay", "bank_transfer", "klarna")
# Prices in CHF: the catalogue's EUR price at a fixed list rate.
CHF_PER_EUR = 0.95
CANDIDATES = 6

# Codes: (code, kind, value, sale in which it is given). Amounts are in the order's currency.
CODES = (
    ("WELCOME10", "percent", 10.0, "welcome"),
    ("BLACK20", "percent", 20.0, "black_friday"),
    ("SOLDES15", "percent", 15.0, "winter_sale"),
    ("SUMMER15", "percent", 15.0, "summer_sale"),
    ("MERCI5", "amount", 5.0, "loyalty"),
    ("FREESHIP", "free_shipping", 0.0, "shipping"),
)
NO_CODE = -1


@dataclass
class Orders:
    """One row per order, in the order of time. Money in cents of the order's currency."""

    person: Ints
    ordinal: Ints
    ordered_at: Ints
    is_account: Bools
    currency_is_chf: Bools
    country: Ints
    is_web: Bools
    is_tracked: Bools  # placed on the web while tracking ran
    is_lost: Bools  # tracked, but the purchase event never arrived
    device: Ints  # device number, -1 = none; filled by the session plan
    device_kind: Ints  # -1 = none
    status: Ints
    promised_at: Ints
    delivered_at: Ints  # -1 = not delivered
    is_late: Bools
    code: Ints
    goods: Ints  # sum of quantity x unit price
    line_discount: Ints
    order_discount: Ints
    shipping: Ints
    tax: Ints
    line_start: Ints  # first row in Lines
    line_count: Ints

    @property
    def size(self) -> int:
        """Orders."""
        return len(self.person)

    @property
    def net(self) -> Ints:
        """Goods after all discounts, in cents."""
        return self.goods - self.line_discount - self.order_discount

    def ids(self, orders: Ints, valid: Bools | None = None) -> pa.Array:
        """order_id."""
        return col.numbered("O", orders + 1, max(6, len(str(self.size))), valid)


@dataclass
class Lines:
    """One row per order line. `discount` in cents, price and cost in units of 0.0001."""

    order: Ints
    number: Ints
    product: Ints
    quantity: Ints
    price: Ints
    cost: Ints
    discount: Ints

    @property
    def goods(self) -> Ints:
        """Quantity x unit price in cents (prices are whole cents)."""
        return self.quantity * (self.price // 100)


def _baskets(
    rng: np.random.Generator, catalogue: Catalogue, at: Ints, target: Ints
) -> tuple[Ints, Ints, Ints]:
    """Order, product and quantity of each line. `target` is the order's wanted value in EUR cents.

    Candidates are put into the basket until it is worth 0.8 of the target, so that what a customer
    spends follows their Gamma-Gamma value closely, though not to the cent.
    """
    size = len(at)
    candidate = catalogue.draw(rng, (size, CANDIDATES), at[:, None])
    price = catalogue.price[candidate]
    # Start with the first of three candidates that the target affords, else the cheapest.
    affordable = price[:, :3] <= 1.25 * target[:, None]
    lead = np.where(affordable.any(axis=1), affordable.argmax(axis=1), price[:, :3].argmin(axis=1))
    rows = np.arange(size)
    candidate[rows, 0], candidate[rows, lead] = candidate[rows, lead], candidate[rows, 0].copy()
    quantity = 1 + draw(rng, (0.84, 0.12, 0.04), size * CANDIDATES).reshape(size, CANDIDATES)
    quantity[:, 0] = np.where(catalogue.price[candidate[:, 0]] * 2 > target, 1, quantity[:, 0])
    value = catalogue.price[candidate] * quantity
    keep = np.cumsum(value, axis=1) - value < 0.8 * target[:, None]
    for later in range(1, CANDIDATES):
        for earlier in range(later):
            same = candidate[:, later] == candidate[:, earlier]
            keep[:, later] &= ~(same & keep[:, earlier])
    companion = np.full(size, -1, dtype=np.int64)
    for product, partner in catalogue.pairs.tolist():
        has = ((candidate == product) & keep).any(axis=1)
        has &= ~((candidate == partner) & keep).any(axis=1)
        has &= catalogue.launched_at[partner] <= at
        companion[has & (rng.random(size) < AFFINITY_PROBABILITY)] = partner
    product = np.concatenate((candidate, np.maximum(companion, 0)[:, None]), axis=1)
    keep = np.concatenate((keep, (companion >= 0)[:, None]), axis=1)
    quantity = np.concatenate((quantity, np.ones((size, 1), dtype=np.int64)), axis=1)
    order = np.broadcast_to(rows[:, None], keep.shape)[keep]
    return order, product[keep], quantity[keep]


def _codes(rng: np.random.Generator, ordinal: Ints, sale: Ints, is_account: Bools) -> Ints:
    """The promotion code of each order, NO_CODE for most."""
    u = rng.random(len(ordinal))
    code = np.full(len(ordinal), NO_CODE, dtype=np.int64)
    code[(ordinal == 0) & (u < 0.22)] = 0
    for kind, index in ((BLACK_FRIDAY, 1), (WINTER_SALE, 2), (SUMMER_SALE, 3)):
        code[(sale == kind) & (u > 0.62)] = index
    quiet = sale == NO_SALE
    code[quiet & (ordinal > 1) & is_account & (u > 0.90)] = 4
    code[quiet & (u > 0.46) & (u < 0.51)] = 5
    return code


def make_orders(
    shop: Shop, people: People, purchases: Purchases, catalogue: Catalogue, streams: Streams
) -> tuple[Orders, Lines]:
    """All orders and their lines."""
    rng = streams.get("orders")
    person, at = purchases.person, purchases.ordered_at
    size = len(person)
    target = np.clip(rng.gamma(SPEND_P, 1.0, size) / people.spend_nu[person], 8, 900) * 100
    line_order, product, quantity = _baskets(rng, catalogue, at, target.astype(np.int64))
    country = people.country[person]
    is_chf = country == CHF
    sale = sales_by_day(at // DAY)

    # Lines, in the currency of their order.
    level = price_level(at)[line_order]
    factor = np.where(is_chf[line_order], CHF_PER_EUR, 1.0)
    price = np.rint(catalogue.price[product] * level * factor).astype(np.int64) * 100
    cost = np.rint(catalogue.cost[product] * level * factor).astype(np.int64)
    on_sale = (sale[line_order] != NO_SALE) & (rng.random(len(product)) < 0.45)
    on_sale |= rng.random(len(product)) < 0.04
    percent = np.where(on_sale, 10 * rng.integers(1, 4, len(product)), 0)
    discount = quantity * (price // 100) * percent // 100
    line_count = np.bincount(line_order, minlength=size)
    line_start = np.concatenate(([0], np.cumsum(line_count)[:-1])).astype(np.int64)
    number = np.arange(len(product)) - line_start[line_order] + 1
    lines = Lines(line_order, number, product, quantity, price, cost, discount)

    goods = np.bincount(line_order, lines.goods, size).astype(np.int64)
    line_discount = np.bincount(line_order, discount, size).astype(np.int64)
    left = goods - line_discount
    is_account = person < people.accounts
    code = _codes(rng, purchases.ordinal, sale, is_account)
    percent_of_code = np.array([c[2] if c[1] == "percent" else 0 for c in CODES] + [0.0])[code]
    order_discount = (left * percent_of_code / 100).astype(np.int64)
    order_discount = np.where(code == 4, np.minimum(500, left), order_discount)
    net = left - order_discount
    shipping = np.where((net >= 6_000) | (code == 5), 0, np.where(is_chf, 790, 490))
    tax = net * np.where(is_chf, 81, 200) // 1000

    # What became of it.
    age = DATA_END - at
    u = rng.random(size)
    status = np.full(size, DELIVERED, dtype=np.int64)
    promised = (at // DAY + rng.integers(3, 6, size)) * DAY + 18 * HOUR
    busy = np.where(sale == BLACK_FRIDAY, 0.24, 0.11)
    is_late = rng.random(size) < busy
    early = rng.integers(1 * HOUR, 44 * HOUR, size)
    delay = rng.integers(12 * HOUR, 7 * DAY, size)
    delivered = np.where(is_late, promised + delay, promised - early) // MINUTE * MINUTE
    delivered = np.maximum(delivered, at + 14 * HOUR)
    is_late = delivered > promised
    status[delivered >= DATA_END] = SHIPPED
    status[age < 30 * HOUR] = PAID
    status[(u < 0.007) | ((age < 4 * HOUR) & (u < 0.4))] = PENDING
    status[u > 0.975] = CANCELLED
    delivered = np.where(status == DELIVERED, delivered, -1)

    is_web = rng.random(size) >= OFFLINE_ORDER_SHARE
    is_tracked = is_web & (at >= shop.tracking_start + 4 * HOUR)
    orders = Orders(
        person=person,
        ordinal=purchases.ordinal,
        ordered_at=at,
        is_account=is_account,
        currency_is_chf=is_chf,
        country=country,
        is_web=is_web,
        is_tracked=is_tracked,
        is_lost=is_tracked & (rng.random(size) < LOST_TRACKING_SHARE),
        device=np.full(size, -1, dtype=np.int64),
        device_kind=np.where(is_web, draw(rng, (0.5, 0.43, 0.07), size), -1),
        status=status,
        promised_at=promised,
        delivered_at=delivered,
        is_late=is_late & (status == DELIVERED),
        code=code,
        goods=goods,
        line_discount=line_discount,
        order_discount=order_discount,
        shipping=shipping,
        tax=tax,
        line_start=line_start,
        line_count=line_count,
    )
    return orders, lines


CURRENCIES = ("EUR", "CHF")


def orders_table(orders: Orders, people: People, streams: Streams) -> pa.Table:
    """`orders`; call it once the session plan has filled `orders.device`."""
    rng = streams.get("orders_table")
    size = orders.size
    everyone = np.arange(size)
    return build(
        "orders",
        order_id=orders.ids(everyone),
        ordered_at=col.times(orders.ordered_at),
        customer_id=people.ids(orders.person, orders.is_account),
        status=col.pick(STATUSES, orders.status),
        currency=col.pick(CURRENCIES, orders.currency_is_chf.astype(np.int64)),
        shipping_amount=col.decimals(orders.shipping, 2),
        tax_amount=col.decimals(orders.tax, 2),
        discount_amount=col.decimals(orders.order_discount, 2),
        promo_code=col.pick([c[0] for c in CODES], orders.code),
        payment_method=col.pick(METHODS, draw(rng, (0.55, 0.22, 0.1, 0.06, 0.07), size)),
        delivery_promised_at=col.times(orders.promised_at, orders.status != CANCELLED),
        delivered_at=col.times(orders.delivered_at, orders.delivered_at >= 0),
        anonymous_id=col.scrambled("", orders.device, 6, orders.device >= 0),
        device=col.pick(DEVICES, orders.device_kind),
        country=col.pick([c.code for c in COUNTRIES], orders.country),
    )


def order_items_table(orders: Orders, lines: Lines, catalogue: Catalogue) -> pa.Table:
    """`order_items`."""
    return build(
        "order_items",
        order_id=orders.ids(lines.order),
        line_number=col.integers(lines.number),
        product_id=catalogue.ids(lines.product),
        quantity=col.integers(lines.quantity),
        unit_price=col.decimals(lines.price, 4),
        discount_amount=col.decimals(lines.discount, 2),
        unit_cost=col.decimals(lines.cost, 4),
    )


@dataclass
class Refunds:
    """One row per refund. `line` is a row of Lines, -1 = the whole order. Amount in cents."""

    order: Ints
    line: Ints
    quantity: Ints
    amount: Ints
    reason: Ints
    refunded_at: Ints


REASONS = ("too_late", "damaged", "wrong_item", "changed_mind", "quality", "goodwill")


def make_refunds(orders: Orders, lines: Lines, catalogue: Catalogue, streams: Streams) -> Refunds:
    """Whole orders (1%), lines by the category's return rate, and a few goodwill amounts."""
    rng = streams.get("refunds")
    delivered = orders.status == DELIVERED
    whole = delivered & (rng.random(orders.size) < 0.01)
    late = orders.is_late[lines.order]
    rate = catalogue.return_rate[lines.product] * np.where(late, 1.7, 1.0)
    open_line = delivered[lines.order] & ~whole[lines.order]
    u = rng.random(len(lines.order))
    returned = open_line & (u < rate)
    goodwill = open_line & ~returned & (u > 0.995)
    # What was paid for the line, its share of the order's discount taken off.
    after_line = lines.goods - lines.discount
    order_value = (orders.goods - orders.line_discount)[lines.order]
    share = orders.order_discount[lines.order] * after_line // np.maximum(order_value, 1)
    paid = np.maximum(after_line - share - 1, 0)  # a cent less, whatever way the rest is rounded

    partly = rng.random(len(lines.order)) < 0.4
    back = np.where(partly, np.maximum(lines.quantity - 1, 1), lines.quantity)
    line_rows = np.flatnonzero(returned)
    good_rows = np.flatnonzero(goodwill)
    whole_rows = np.flatnonzero(whole)
    units = np.bincount(lines.order, lines.quantity, orders.size).astype(np.int64)
    order = np.concatenate((lines.order[line_rows], lines.order[good_rows], whole_rows))
    line = np.concatenate((line_rows, good_rows, np.full(len(whole_rows), -1)))
    quantity = np.concatenate(
        (back[line_rows], np.zeros(len(good_rows), np.int64), units[whole_rows])
    )
    amount = np.concatenate(
        (
            paid[line_rows] * back[line_rows] // lines.quantity[line_rows],
            paid[good_rows] // 5,
            orders.net[whole_rows],
        )
    )
    reason = np.concatenate(
        (
            np.where(late[line_rows], draw(rng, (0.4, 0.15, 0.1, 0.2, 0.15), len(line_rows)),
                     draw(rng, (0, 0.15, 0.15, 0.45, 0.25), len(line_rows))),
            np.full(len(good_rows), 5),
            draw(rng, (0.3, 0.4, 0.3), len(whole_rows)),
        )
    )  # fmt: skip
    at = orders.delivered_at[order] + rng.integers(2 * DAY, 21 * DAY, len(order)) // 1000 * 1000
    keep = np.flatnonzero((at < DATA_END) & (amount > 0))
    keep = keep[np.lexsort((line[keep], order[keep], at[keep]))]
    return Refunds(order[keep], line[keep], quantity[keep], amount[keep], reason[keep], at[keep])


def refunds_table(refunds: Refunds, orders: Orders, lines: Lines) -> pa.Table:
    """`refunds`."""
    size = len(refunds.order)
    return build(
        "refunds",
        refund_id=col.serial("R", size, 6),
        order_id=orders.ids(refunds.order),
        line_number=col.integers(lines.number[refunds.line], refunds.line >= 0),
        quantity=col.integers(refunds.quantity),
        amount=col.decimals(refunds.amount, 2),
        reason=col.pick(REASONS, refunds.reason),
        refunded_at=col.times(refunds.refunded_at),
    )


PAYMENT_STATUSES = ("authorized", "captured", "failed", "refunded")


def payments_table(orders: Orders, refunds: Refunds, streams: Streams) -> pa.Table:
    """`payments`: captures, failed attempts before them, and money given back."""
    rng = streams.get("payments")
    everyone = np.arange(orders.size)
    total = orders.net + orders.shipping + orders.tax
    soon = orders.ordered_at + rng.integers(2, 50, orders.size) * 1000
    status = np.where(orders.status == PENDING, 0, 1)
    status = np.where((orders.status == CANCELLED) & (rng.random(orders.size) < 0.6), 0, status)
    failed = np.flatnonzero((rng.random(orders.size) < 0.035) | (orders.status == PENDING))
    order = np.concatenate((everyone, failed, refunds.order))
    amount = np.concatenate((total, total[failed], refunds.amount))
    what = np.concatenate((status, np.full(len(failed), 2), np.full(len(refunds.order), 3)))
    at = np.concatenate((soon, orders.ordered_at[failed], refunds.refunded_at + 2 * HOUR))
    method = draw(rng, (0.55, 0.22, 0.1, 0.06, 0.07), orders.size)[order]
    keep = np.flatnonzero(at < DATA_END)
    keep = keep[np.lexsort((what[keep], order[keep], at[keep]))]
    return build(
        "payments",
        payment_id=col.serial("PAY", len(keep), 7),
        order_id=orders.ids(order[keep]),
        amount=col.decimals(amount[keep], 2),
        method=col.pick(METHODS, method[keep]),
        status=col.pick(PAYMENT_STATUSES, what[keep]),
        paid_at=col.times(at[keep]),
    )


def promotions_table(orders_start: int) -> pa.Table:
    """`promotions`: the standing codes and each year's sale codes in one row, over all years."""
    ends = ms(2026, 12, 31)
    size = len(CODES)
    rows = np.arange(size)
    return build(
        "promotions",
        promo_code=col.pick([c[0] for c in CODES], rows),
        kind=col.pick([c[1] for c in CODES], rows),
        value=col.decimals(np.array([int(c[2] * 100) for c in CODES]), 2),
        starts_at=col.times(np.full(size, orders_start)),
        ends_at=col.times(np.full(size, ends)),
        campaign=col.pick([c[3] for c in CODES], rows),
    )


def days_of(start: int, end: int) -> list[date]:
    """The days from `start` to before `end` (ms)."""
    return [date(1970, 1, 1) + timedelta(days=n) for n in range(start // DAY, (end - 1) // DAY + 1)]

"""What every order line is worth, by hand: definitions.md (Time, Money) in cents and fractions.

Independent of the SQL on purpose: rows in, a ledger out, one order at a time, no set operations.
Choices that definitions.md leaves open, as the models' comments make them:
- amounts are converted one by one (gross, discount, each refund's share), at the order day's rate;
- a unit cost is converted and kept with four decimals; cost is that times units, to the cent;
- the cost of what was not returned is the cost less the cost of what was;
- a refund of a whole order is shared by what its lines brought in (net, never below 0) and brings
  back all units, or its `quantity` first ones in line order;
- a refund of a line that gives no quantity brings back none;
- a line brings back no more units than it sold; refunds count in order of time, then of refund_id.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Paris")
REPORTING_CURRENCY = "EUR"
REVENUE_STATUSES = {"paid", "shipped", "delivered"}


@dataclass(frozen=True)
class Product:
    product_id: str
    unit_cost: Decimal | None
    currency: str | None


@dataclass(frozen=True)
class Item:
    line_number: int
    product_id: str
    quantity: int
    unit_price: Decimal
    discount: Decimal | None
    unit_cost: Decimal | None


@dataclass(frozen=True)
class Refund:
    refund_id: str
    line_number: int | None
    quantity: int | None
    amount: Decimal
    refunded_at: datetime


@dataclass(frozen=True)
class Order:
    """An order with its lines and refunds; times are UTC."""

    order_id: str
    ordered_at: datetime
    status: str
    currency: str | None
    discount: Decimal | None
    customer_id: str | None
    items: tuple[Item, ...]
    refunds: tuple[Refund, ...]


@dataclass
class Rates:
    """Rates into the reporting currency; days without a rate keep the last one."""

    by_currency: dict[str, list[tuple[date, Decimal]]]

    def rate(self, currency: str | None, day: date) -> Fraction | None:
        """The rate that holds on a day; None where there is none yet."""
        code = (currency or REPORTING_CURRENCY).upper()
        if code == REPORTING_CURRENCY:
            return Fraction(1)
        rates = self.by_currency.get(code, [])
        position = bisect_right([rate_date for rate_date, _ in rates], day)
        return Fraction(rates[position - 1][1]) if position else None


@dataclass
class RefundShare:
    """What one refund takes from one line, in cents; the cost is None where it is unknown."""

    refund_id: str
    refund_date: date
    units: int
    cents_in_order_currency: int
    cents: int
    cost_cents: int | None


@dataclass
class LedgerLine:
    """One line in cents: of the order's currency where named so, else of the reporting currency."""

    order_id: str
    line_number: int
    currency: str
    is_revenue: bool
    order_date: date
    gross: int
    discount: int
    net: int
    net_in_order_currency: int
    cost: int | None
    refunds: list[RefundShare] = field(default_factory=list)

    @property
    def refunded(self) -> int:
        return sum(share.cents for share in self.refunds)

    @property
    def returned_units(self) -> int:
        return sum(share.units for share in self.refunds)

    @property
    def kept_cost(self) -> int | None:
        if self.cost is None:
            return None
        return self.cost - sum(share.cost_cents or 0 for share in self.refunds)

    @property
    def margin(self) -> int | None:
        return None if self.kept_cost is None else self.net - self.refunded - self.kept_cost


def half_up(value: Fraction, decimals: int = 0) -> int:
    """A value that is not negative in units of 10^-decimals, halves up."""
    scaled = value * Fraction(10**decimals) + Fraction(1, 2)
    return scaled.numerator // scaled.denominator


def cents(value: Decimal | None) -> int:
    """An amount as whole cents, nothing as 0."""
    return half_up(Fraction(value or 0), 2)


def local_date(moment: datetime) -> date:
    """The shop's day of a moment."""
    return moment.astimezone(ZONE).date()


def last_complete_day(orders: Iterable[Order], rates: Rates) -> date:
    """The day before that of the newest order that has a rate: the data know it for sure."""
    moments = (order.ordered_at for order in orders if order_rate(order, rates) is not None)
    return local_date(max(moments)) - timedelta(days=1)


def order_rate(order: Order, rates: Rates) -> Fraction | None:
    return rates.rate(order.currency, local_date(order.ordered_at))


def share_out(total: int, weights: list[int]) -> list[int]:
    """`total` cents by weight, to the cent, halves up; the rest on the first largest weight."""
    whole = sum(weights)
    shares = [half_up(Fraction(total * weight, whole)) if whole else 0 for weight in weights]
    if shares:
        shares[weights.index(max(weights))] += total - sum(shares)
    return shares


def ledger(
    orders: Iterable[Order], products: dict[str, Product], rates: Rates, as_of: date
) -> list[LedgerLine]:
    """Every line of every order that `as_of` knows and that has a rate."""
    midnight = datetime.combine(as_of + timedelta(days=1), time(), ZONE)
    until = midnight.astimezone(UTC)
    lines: list[LedgerLine] = []
    for order in orders:
        rate = order_rate(order, rates)
        if order.ordered_at < until and rate is not None:
            priced = price_order(order, rate, products, rates)
            book_refunds(order, priced, rate, until)
            lines.extend(line for _, line, _ in priced)
    return lines


Priced = tuple[Item, LedgerLine, int | None]


def price_order(
    order: Order, rate: Fraction, products: dict[str, Product], rates: Rates
) -> list[Priced]:
    """The order's items by line number, each with its line and its unit cost in 1/10,000."""
    items = sorted(order.items, key=lambda item: item.line_number)
    day = local_date(order.ordered_at)
    grosses = [half_up(Fraction(item.unit_price) * item.quantity, 2) for item in items]
    shares = share_out(cents(order.discount), grosses)
    priced: list[Priced] = []
    for item, gross, share in zip(items, grosses, shares, strict=True):
        discount = cents(item.discount) + share
        unit_cost = unit_cost_of(item, rate, day, products, rates)
        converted_gross, converted_discount = convert(gross, rate), convert(discount, rate)
        line = LedgerLine(
            order_id=order.order_id,
            line_number=item.line_number,
            currency=(order.currency or REPORTING_CURRENCY).upper(),
            is_revenue=order.status in REVENUE_STATUSES,
            order_date=day,
            gross=converted_gross,
            discount=converted_discount,
            net=converted_gross - converted_discount,
            net_in_order_currency=gross - discount,
            cost=cost_of(unit_cost, item.quantity),
        )
        priced.append((item, line, unit_cost))
    return priced


def convert(amount: int, rate: Fraction) -> int:
    """Cents at a rate, to the cent, halves away from 0."""
    converted = half_up(abs(amount) * rate)
    return converted if amount >= 0 else -converted


def unit_cost_of(
    item: Item, rate: Fraction, day: date, products: dict[str, Product], rates: Rates
) -> int | None:
    """The cost of a unit in 1/10,000 of the reporting currency: the item's, else the product's."""
    if item.unit_cost is not None:
        return half_up(Fraction(item.unit_cost) * rate, 4)
    product = products.get(item.product_id)
    if product is None or product.unit_cost is None:
        return None
    product_rate = rates.rate(product.currency, day)
    if product_rate is None:
        return None
    return half_up(Fraction(product.unit_cost) * product_rate, 4)


def cost_of(unit_cost: int | None, units: int) -> int | None:
    """Cents that so many units cost."""
    return None if unit_cost is None else half_up(Fraction(unit_cost * units, 100))


def book_refunds(order: Order, priced: list[Priced], rate: Fraction, until: datetime) -> None:
    """Write the refunds before `until` into the order's lines."""
    known = (refund for refund in order.refunds if refund.refunded_at < until)
    for refund in sorted(known, key=lambda refund: (refund.refunded_at, refund.refund_id)):
        touched = [entry for entry in priced if refund.line_number in (None, entry[0].line_number)]
        weights = [max(0, line.net_in_order_currency) for _, line, _ in touched]
        shares = share_out(cents(refund.amount), weights)
        units_left = units_of(refund, touched)
        for (item, line, unit_cost), share in zip(touched, shares, strict=True):
            before = line.returned_units
            asked = min(units_left, item.quantity)
            units_left -= asked
            after = min(item.quantity, before + asked)
            cost_after, cost_before = cost_of(unit_cost, after), cost_of(unit_cost, before)
            line.refunds.append(
                RefundShare(
                    refund_id=refund.refund_id,
                    refund_date=local_date(refund.refunded_at),
                    units=after - before,
                    cents_in_order_currency=share,
                    cents=convert(share, rate),
                    cost_cents=None
                    if cost_after is None or cost_before is None
                    else cost_after - cost_before,
                )
            )


def units_of(refund: Refund, touched: list[Priced]) -> int:
    """The units that a refund says came back."""
    if refund.quantity is not None:
        return refund.quantity
    if refund.line_number is not None:
        return 0
    return sum(item.quantity for item, _, _ in touched)

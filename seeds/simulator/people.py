"""Who comes: buyers with their purchase process, account holders, and everybody's devices.

The purchase process is MBG/NBD (Batislam et al., 2007) in demand-weighted time: a customer buys at
a rate drawn from a Gamma, and after every purchase, the first one included, leaves for good with a
probability drawn from a Beta. Spend per order is Gamma-Gamma (Fader & Hardie, 2013).

Persons are numbered: account holders in the order of `created_at`, then guest buyers; visitors and
bots, which `sessions` adds, come after them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seeds.simulator import columns as col
from seeds.simulator.config import (
    BROWSER_SHARES,
    CHANNELS,
    CONVERSION_RATE,
    COUNTRIES,
    DATA_END,
    DAY,
    HOUR,
    MINUTE,
    OFFLINE_ORDER_SHARE,
    QUALITY,
    Bools,
    Codes,
    Floats,
    Ints,
    Shop,
    Streams,
    channel_weights,
    draw,
)
from seeds.simulator.contract import build
from seeds.simulator.season import Season

RATE_SHAPE, RATE_MEAN = 1.5, 2.9  # orders a year while alive
DROPOUT_A, DROPOUT_B = 1.3, 1.7  # P(leaving after a purchase): mean 0.43
SPEND_P, SPEND_Q, SPEND_MEAN = 6.0, 3.6, 62.0  # EUR per order before discounts
GUEST_SHARE = 0.08
PROSPECTS_PER_BUYER = 0.2
SHARED_DEVICE_SHARE = 0.05

FIRST_NAMES = (
    "Alice", "Louis", "Chloé", "Gabriel", "Emma", "Jules", "Léa", "Hugo", "Manon", "Adam", "Inès",
    "Lucas", "Camille", "Arthur", "Sarah", "Noah", "Zoé", "Paul", "Eva", "Tom", "Anna", "Max",
    "Mia", "Felix", "Lina", "Jonas", "Clara", "Leon", "Nora", "Theo",
)  # fmt: skip
LAST_NAMES = (
    "Martin", "Bernard", "Dubois", "Petit", "Durand", "Leroy", "Moreau", "Simon", "Laurent",
    "Michel", "Garcia", "Roux", "Fournier", "Girard", "Bonnet", "Lambert", "Rousseau",
    "Blanc", "Muller", "Schmidt", "Weber", "Keller", "Favre", "Peeters", "Janssens", "Dupont",
    "Faure", "Mercier",
)  # fmt: skip
ASCII = str.maketrans("éèçëï", "eecei")


@dataclass
class Purchases:
    """One row per order, in the order of time. `person` and `ordinal` (0 = first) per order."""

    person: Ints
    ordinal: Ints
    ordered_at: Ints


@dataclass
class People:
    """Account holders (0 .. accounts-1) and guest buyers, one row each unless it says otherwise."""

    accounts: int
    created_at: Ints  # ms; a guest's is the first order's time
    first_order_at: Ints  # ms; -1 without an order
    created_at_checkout: Bools  # the account was created within the first order
    is_buyer: Bools
    is_guest: Bools
    channel: Ints  # acquisition channel
    country: Ints
    rate: Floats  # orders a year while alive
    dropout: Floats  # P(leaving after a purchase)
    spend_nu: Floats  # rate of the Gamma of the order value, so the mean is SPEND_P / spend_nu
    dropped_at: Ints  # ms; -1 = still alive at the end of the data, or never bought
    satisfaction: Floats  # latent, about N(0, 1)
    opted_in: Bools
    referrer: Ints  # account that referred, -1 = none
    place: Ints

    @property
    def size(self) -> int:
        """Accounts and guests."""
        return len(self.created_at)

    def ids(self, persons: Ints, valid: Bools | None = None) -> pa.Array:
        """customer_id of account holders."""
        return col.numbered("C", persons + 1, max(5, len(str(self.accounts))), valid)


@dataclass
class _Buyers:
    channel: Ints
    rate: Floats
    dropout: Floats
    nu: Floats


def _draw_buyers(rng: np.random.Generator, size: int) -> _Buyers:
    channel = draw(rng, channel_weights("buyer_share"), size)
    factor = np.array([[QUALITY[c].rate, QUALITY[c].dropout, QUALITY[c].spend] for c in CHANNELS])
    rate = rng.gamma(RATE_SHAPE, RATE_MEAN / RATE_SHAPE, size) * factor[channel, 0]
    dropout = np.minimum(rng.beta(DROPOUT_A, DROPOUT_B, size) * factor[channel, 1], 0.99)
    # E[p / nu] = p gamma / (q - 1) is the mean spend.
    gamma = SPEND_MEAN * (SPEND_Q - 1) / SPEND_P
    nu = rng.gamma(SPEND_Q, 1 / gamma, size) / factor[channel, 2]
    return _Buyers(channel, rate, dropout, np.maximum(nu, SPEND_P / 900))


def _purchase(rng: np.random.Generator, season: Season, buyers: _Buyers) -> tuple[Purchases, Ints]:
    """All orders until the end of the data, and when each buyer left (-1: has not)."""
    size = len(buyers.rate)
    first = np.minimum(season.draw(rng, size), DATA_END - HOUR)
    clock = season.operational(first)
    dropped_at = np.full(size, -1, dtype=np.int64)
    alive, when = np.arange(size), first
    rows: list[tuple[Ints, Ints, Ints]] = []
    ordinal = 0
    while len(alive):
        rows.append((alive, np.full(len(alive), ordinal), when))
        leaves = rng.random(len(alive)) < buyers.dropout[alive]
        dropped_at[alive[leaves]] = when[leaves]
        alive, previous = alive[~leaves], when[~leaves]
        clock[alive] += rng.exponential(365.25, len(alive)) / buyers.rate[alive]
        when = season.at(clock[alive])
        # Half a day apart, so that each order can have its own session.
        when = np.maximum(when, previous + 12 * HOUR)
        inside = (clock[alive] < season.cumulative[-1]) & (when < DATA_END - MINUTE)
        alive, when = alive[inside], when[inside]
        ordinal += 1
    person, ordinals, ordered_at = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return Purchases(person, ordinals, ordered_at), dropped_at


def _buyers_needed(shop: Shop, season: Season) -> int:
    """Buyers for which the tracked web orders are `CONVERSION_RATE` of the sessions, by a pilot."""
    pilot = 6_000
    rng = Streams(0).get("pilot")
    purchases, _ = _purchase(rng, season, _draw_buyers(rng, pilot))
    per_buyer = np.mean(purchases.ordered_at >= shop.tracking_start) * len(purchases.person) / pilot
    return max(40, int(shop.sessions * CONVERSION_RATE / (1 - OFFLINE_ORDER_SHARE) / per_buyer))


def make_people(shop: Shop, streams: Streams) -> tuple[People, Purchases]:
    """Accounts and guests with their orders; persons are numbered as this module's title says."""
    rng = streams.get("people")
    season = Season(shop.orders_start, DATA_END)
    buyers = _draw_buyers(rng, _buyers_needed(shop, season))
    purchases, dropped = _purchase(rng, season, buyers)
    size = len(buyers.rate)
    # The first `size` orders are the buyers' first ones, in the order of the buyers.
    first = purchases.ordered_at[:size]
    guest = rng.random(size) < GUEST_SHARE
    at_checkout = rng.random(size) < 0.72
    before = np.where(
        at_checkout,
        rng.integers(40, 100, size) * 1000,
        (rng.exponential(16 * DAY, size) + 2 * HOUR).astype(np.int64) // 1000 * 1000,
    )
    created = np.maximum(first - before, shop.orders_start)
    created = np.where(guest, first, created)

    prospects = int(size * PROSPECTS_PER_BUYER)
    created = np.concatenate((created, season.draw(rng, prospects)))
    total = size + prospects
    channel = np.concatenate(
        (buyers.channel, draw(rng, channel_weights("visitor_share"), prospects))
    )

    def padded(values: np.ndarray, fill: float) -> np.ndarray:
        return np.concatenate((values, np.full(prospects, fill, dtype=values.dtype)))

    is_guest = padded(guest, False)
    order = np.lexsort((np.arange(total), created, is_guest))
    rank = np.empty(total, dtype=np.int64)
    rank[order] = np.arange(total)

    # A guest has no account to come back to: only the first order is theirs.
    keep = ~(guest[purchases.person] & (purchases.ordinal > 0))
    person = rank[purchases.person[keep]]
    by_time = np.lexsort((person, purchases.ordered_at[keep]))
    purchases = Purchases(
        person[by_time], purchases.ordinal[keep][by_time], purchases.ordered_at[keep][by_time]
    )
    accounts = int(total - is_guest.sum())
    country = draw(rng, [c.share for c in COUNTRIES], total)
    places = np.array([len(c.places) for c in COUNTRIES])
    people = People(
        accounts=accounts,
        created_at=created[order],
        first_order_at=padded(first, -1)[order],
        created_at_checkout=(padded(at_checkout, False) & ~is_guest)[order],
        is_buyer=np.arange(total)[order] < size,
        is_guest=is_guest[order],
        channel=channel[order],
        country=country,
        rate=padded(buyers.rate, 0.0)[order],
        dropout=padded(buyers.dropout, 0.0)[order],
        spend_nu=padded(buyers.nu, np.inf)[order],
        dropped_at=np.where(padded(guest, False), padded(first, -1), padded(dropped, -1))[order],
        satisfaction=rng.standard_normal(total),
        opted_in=rng.random(total) < 0.62,
        referrer=np.full(total, -1, dtype=np.int64),
        place=(rng.random(total) * places[country]).astype(np.int64),
    )
    # Customers won by referral were mostly invited by an earlier customer.
    referred = (people.channel == CHANNELS.index("referral")) & (rng.random(total) < 0.7)
    referred &= (np.arange(total) < accounts) & (np.arange(total) >= 10)
    rows = np.flatnonzero(referred)
    candidate = (rng.random(len(rows)) * rows).astype(np.int64)
    first_order = people.first_order_at[candidate]
    ok = (first_order >= 0) & (first_order < people.created_at[rows] - DAY)
    people.referrer[rows[ok]] = candidate[ok]
    return people, purchases


def customers_table(people: People, streams: Streams) -> pa.Table:
    """`customers`, one row per account."""
    rng = streams.get("customers")
    size = people.accounts
    first, last = (rng.integers(0, len(names), size) for names in (FIRST_NAMES, LAST_NAMES))
    number = rng.integers(1, 999, size)
    lowered = [[n.lower().translate(ASCII) for n in names] for names in (FIRST_NAMES, LAST_NAMES)]
    email = pc.binary_join_element_wise(
        col.pick(lowered[0], first).cast(pa.string()),
        ".",
        col.pick(lowered[1], last).cast(pa.string()),
        pa.array(number).cast(pa.string()),
        "@example.org",
        "",
    )
    # `a.b42@example.org`: the separator is empty, so the dots are elements themselves.
    places = [p for c in COUNTRIES for p in c.places]
    starts = np.cumsum([0] + [len(c.places) for c in COUNTRIES])
    place = starts[people.country[:size]] + people.place[:size]
    born = rng.integers(-8_000, 13_500, size)  # 1948 to 2006, in days since 1970
    gender = draw(rng, (0.55, 0.38, 0.07), size)
    return build(
        "customers",
        customer_id=people.ids(np.arange(size)),
        email=email,
        created_at=col.times(people.created_at[:size]),
        birth_date=col.dates(born, rng.random(size) < 0.7),
        gender=col.pick(("female", "male", None), gender),
        country=col.pick([c.code for c in COUNTRIES], people.country[:size]),
        region=col.pick([p[0] for p in places], place),
        city=col.pick([p[1] for p in places], place),
        postcode=col.pick([p[2] for p in places], place),
        language=col.pick([c.language for c in COUNTRIES], people.country[:size]),
        marketing_opt_in=col.booleans(people.opted_in[:size]),
        signup_source=col.pick(
            ("checkout", "account_page", "newsletter_form"),
            np.where(people.created_at_checkout[:size], 0, draw(rng, (0, 0.6, 0.4), size)),
        ),
        referred_by_customer_id=people.ids(people.referrer[:size], people.referrer[:size] >= 0),
    )


def truth_customers(people: People, purchases: Purchases) -> pa.Table:
    """Every account's and guest's parameters: rates per year, spend in EUR, and when they left."""
    size = people.size
    account = np.arange(size) < people.accounts
    orders = np.bincount(purchases.person, minlength=size)
    return pa.table(
        {
            "person_id": col.numbered("P", np.arange(size), 9),
            "customer_id": people.ids(np.arange(size), account),
            "is_guest": people.is_guest,
            "acquisition_channel": col.pick(CHANNELS, people.channel).cast(pa.string()),
            "orders_per_year": people.rate,
            "dropout_probability": people.dropout,
            "mean_order_value": SPEND_P / people.spend_nu,
            "spend_p": np.full(size, SPEND_P),
            "spend_nu": pa.array(people.spend_nu, mask=~people.is_buyer),
            "order_count": orders,
            "first_order_at": col.times(people.first_order_at, people.is_buyer),
            "dropped_out_at": col.times(people.dropped_at, people.dropped_at >= 0),
            "is_alive": people.is_buyer & (people.dropped_at < 0),
            "satisfaction": people.satisfaction,
        }
    )


@dataclass
class Devices:
    """One row per device; a person's own ones are `start[person] + 0 .. count[person]-1`."""

    start: Codes
    count: Codes
    same_as: Codes  # a shared device is another person's: its number, else itself
    kind: Codes
    browser: Codes
    country: Codes

    def of(self, persons: Ints, which: Ints) -> Codes:
        """The device that a person uses as their `which`-th."""
        return self.same_as[self.start[persons] + np.minimum(which, self.count[persons] - 1)]


def make_devices(people: People, visitors: int, bots: int, streams: Streams) -> Devices:
    """Devices of accounts and guests (1 to 3 each), then of `visitors` (1 or 2), then of bots."""
    rng = streams.get("devices")
    total = people.size + visitors + bots
    u = rng.random(total)
    known = np.arange(total) < people.size
    count = np.where(known, 1 + (u < 0.34) + (u < 0.07), 1 + (u < 0.06))
    count[people.size + visitors :] = 1
    start = np.concatenate(([0], np.cumsum(count)[:-1])).astype(np.int64)
    owner = np.repeat(np.arange(total), count)
    which = np.arange(len(owner)) - start[owner]
    first_kind = draw(rng, (0.58, 0.35, 0.07), total)
    # A second device is of another kind than the first.
    kind = (first_kind[owner] + which) % 3
    u = rng.random(len(owner))
    shares = np.cumsum(np.array(BROWSER_SHARES), axis=1)
    browser = (u[:, None] > shares[kind]).sum(axis=1)
    country = np.concatenate(
        (people.country, draw(rng, [c.share for c in COUNTRIES], visitors + bots))
    )[owner]
    same_as = np.arange(len(owner))
    # Two neighbours in the customer list share the tablet at home: the second uses the first's.
    pairs = np.arange(1, people.accounts - 1, 2)
    pairs = pairs[rng.random(len(pairs)) < SHARED_DEVICE_SHARE * 2]
    pairs = pairs[people.country[pairs] == people.country[pairs + 1]]
    same_as[start[pairs + 1]] = start[pairs]
    return Devices(
        start=start.astype(np.int32),
        count=count.astype(np.int8),
        same_as=same_as.astype(np.int32),
        kind=kind.astype(np.int8),
        browser=np.minimum(browser, 4).astype(np.int8),
        country=country.astype(np.int8),
    )

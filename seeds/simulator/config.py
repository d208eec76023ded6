"""What the shop is: its calendar, its channels, its countries, and the size of a run."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.integer[Any]]  # narrow integers, where there are many rows


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    """Milliseconds since 1970 of a UTC date and hour."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * SECOND


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


ORDERS_START = ms(2023, 7, 1)
LAST_DAY_END = ms(2026, 7, 1)
# The data ends at noon of an incomplete day, so that the last complete day is 2026-06-30.
DATA_END = ms(2026, 7, 1, 12)

DEMO_EVENTS = 82_500
DEMO_TRACKING_START = ms(2025, 12, 15)

# Sizing. Events per human session is measured, so that --events is met within a few per cent.
EVENTS_PER_SESSION = 4.29
BOT_EVENT_SHARE = 0.02
EVENTS_PER_BOT_SESSION = 28
CONVERSION_RATE = 0.037  # tracked web orders / human sessions
OFFLINE_ORDER_SHARE = 0.22  # telephone and pop-up store: no device, no tracking
LOST_TRACKING_SHARE = 0.03  # web orders whose purchase event never arrived
LATE_EVENT_SHARE = 0.015
MAX_ARRIVAL_DELAY = 3 * DAY
DUPLICATE_EVENT_SHARE = 0.003

# The planted experiment and anomaly: these dates where tracking covers them, else moved inside.
EXPERIMENT_ID = "exp_checkout_one_page"
NULL_EXPERIMENT_ID = "exp_home_banner"
EXPERIMENT_LIFT = 0.15  # relative, on add to cart -> purchase, variant b against a
EXPERIMENT_WINDOW = (ms(2026, 3, 2), ms(2026, 5, 18))
NULL_EXPERIMENT_WINDOW = (ms(2026, 1, 12), ms(2026, 2, 23))
ANOMALY_CHANNEL = "paid_search"
ANOMALY_WINDOW = (ms(2026, 4, 13), ms(2026, 4, 23))
ANOMALY_CONVERSION_FACTOR = 0.5
ANOMALY_LOAD_FACTOR = 3.0

CHANNELS = (
    "direct",
    "organic_search",
    "paid_search",
    "organic_social",
    "paid_social",
    "email",
    "sms",
    "affiliate",
    "referral",
    "display",
)


class Quality(NamedTuple):
    """How a channel performs. Shares are relative weights; factors multiply the shop's mean."""

    visitor_share: float
    buyer_share: float
    returning_share: float
    bounce: float  # added to the bounce probability
    rate: float  # purchase rate factor of customers acquired here
    dropout: float  # dropout factor
    spend: float  # spend factor


QUALITY: dict[str, Quality] = {
    "direct": Quality(0.19, 0.17, 0.40, -0.03, 1.10, 0.90, 1.05),
    "organic_search": Quality(0.25, 0.26, 0.17, -0.02, 1.05, 0.95, 1.00),
    "paid_search": Quality(0.16, 0.21, 0.10, 0.00, 0.95, 1.00, 1.00),
    "organic_social": Quality(0.10, 0.07, 0.04, 0.05, 0.90, 1.05, 0.90),
    "paid_social": Quality(0.15, 0.09, 0.03, 0.09, 0.70, 1.35, 0.82),
    "email": Quality(0.02, 0.02, 0.18, -0.05, 1.25, 0.80, 1.05),
    "sms": Quality(0.005, 0.005, 0.03, -0.02, 1.10, 0.90, 1.00),
    "affiliate": Quality(0.04, 0.06, 0.02, 0.02, 0.75, 1.25, 0.90),
    "referral": Quality(0.03, 0.09, 0.02, -0.05, 1.40, 0.70, 1.15),
    "display": Quality(0.055, 0.02, 0.01, 0.12, 0.70, 1.30, 0.85),
}


class Placement(NamedTuple):
    """One way into the shop: what a landing page records, and what a click costs (EUR)."""

    channel: str
    source: str | None
    medium: str | None
    campaign: str | None
    content: str | None
    referrer: str | None
    weight: float
    cost_per_click: float
    click_rate: float
    currency: str


GOOGLE = "https://www.google.com/"
BING = "https://www.bing.com/"
INSTAGRAM = "https://www.instagram.com/"
PINTEREST = "https://www.pinterest.com/"
FACEBOOK = "https://www.facebook.com/"
PLACEMENTS: tuple[Placement, ...] = (
    Placement("direct", None, None, None, None, None, 1.0, 0, 0, ""),
    Placement("organic_search", None, None, None, None, GOOGLE, 0.8, 0, 0, ""),
    Placement("organic_search", None, None, None, None, BING, 0.12, 0, 0, ""),
    Placement("organic_search", None, None, None, None, "https://duckduckgo.com/", 0.08, 0, 0, ""),
    Placement("paid_search", "google", "cpc", "brand", None, GOOGLE, 0.35, 0.26, 0.12, "EUR"),
    Placement("paid_search", "google", "cpc", "shopping", None, GOOGLE, 0.38, 0.48, 0.02, "EUR"),
    Placement("paid_search", "google", "cpc", "generic", None, GOOGLE, 0.17, 0.80, 0.03, "EUR"),
    Placement("paid_search", "bing", "cpc", "shopping", None, BING, 0.1, 0.4, 0.02, "USD"),
    Placement("organic_social", None, None, None, None, INSTAGRAM, 0.5, 0, 0, ""),
    Placement("organic_social", None, None, None, None, PINTEREST, 0.3, 0, 0, ""),
    Placement("organic_social", None, None, None, None, FACEBOOK, 0.2, 0, 0, ""),
    Placement(
        "paid_social",
        "facebook",
        "paid_social",
        "prospecting",
        "carousel",
        None,
        0.38,
        0.62,
        0.01,
        "EUR",
    ),
    Placement(
        "paid_social",
        "instagram",
        "paid_social",
        "prospecting",
        "story",
        None,
        0.35,
        0.58,
        0.01,
        "EUR",
    ),
    Placement(
        "paid_social",
        "facebook",
        "paid_social",
        "retargeting",
        "carousel",
        None,
        0.1,
        0.7,
        0.02,
        "EUR",
    ),
    Placement(
        "paid_social", "tiktok", "paid_social", "video", "clip", None, 0.17, 0.45, 0.008, "USD"
    ),
    Placement("email", "newsletter", "email", "newsletter", None, None, 0.7, 0, 0, ""),
    Placement("email", "crm", "email", "winback", None, None, 0.2, 0, 0, ""),
    Placement("email", "crm", "email", "cart_recovery", None, None, 0.1, 0, 0, ""),
    Placement("sms", "crm", "sms", "flash", None, None, 1.0, 0, 0, ""),
    Placement("affiliate", "awin", "affiliate", "cashback", None, None, 1.0, 0.35, 0.02, "EUR"),
    Placement("referral", None, None, None, None, "https://homeblog.example/", 0.45, 0, 0, ""),
    Placement("referral", None, None, None, None, "https://forum.example/", 0.2, 0, 0, ""),
    Placement("referral", "friend", "referral", "refer_a_friend", None, None, 0.35, 0, 0, ""),
    Placement("display", "criteo", "display", "retargeting", None, None, 1.0, 0.3, 0.002, "EUR"),
)
CHANNEL_OF_PLACEMENT = np.array([CHANNELS.index(p.channel) for p in PLACEMENTS], dtype=np.int64)
RECOVERY_PLACEMENT = next(i for i, p in enumerate(PLACEMENTS) if p.campaign == "cart_recovery")
FRIEND_PLACEMENT = next(i for i, p in enumerate(PLACEMENTS) if p.campaign == "refer_a_friend")
PAID_PLACEMENTS = tuple(i for i, p in enumerate(PLACEMENTS) if p.cost_per_click > 0)


class Country(NamedTuple):
    """A market: its share of people, its language, its order currency, and some places."""

    code: str
    share: float
    language: str
    currency: str
    places: tuple[tuple[str, str, str], ...]  # region, city, postcode


COUNTRIES: tuple[Country, ...] = (
    Country("FR", 0.62, "fr", "EUR", (
        ("Île-de-France", "Paris", "75011"), ("Auvergne-Rhône-Alpes", "Lyon", "69003"),
        ("Nouvelle-Aquitaine", "Bordeaux", "33000"), ("Bretagne", "Rennes", "35000"),
        ("Occitanie", "Toulouse", "31000"), ("Grand Est", "Strasbourg", "67000"))),
    Country("BE", 0.12, "fr", "EUR", (
        ("Bruxelles", "Bruxelles", "1000"), ("Liège", "Liège", "4000"))),
    Country("DE", 0.14, "de", "EUR", (
        ("Berlin", "Berlin", "10115"), ("Bayern", "München", "80331"))),
    Country("CH", 0.12, "fr", "CHF", (("Genève", "Genève", "1201"), ("Vaud", "Lausanne", "1003"))),
)  # fmt: skip
CHF = next(i for i, c in enumerate(COUNTRIES) if c.currency == "CHF")

DEVICES = ("mobile", "desktop", "tablet")
# Browsers by device: a phone has no Edge, a tablet has no Firefox.
BROWSERS = ("chrome", "safari", "firefox", "edge", "samsung")
BROWSER_SHARES = ((0.52, 0.36, 0.03, 0.0, 0.09), (0.58, 0.14, 0.13, 0.15, 0.0),
                  (0.40, 0.60, 0.0, 0.0, 0.0))  # fmt: skip


class Streams:
    """Independent random generators by name and block, all from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def get(self, name: str, block: int = 0) -> np.random.Generator:
        """A generator that depends on nothing but the seed, the name and the block number."""
        key = (zlib.crc32(name.encode()), block)
        return np.random.Generator(
            np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key))
        )


@dataclass(frozen=True)
class Shop:
    """The size and the dates of one run. Times are milliseconds since 1970, UTC."""

    seed: int
    events: int
    tracking_start: int

    @property
    def orders_start(self) -> int:
        """The shop sells for three years, or for as long as it is tracked."""
        return min(ORDERS_START, self.tracking_start)

    @property
    def tracking_days(self) -> int:
        """Complete days with web tracking."""
        return (LAST_DAY_END - self.tracking_start) // DAY

    @property
    def sessions(self) -> int:
        """Human sessions to plan."""
        return max(50, int(self.events * (1 - BOT_EVENT_SHARE) / EVENTS_PER_SESSION))

    def window(self, wanted: tuple[int, int], position: float) -> tuple[int, int]:
        """`wanted` where tracking covers it, else as long (or a third) from `position` (0-1) on."""
        if wanted[0] >= self.tracking_start:
            return wanted
        length = min((wanted[1] - wanted[0]) // DAY, max(1, self.tracking_days // 3))
        start = self.tracking_start + int(self.tracking_days * position) * DAY
        return start, start + length * DAY


def draw(
    rng: np.random.Generator, weights: Floats | tuple[float, ...] | list[float], size: int
) -> Ints:
    """`size` indices with probabilities proportional to `weights`."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    picked = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    index: Ints = np.minimum(picked, len(cumulative) - 1).astype(np.int64)
    return index


def placements_for(rng: np.random.Generator, channels: Ints) -> Ints:
    """A placement for each channel index, by the placements' weights."""
    result = np.zeros(len(channels), dtype=np.int64)
    for channel, name in enumerate(CHANNELS):
        rows = np.flatnonzero(channels == channel)
        options = [i for i, p in enumerate(PLACEMENTS) if p.channel == name]
        picked = draw(rng, [PLACEMENTS[i].weight for i in options], len(rows))
        result[rows] = np.array(options)[picked]
    return result


def channel_weights(kind: str) -> list[float]:
    """The channels' weights for `visitor_share`, `buyer_share` or `returning_share`."""
    return [float(getattr(QUALITY[name], kind)) for name in CHANNELS]

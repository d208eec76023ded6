"""When people come and buy: week days, hours, Christmas, Black Friday, sales, growth."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from seeds.simulator.config import DAY, HOUR, Floats, Ints, day_number

# Monday first. Sunday evening and Monday are the strongest days of a home shop.
WEEKDAY = (1.08, 0.98, 0.97, 0.98, 0.95, 0.92, 1.12)
HOURS = (
    0.25, 0.14, 0.09, 0.07, 0.08, 0.16, 0.38, 0.62, 0.85, 1.05, 1.2, 1.3,
    1.35, 1.25, 1.15, 1.12, 1.15, 1.25, 1.5, 1.85, 2.05, 1.9, 1.3, 0.65,
)  # fmt: skip
YEARLY_GROWTH = 0.02  # of new customers and visits; orders grow faster, by repeat customers

NO_SALE, BLACK_FRIDAY, WINTER_SALE, SUMMER_SALE = 0, 1, 2, 3


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)


def sale_of(day: date) -> int:
    """The sale that runs on a day, or NO_SALE."""
    friday = black_friday(day.year)
    if friday - timedelta(days=4) <= day <= friday + timedelta(days=3):
        return BLACK_FRIDAY
    if (1, 8) <= (day.month, day.day) <= (2, 4):
        return WINTER_SALE
    if (6, 25) <= (day.month, day.day) <= (7, 20):
        return SUMMER_SALE
    return NO_SALE


def demand_of(day: date) -> float:
    """Demand of a day relative to an ordinary one, without growth."""
    level = WEEKDAY[day.weekday()]
    level *= {NO_SALE: 1.0, BLACK_FRIDAY: 2.1, WINTER_SALE: 1.2, SUMMER_SALE: 1.18}[sale_of(day)]
    if day.month == 12:
        level *= 1.55 if day.day <= 20 else 0.8
    if day.month == 11 and sale_of(day) == NO_SALE:
        level *= 1.15
    if day.month == 8:
        level *= 0.8
    return level


class Season:
    """Demand over a period at hourly steps, for drawing times and for warping durations."""

    def __init__(self, start: int, end: int, growth: float = YEARLY_GROWTH) -> None:
        """`start` and `end` in ms, whole hours; `growth` per year, 0 for none."""
        hours = np.arange(start, end + HOUR, HOUR, dtype=np.int64)
        first = start // DAY
        levels = []
        for number in range(first, (end - 1) // DAY + 1):
            day = date(1970, 1, 1) + timedelta(days=int(number))
            levels.append(demand_of(day) * (1 + growth) ** ((number - first) / 365.25))
        hour_of_day = np.array(HOURS) / np.mean(HOURS)
        demand = np.array(levels)[hours[:-1] // DAY - first] * hour_of_day[hours[:-1] % DAY // HOUR]
        self.edges: Floats = hours.astype(np.float64)
        self.cumulative: Floats = np.concatenate(([0.0], np.cumsum(demand))) / 24

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """`size` times in ms, on whole seconds, with the density of the demand."""
        return self.at(rng.random(size) * self.cumulative[-1])

    def operational(self, times: Ints) -> Floats:
        """Days of ordinary demand elapsed from the start to each time."""
        return np.interp(times, self.edges, self.cumulative)

    def at(self, operational: Floats) -> Ints:
        """The inverse of `operational`, on whole seconds; past the end it stays at the end."""
        times = np.interp(operational, self.cumulative, self.edges)
        return (times // 1000).astype(np.int64) * 1000


def sales_by_day(days: Ints) -> Ints:
    """The sale of each day number (days since 1970)."""
    first, last = int(days.min()), int(days.max())
    table = [sale_of(date(1970, 1, 1) + timedelta(days=n)) for n in range(first, last + 1)]
    return np.array(table, dtype=np.int64)[days - first]


def years_since(days: Ints, origin: date) -> Floats:
    """Years from `origin` to each day number."""
    return (days - day_number(origin)) / 365.25

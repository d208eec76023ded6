"""Numbers and dates as a reader of English or French writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

NOTHING = "–"
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "JPY": "¥"}
MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "fr": [
        "janv.",
        "févr.",
        "mars",
        "avr.",
        "mai",
        "juin",
        "juil.",
        "août",
        "sept.",
        "oct.",
        "nov.",
        "déc.",
    ],
}
THIN_SPACE, NO_BREAK_SPACE = "\u202f", "\u00a0"


@dataclass(frozen=True)
class Formats:
    """How numbers are written: `language` is en or fr, `currency` an ISO code or ""."""

    language: str
    currency: str = ""

    def number(self, value: Any, decimals: int = 0) -> str:
        """12,345.6 or 12 345,6."""
        if is_missing(value):
            return NOTHING
        text = f"{float(value):,.{decimals}f}".replace("-", "\u2212")
        if float(text.replace(",", "").replace("\u2212", "-")) == 0:
            text = text.replace("\u2212", "")
        if self.language == "fr":
            text = text.translate(str.maketrans(",.", f"{THIN_SPACE},"))
        return text

    def percent(self, value: Any, decimals: int = 1) -> str:
        """Of a share: 12.3% or 12,3 %."""
        return (
            NOTHING
            if is_missing(value)
            else f"{self.number(float(value) * 100, decimals)}{self._gap}%"
        )

    def change(self, value: Any) -> str:
        """Of a ratio of change, with its sign."""
        if is_missing(value):
            return NOTHING
        return ("+" if float(value) > 0 else "") + self.percent(value)

    def money(self, value: Any, decimals: int | None = None) -> str:
        """€1,234 or 1 234 €; cents where there is less than a hundred."""
        if is_missing(value):
            return NOTHING
        if decimals is None:
            decimals = 2 if 0 < abs(float(value)) < 100 else 0
        text = self.number(value, decimals)
        symbol = SYMBOLS.get(self.currency, self.currency)
        if not symbol:
            return text
        if self.language == "fr":
            return f"{text}{NO_BREAK_SPACE}{symbol}"
        sign, digits = (text[0], text[1:]) if text[0] == "\u2212" else ("", text)
        return f"{sign}{symbol}{' ' if len(symbol) > 1 else ''}{digits}"

    def kpi(self, value: Any, unit: str) -> str:
        """A KPI's value in its unit (dim_kpis.unit)."""
        if is_missing(value):
            return NOTHING
        plain = {"count": 0, "ratio": 2, "points": 0, "stars": 2}
        if unit in plain:
            return self.number(value, plain[unit])
        if unit == "amount":
            return self.money(value)
        if unit == "share":
            return self.percent(value)
        if unit == "ms":
            return self.duration(float(value) / 1000)
        words = {
            "hours": ("h", "h"),
            "days": ("days", "jours"),
            "months": ("months", "mois"),
        }
        word = words.get(unit, ("", ""))[self.language == "fr"]
        return f"{self.number(value, 1)}{NO_BREAK_SPACE}{word}".strip()

    def duration(self, seconds: Any) -> str:
        """The largest unit that is at least one: 340 ms, 12 s, 5 min, 3 h, 2 d."""
        if is_missing(seconds):
            return NOTHING
        day = "j" if self.language == "fr" else "d"
        if float(seconds) == 0:
            return f"0{NO_BREAK_SPACE}s"
        for size, unit in ((86400, day), (3600, "h"), (60, "min"), (1, "s")):
            if float(seconds) >= size:
                return f"{self.number(float(seconds) / size, 1)}{NO_BREAK_SPACE}{unit}"
        return f"{self.number(float(seconds) * 1000)}{NO_BREAK_SPACE}ms"

    def delta(self, text: str) -> str:
        """A change for st.metric, which sees by a plain hyphen that it is one downwards."""
        return text.replace("\u2212", "-", 1)

    def day(self, value: Any) -> str:
        """30 Jun 2026 or 30 juin 2026."""
        if is_missing(value):
            return NOTHING
        return f"{value.day} {MONTHS[self.language][value.month - 1]} {value.year}"

    def period(self, start: date, period: str) -> str:
        """What a period is called by its first day."""
        if period == "month":
            return f"{MONTHS[self.language][start.month - 1]} {start.year}"
        if period == "quarter":
            return f"{'T' if self.language == 'fr' else 'Q'}{(start.month + 2) // 3} {start.year}"
        if period == "week":
            year, week, _ = start.isocalendar()
            return f"{'S' if self.language == 'fr' else 'W'}{week} {year}"
        return self.day(start)

    @property
    def _gap(self) -> str:
        return NO_BREAK_SPACE if self.language == "fr" else ""


def is_missing(value: Any) -> bool:
    """None, NaN or NaT."""
    return bool(pd.isna(value))

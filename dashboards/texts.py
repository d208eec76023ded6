"""The app's own words, in English and French: messages.csv.

Names of KPIs, channels, segments and the like, and every definition, come from the marts.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MESSAGES = Path(__file__).parent / "messages.csv"
LANGUAGES = {"en": "English", "fr": "Français"}


@dataclass(frozen=True)
class Texts:
    """Messages of one language; calling it with a key gives the text."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """The message of a key, its {names} filled in; KeyError for a key that is not there."""
        return messages()[key][self.language].format(**values)

    def code(self, code: str) -> str:
        """A value of the marts that they have no name for, in words; unknown ones as they are."""
        message = messages().get(f"code.{code}")
        if message:
            return message[self.language]
        return code.replace("_", " ") if code.islower() else code


@cache
def messages() -> dict[str, dict[str, str]]:
    """Each message by key and language."""
    with MESSAGES.open(encoding="utf-8", newline="") as stream:
        return {
            row.pop("key"): {name: text.replace("\\n", "\n") for name, text in row.items()}
            for row in csv.DictReader(stream)
        }

"""Choices that hold across pages and live in the URL, as codes that no language changes.

`Choices` keeps what was chosen; the URL is written after every run, and read when somebody opens or
edits one. A page's own choices are in the URL while that page is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboards.texts import Texts

# A code that a row may lack: NULL in the marts.
UNKNOWN = "unknown"
PERIODS = {"28d": 28, "90d": 90, "365d": 365, "all": 0, "custom": 0}
DEFAULT_PERIOD = "90d"
PARTS = ("channel", "device", "country")


@dataclass(frozen=True)
class Filters:
    """What the reader asked for: days from and to, both included, and codes by part."""

    first_date: date
    last_date: date
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def days(self) -> int:
        """How many days there are."""
        return (self.last_date - self.first_date).days + 1

    def before(self) -> Filters:
        """The same for as many days before."""
        last_date = self.first_date - timedelta(days=1)
        return Filters(last_date - timedelta(days=self.days - 1), last_date, self.parts)

    def of(self, part: str) -> tuple[str, ...]:
        """The chosen codes of a part; none is all of them."""
        return self.parts.get(part, ())

    def condition(self, date_column: str = "", **columns: str) -> tuple[str, dict[str, Any]]:
        """SQL that holds for the chosen rows, with its parameters.

        `columns` maps a part to its column; what is not named does not filter.
        """
        clauses, parameters = ["true"], dict[str, Any]()
        if date_column:
            clauses.append(f"{date_column} between $first_date and $last_date")
            parameters |= {"first_date": self.first_date, "last_date": self.last_date}
        for part, column in columns.items():
            if self.of(part):
                clauses.append(f"list_contains($chosen_{part}, coalesce({column}, '{UNKNOWN}'))")
                parameters[f"chosen_{part}"] = list(self.of(part))
        return " and ".join(clauses), parameters


class Choices:
    """Widgets whose values are kept by their codes, in this session and in the URL."""

    def __init__(self) -> None:
        self._kept: dict[str, list[str]] = st.session_state.setdefault("_kept", {})
        self._shown: dict[str, list[str]] = {}
        self._read_url()

    def _read_url(self) -> None:
        asked = {key: st.query_params.get_all(key) for key in st.query_params}
        if asked and asked != st.session_state.get("_written"):
            self._kept.clear()
            self._kept.update(asked)

    def write_url(self) -> None:
        """Make the URL say what this run has shown."""
        if {key: st.query_params.get_all(key) for key in st.query_params} != self._shown:
            st.query_params.from_dict(self._shown)
        st.session_state["_written"] = self._shown

    def always(self, key: str, code: str) -> None:
        """Say a choice in the URL even where it is the default: a URL is never empty then."""
        self._shown[key] = [code]

    def several(
        self,
        key: str,
        label: str,
        options: Sequence[str],
        name: Callable[[str], str],
        **options_of_widget: Any,
    ) -> tuple[str, ...]:
        """A choice of any number; none is all."""
        kept = [code for code in self._kept.get(key, []) if code in options]
        self._set(key, kept)
        st.multiselect(
            label,
            options,
            format_func=name,
            key=key,
            on_change=self._keep,
            args=(key,),
            **options_of_widget,
        )
        return self._show(key, kept, [])

    def one(
        self,
        key: str,
        label: str,
        options: Sequence[str],
        name: Callable[[str], str],
        default: str = "",
        widget: Callable[..., Any] | None = None,
        **options_of_widget: Any,
    ) -> str:
        """A choice of one; `default` is not written to the URL."""
        default = default if default in options else (options[0] if options else "")
        kept = [code for code in self._kept.get(key, []) if code in options][:1] or [default]
        self._set(key, kept[0] if options else None)
        (widget or st.selectbox)(
            label,
            options,
            format_func=name,
            key=key,
            on_change=self._keep,
            args=(key,),
            **options_of_widget,
        )
        return (*self._show(key, kept, [default]), "")[0]

    def text(self, key: str, label: str, **options_of_widget: Any) -> str:
        """A line of text."""
        kept = self._kept.get(key, [])[:1]
        self._set(key, kept[0] if kept else "")
        st.text_input(label, key=key, on_change=self._keep, args=(key,), **options_of_widget)
        return (*self._show(key, [value for value in kept if value], []), "")[0]

    def days(self, key: str, label: str, first: date, last: date) -> tuple[date, date]:
        """A range of days within two."""
        try:
            asked = [date.fromisoformat(value) for value in self._kept.get(key, [])]
        except ValueError:
            asked = []
        kept = [min(max(day, first), last) for day in sorted(asked)]
        if len(kept) != 2:
            kept = [max(first, last - timedelta(days=PERIODS[DEFAULT_PERIOD] - 1)), last]
        if len(st.session_state.get(key) or ()) != 1:  # half of a range is being chosen
            self._set(key, tuple(kept))
        st.date_input(
            label,
            min_value=first,
            max_value=last,
            format="YYYY-MM-DD",
            key=key,
            on_change=self._keep,
            args=(key,),
            label_visibility="collapsed",
        )
        self._shown[key] = [day.isoformat() for day in kept]
        return kept[0], kept[1]

    def _set(self, key: str, value: Any) -> None:
        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value

    def _show(self, key: str, kept: list[str], default: list[str]) -> tuple[str, ...]:
        if kept != default:
            self._shown[key] = kept
        return tuple(kept)

    def _keep(self, key: str) -> None:
        value = st.session_state[key]
        if value is None:  # a control of one that was clicked again
            return
        if isinstance(value, tuple):
            if len(value) == 2:
                self._kept[key] = [day.isoformat() for day in value]
        else:
            self._kept[key] = list(value) if isinstance(value, list) else [str(value)]


def filter_bar(
    choices: Choices,
    texts: Texts,
    options: dict[str, list[tuple[str, str]]],
    used: Sequence[str],
    known_days: tuple[date, date],
) -> Filters:
    """The bar above each page; what the page's numbers cannot be told by is greyed and kept."""
    first, last = known_days
    with st.container(key="filters"):
        columns = st.columns([1.15, 1.3, 1, 1, 1.2], gap="small", vertical_alignment="bottom")
    with columns[0]:
        period = choices.one(
            "period",
            texts("period"),
            list(PERIODS),
            lambda code: texts(f"period_{code}"),
            DEFAULT_PERIOD,
            disabled="date" not in used,
            help=None if "date" in used else texts("not_filtered"),
        )
        if period == "custom" and "date" in used:
            first_date, last_date = choices.days("days", texts("days"), first, last)
        else:
            days = PERIODS[period] or (last - first).days + 1
            first_date, last_date = max(first, last - timedelta(days=days - 1)), last
    parts = {}
    for column, part in zip(columns[1:], (*PARTS, "segment"), strict=True):
        names = dict(options.get(part, []))
        is_used = part in used
        with column:
            chosen = choices.several(
                part,
                texts(part),
                list(names),
                lambda code, names=names: names.get(code, code),  # type: ignore[misc]
                placeholder=texts(f"all_{part}"),
                disabled=not is_used or not names,
                help=None if is_used else texts("not_filtered"),
            )
        if is_used and chosen:
            parts[part] = chosen
    return Filters(first_date, last_date, parts)

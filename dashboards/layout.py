"""What every page is given, and the few blocks that pages are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts
from dashboards.data import labels
from dashboards.filters import UNKNOWN, Choices, Filters
from dashboards.formats import Formats, is_missing
from dashboards.published import Published
from dashboards.texts import Texts


class NothingToShow(Exception):
    """A page has no rows; the message says what to do."""


@dataclass(frozen=True)
class Context:
    """The published file, the reader's filters, and how the reader wants to be spoken to."""

    published: Published
    filters: Filters
    choices: Choices
    texts: Texts

    @cached_property
    def write(self) -> Formats:
        """How numbers are written."""
        return Formats(self.texts.language, labels.currency(self.published))

    def names(self, subject: str) -> dict[str, str]:
        """Names by code (dim_labels)."""
        return labels.names(self.published, subject, self.texts.language)

    def namer(self, subject: str = "") -> Callable[[Any], str]:
        """A function that names a code: by its subject, else by the app's own words."""
        known: Mapping[str, str] = self.names(subject) if subject else {}

        def name(code: Any) -> str:
            if is_missing(code) or code == UNKNOWN:
                return self.texts("unknown")
            return known.get(code) or self.texts.code(str(code))

        return name

    def own(self, rows: pd.DataFrame, column: str) -> pd.Series[Any]:
        """The column of the reader's language: kpi_name, or kpi_name_fr."""
        name = f"{column}_fr" if self.texts.language == "fr" else column
        return rows[name]

    def define(self, *columns: str) -> str:
        """What the dbt docs say of `mart` or `mart.column`, one a line."""
        lines = []
        for path in columns:
            mart, _, column = path.partition(".")
            said = self.published.definition(mart, column)
            lines.append(f"**{column or mart}** – {said}" if said else f"**{path}**")
        return "\n\n".join(escaped(line) for line in lines)

    def section(self, title: str, *columns: str) -> None:
        """A heading with its numbers' definitions one hover away."""
        st.subheader(self.texts(title), help=self.define(*columns) or None, anchor=False)

    def chart(self, chart: Any, alt_text: str, wide: str = "") -> None:
        """A chart, with words for those who do not see it.

        `wide` names one whose columns need room: it is scrolled sideways on a telephone.
        """
        specification = charts.in_language(chart, self.texts.language)
        with st.container(key=f"wide_{wide}") if wide else nullcontext():
            st.vega_lite_chart(spec=specification, theme=None, width="stretch", alt=alt_text)

    def table(
        self, mart: str, rows: pd.DataFrame, headings: Mapping[str, str], **options: Any
    ) -> None:
        """A table whose headings carry the definitions of the mart's columns."""
        config = {
            column: st.column_config.Column(
                heading, help=escaped(self.published.definition(mart, column)) or None
            )
            for column, heading in headings.items()
        }
        st.dataframe(
            rows[list(headings)],
            column_config=config,
            hide_index=True,
            width="stretch",
            **options,
        )

    def download(
        self,
        rows: pd.DataFrame,
        name: str,
        count: int | None = None,
        more: Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        """A button that gives the rows as CSV; `more` gives all `count` of them when asked."""
        as_of_date = self.published.manifest.get("as_of_date") or ""
        st.download_button(
            self.texts("download", count=self.write.number(count or len(rows))),
            data=lambda: (more() if more else rows).to_csv(index=False).encode("utf-8"),
            file_name=f"{name}_{as_of_date}.csv".replace("_.", "."),
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"download_{name}",
        )

    def need(self, rows: pd.DataFrame, message: str = "no_rows") -> pd.DataFrame:
        """The rows; a page without any says what to do instead."""
        if rows.empty:
            raise NothingToShow(self.texts(message))
        return rows

    def tiles(self, tiles: Sequence[tuple[str, str, str] | None]) -> None:
        """Numbers in a row: label, value, and its definition on hover; None is an empty place."""
        for column, tile in zip(st.columns(len(tiles), gap="small"), tiles, strict=True):
            if tile:
                label, value, definition = tile
                column.metric(label, value, help=definition or None, border=True, height="stretch")


def escaped(text: str) -> str:
    """Text of the dbt docs as Streamlit's Markdown shows it: no formulas, no links."""
    return text.replace("$", r"\$").replace("[", r"\[").replace("~", r"\~")


def tip(column: str, title: str = " ") -> alt.Tooltip:
    """A tooltip's line of a text column."""
    return alt.Tooltip(f"{column}:N", title=title)

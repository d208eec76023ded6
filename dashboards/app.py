"""The app: finds the published file, draws the frame, runs a page. `make dashboard` starts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import streamlit as st

from dashboards.data import labels
from dashboards.data import quality as quality_data
from dashboards.filters import Choices, filter_bar
from dashboards.formats import NOTHING, Formats
from dashboards.layout import Context, NothingToShow
from dashboards.published import (
    Published,
    Replaced,
    Unpublished,
    identity_of,
    manifest_path,
    open_published,
    published_path,
)
from dashboards.texts import LANGUAGES, Texts
from dashboards.views import (
    acquisition,
    carts,
    cohorts,
    customers,
    experiments,
    funnel,
    opportunities,
    overview,
    products,
    quality,
)

# url_path, icon, page, and the filters that its numbers can be told by.
PARTS = ("channel", "device", "country")
PAGES: dict[str, tuple[str, Callable[[Context], None], tuple[str, ...]]] = {
    "overview": (":material/monitoring:", overview.show, ("date", *PARTS)),
    "funnel": (":material/filter_alt:", funnel.show, ("date", *PARTS)),
    "carts": (":material/shopping_cart:", carts.show, ("date", *PARTS)),
    "acquisition": (":material/campaign:", acquisition.show, ("date", "channel")),
    "customers": (":material/group:", customers.show, ("channel", "country", "segment")),
    "cohorts": (":material/grid_on:", cohorts.show, ("date", "channel")),
    "opportunities": (
        ":material/lightbulb:",
        opportunities.show,
        ("channel", "country", "segment"),
    ),
    "products": (":material/category:", products.show, ()),
    "experiments": (":material/science:", experiments.show, ()),
    "quality": (":material/fact_check:", quality.show, ()),
}
FOLLOW_SECONDS = 2
ICON = Path(__file__).parent / "icon.svg"
STYLE = Path(__file__).parent / "style.css"


def main() -> None:
    """One run of the app: a reader came, chose something, or a build was published."""
    st.set_page_config(page_title="Cartwright", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    choices = Choices()
    path = published_path()
    with st.sidebar:
        header, navigation, footer = st.container(), st.container(), st.container()
    with footer:
        language = choices.one(
            "lang",
            "Language / Langue",
            list(LANGUAGES),
            lambda code: LANGUAGES[code],
            default="en",
            widget=partial(st.segmented_control, required=True),
            label_visibility="collapsed",
        )
        _follow(path, _identities(path))
    texts = Texts(language)
    with header:
        st.markdown("### Cartwright")
    # Pages are a choice like the others. Streamlit's own (st.Page) have paths of their own, under
    # which a browser that opens one first asks for files that are not there.
    with navigation:
        page = choices.one(
            "page",
            texts("pages"),
            list(PAGES),
            lambda code: f"{PAGES[code][0]} {texts(f'page_{code}')}",
            default="overview",
            widget=st.radio,
            label_visibility="collapsed",
        )
    choices.always("page", page)
    choices.always("lang", language)
    with st.container(key=f"page_{page}"):
        _show(page, choices, texts)
    choices.write_url()


def _show(name: str, choices: Choices, texts: Texts) -> None:
    """A page, or what to do where there is none."""
    _, show, used = PAGES[name]
    st.title(texts(f"page_{name}"), anchor=False)
    st.caption(texts(f"about_{name}"))
    try:
        published = open_published(published_path())
        _stamp(published, texts)
        days = labels.days(published)
        first, last = map(date.fromisoformat, days or ("2000-01-01", "2000-01-01"))
        filters = filter_bar(
            choices, texts, _options(published, texts), used if days else (), (first, last)
        )
        if not days and name != "quality":
            has_orders = quality_data.has_kept_rows(published)
            raise NothingToShow(texts("day_not_over" if has_orders else "nothing_known"))
        context = Context(published, filters, choices, texts)
        show(context)
    except NothingToShow as empty:
        st.info(str(empty), icon=":material/info:")
    except Unpublished as missing:
        st.warning(texts("unpublished", path=str(missing)), icon=":material/database_off:")
    except Replaced:
        st.rerun()
    except (duckdb.CatalogException, duckdb.BinderException):
        st.error(texts("older_file"), icon=":material/history:")
    except duckdb.Error as error:
        st.error(texts("unreadable", reason=str(error).splitlines()[0]), icon=":material/error:")


def _options(published: Published, texts: Texts) -> dict[str, list[tuple[str, str]]]:
    """The codes of each filter with their names."""
    codes = labels.part_codes(published)
    return {
        "channel": list(labels.names(published, "channel", texts.language).items()),
        "segment": list(labels.names(published, "rfm_segment", texts.language).items()),
        **{part: [(code, texts.code(code)) for code in codes[part]] for part in codes},
    }


def _stamp(published: Published, texts: Texts) -> None:
    """Which build the reader sees."""
    manifest = published.manifest
    if manifest:
        st.sidebar.caption(
            texts(
                "stamp",
                as_of_date=Formats(texts.language).day(pd.Timestamp(manifest["as_of_date"]))
                if manifest.get("as_of_date")
                else NOTHING,
                build=str(manifest.get("build_id", ""))[:15],
            )
        )


def _identities(path: Path) -> tuple[Any, ...]:
    return identity_of(path), identity_of(manifest_path(path))


@st.fragment(run_every=FOLLOW_SECONDS)
def _follow(path: Path, seen: tuple[Any, ...]) -> None:
    """Begin again when another build is published."""
    if _identities(path) != seen:
        st.rerun(scope="app")


if __name__ == "__main__":
    main()

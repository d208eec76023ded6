"""Every page of the dashboard says what it should, in both languages, whatever is chosen."""

from __future__ import annotations

import csv
import json
import re
import shutil
import string
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dashboard.app_runs import PAGES, faults, run_page, tiles
from shops import PROJECT
from warehouses import Dbt

from dashboards.filters import Filters
from dashboards.formats import NOTHING, Formats
from dashboards.published import open_published
from dashboards.texts import MESSAGES

SOURCES = sorted(
    path for path in (PROJECT / "dashboards").rglob("*.py") if path.parent.name != "superset"
)
MARTS = r"(?:dim|fct|agg)_\w+"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("page", PAGES)
def test_page_opens_with_a_title_and_without_faults(
    demo_folder: Path, page: str, language: str
) -> None:
    """A page that breaks in one language breaks for half of the readers."""
    app = run_page(demo_folder, page, lang=language)
    assert not faults(app)
    assert app.title[0].value == _messages()[f"page_{page}"][language]
    assert not app.warning


@pytest.mark.parametrize("page", PAGES)
def test_filters_hold_on_pages_that_do_not_use_them(demo_folder: Path, page: str) -> None:
    """A reader who passes by a page without channels finds the chosen one on the next."""
    chosen = {
        "channel": ["paid_search", "email"],
        "device": "mobile",
        "country": "FR",
        "segment": "loyal",
        "period": "365d",
    }
    app = run_page(demo_folder, page, **chosen)  # type: ignore[arg-type]
    assert not faults(app)
    for key, value in chosen.items():
        assert app.query_params[key] in (value, [value]), key
        assert [widget.value for widget in (*app.multiselect, *app.selectbox) if widget.key == key]


def test_filter_changes_the_numbers_and_the_url(demo_folder: Path) -> None:
    """What is chosen in a widget is in the URL, by codes that no language changes."""
    from dashboard.app_runs import run

    app = run_page(demo_folder, "carts", lang="fr")
    whole = tiles(app)["Paniers"]
    app.multiselect(key="device").set_value(["mobile"])
    run(app, demo_folder)
    assert app.query_params["device"] in ("mobile", ["mobile"])
    assert tiles(app)["Paniers"] != whole
    again = run_page(demo_folder, "carts", lang="en", device="mobile")
    assert tiles(again)["Carts"] == tiles(app)["Paniers"].replace("\u202f", ",")


def test_opportunities_are_told_in_the_readers_language(demo_folder: Path) -> None:
    """Whoever writes to a customer in French reads why in French."""
    for language, column in (("en", "evidence"), ("fr", "evidence_fr")):
        app = run_page(demo_folder, "opportunities", lang=language, kind="second_order")
        shown = app.dataframe[-1].value
        expected = open_published(demo_folder / "marts.duckdb").query(
            f"select customer_id, {column} from fct_customer_opportunities"
            " where kind = 'second_order'"
        )
        told = dict(zip(shown["customer_id"], shown["evidence"], strict=True))
        assert told == dict(zip(expected["customer_id"], expected[column], strict=True))


def test_unknown_choices_in_a_url_are_passed_over(demo_folder: Path) -> None:
    """An old bookmark opens the page, without what is no longer there."""
    app = run_page(
        demo_folder, "funnel", lang="xx", channel="fax", funnel="gone", period="1d", split="moon"
    )
    assert not faults(app)
    assert tiles(app) == tiles(run_page(demo_folder, "funnel"))


def test_chosen_days_are_read_from_the_url(demo_folder: Path) -> None:
    """A link to some days shows these days, for as long as the link is kept."""
    days = ["2026-03-01", "2026-04-30"]
    app = run_page(demo_folder, "carts", period="custom", days=days)
    assert not faults(app)
    sums = open_published(demo_folder / "marts.duckdb").query(
        "select sum(cart_count)::bigint as carts from agg_cart_abandonment_daily"
        " where cart_date between '2026-03-01' and '2026-04-30'"
    )
    assert tiles(app)["Carts"] == Formats("en").number(sums["carts"].iloc[0])
    assert app.query_params["days"] == days


@pytest.mark.parametrize(
    ("page", "choices"),
    [
        ("overview", {"channel": "email", "kpi": "visitors"}),
        ("overview", {"channel": "email", "device": "mobile", "by": "week"}),
        ("funnel", {"funnel": "lead_to_customer", "split": "channel", "by": "month"}),
        ("funnel", {"funnel": "checkout", "split": "visitor", "period": "all"}),
        ("funnel", {"funnel": "repeat_purchase", "period": "28d"}),
        ("cohorts", {"measure": "repeat_rate", "cohorts": "first_category"}),
        ("cohorts", {"measure": "cumulative_margin_amount_per_customer"}),
        ("cohorts", {"channel": "email", "period": "all"}),
        ("customers", {"segment": "prospects"}),
        ("customers", {"customer": "C00875"}),
        ("customers", {"customer": "nobody's"}),
        ("opportunities", {"kind": ["upsell", "second_order"]}),
        ("products", {"basis": "sessions"}),
        ("experiments", {"experiment": "exp_home_banner"}),
    ],
)  # fmt: skip
def test_choices_of_a_page_have_no_faults(
    demo_folder: Path, page: str, choices: dict[str, str | list[str]]
) -> None:
    """Every way of asking is answered, if only by what to do instead."""
    app = run_page(demo_folder, page, lang="fr", **choices)
    assert not faults(app)


def _messages() -> dict[str, dict[str, str]]:
    with MESSAGES.open(encoding="utf-8", newline="") as stream:
        return {row.pop("key"): row for row in csv.DictReader(stream)}


def test_messages_have_both_languages_with_the_same_blanks() -> None:
    """A blank that one language lacks is an error on the page, and only there."""
    for key, texts in _messages().items():
        blanks = {
            language: {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for language, text in texts.items()
        }
        assert all(text.strip() for text in texts.values()), key
        assert blanks["en"] == blanks["fr"], key


def test_messages_are_those_that_pages_use() -> None:
    """A message that nothing shows is translated for nobody."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    quoted = set(re.findall(r"[\"']([^\"'\n]+)[\"']", code))
    patterns = [
        re.compile(re.sub(r"\\\{.*?\\\}", r"\\w+", re.escape(text)))
        for text in quoted
        if "{" in text and re.fullmatch(r"[\w{}]+", text)
    ]
    for key in _messages():
        is_used = key in quoted or any(pattern.fullmatch(key) for pattern in patterns)
        assert is_used or key.startswith("code."), key


def test_every_definition_is_in_the_published_file(demo_folder: Path) -> None:
    """A number whose definition is gone would be explained by its own name."""
    published = open_published(demo_folder / "marts.duckdb")
    known = {"": ""}
    for path in SOURCES:
        code = path.read_text(encoding="utf-8")
        names = dict(re.findall(rf'^([A-Z_]+) = "({MARTS})"$', code, flags=re.MULTILINE))
        code = re.sub(r"\{([A-Z_]+)\}", lambda match, n=names: n.get(match[1], "{}"), code)  # type: ignore[misc]
        for mart, column in re.findall(rf'"({MARTS})(?:\.(\w+))?"', code):
            known[f"{mart}.{column}"] = published.definition(mart, column)
    assert len(known) > 60
    assert not [name for name, definition in known.items() if name and not definition]


def test_definitions_are_shown_as_they_are_published(demo_folder: Path) -> None:
    """The text on hover is the dbt docs' own: it is written once."""
    app = run_page(demo_folder, "carts")
    helps = {tile.label: tile.proto.help for tile in app.metric}
    published = open_published(demo_folder / "marts.duckdb")
    definition = published.definition("agg_cart_abandonment_daily", "abandonment_rate")
    assert definition
    assert definition.split(";")[0] in helps["Abandonment"]


def test_months_that_are_not_over_are_marked(demo_folder: Path, tmp_path: Path) -> None:
    """A cohort's last month is small because it has just begun, which nobody must take for news."""
    for name in ("marts.duckdb", "manifest.json"):
        shutil.copy(demo_folder / name, tmp_path)
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as connection:
        connection.execute(
            "update agg_cohort_retention set is_mature = false, retention_rate = null"
            " where month_start_date = '2026-06-01'"
        )
    app = run_page(tmp_path, "cohorts", lang="en")
    assert not faults(app)
    triangle = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    marked = [layer for layer in triangle["layer"] if _filters(layer) == ["datum['is_immature']"]]
    assert [layer["mark"]["type"] for layer in marked] == ["rect", "text"]
    shown = [layer for layer in triangle["layer"] if layer not in marked]
    assert all("!datum['is_immature']" in _filters(layer)[0] for layer in shown)


def _filters(layer: dict[str, Any]) -> list[str]:
    return [step["filter"] for step in layer.get("transform", ())]


def test_days_before_are_as_many() -> None:
    """A period is compared with one of the same length, which ends the day before it begins."""
    filters = Filters(date(2026, 3, 1), date(2026, 3, 31), {"channel": ("email",)})
    before = filters.before()
    assert (before.first_date, before.last_date) == (date(2026, 1, 29), date(2026, 2, 28))
    assert before.days == filters.days
    assert before.parts == filters.parts


def test_numbers_are_written_as_the_language_does() -> None:
    """1,234.5 in French is another number."""
    english, french = Formats("en", "EUR"), Formats("fr", "EUR")
    assert english.number(-1234.56, 1) == "\u22121,234.6"
    assert french.number(-1234.56, 1) == "\u22121\u202f234,6"
    assert english.number(-0.01, 1) == "0.0"
    assert (english.money(-5), french.money(1234)) == ("\u2212€5.00", "1\u202f234\u00a0€")
    assert Formats("en", "SEK").money(7, 0) == "SEK 7"
    assert (english.percent(0.1234), french.percent(0.1234)) == ("12.3%", "12,3\u00a0%")
    assert english.change(0.05) == "+5.0%"
    assert english.delta(english.change(-0.05)) == "-5.0%"
    assert english.duration(90) == "1.5\u00a0min"
    assert french.duration(172800) == "2,0\u00a0j"
    assert (english.day(date(2026, 2, 1)), french.day(date(2026, 2, 1))) == (
        "1 Feb 2026",
        "1 févr. 2026",
    )
    assert english.period(date(2026, 4, 1), "quarter") == "Q2 2026"
    assert french.period(date(2026, 1, 1), "week") == "S1 2026"
    for nothing in (None, float("nan")):
        assert (
            english.number(nothing) == english.money(nothing) == french.percent(nothing) == NOTHING
        )


def test_exposures_tell_which_marts_pages_read(dbt: Dbt) -> None:
    """One a page, of marts alone, and together all that the queries of the dashboard read."""
    manifest = dbt.parse()
    exposures = {
        exposure.name: exposure
        for exposure in manifest.exposures.values()
        if exposure.name.startswith("dashboard_")
    }
    assert exposures.keys() == {f"dashboard_{page}" for page in PAGES}
    told = {name for exposure in exposures.values() for name in exposure.depends_on.nodes}
    nodes = [manifest.nodes[name] for name in told]
    assert all(node.fqn[1] == "marts" for node in nodes)
    code = "".join(path.read_text() for path in (PROJECT / "dashboards" / "data").glob("*.py"))
    read = set(re.findall(r"\b(?:from|join) ((?:agg|dim|fct)_\w+)", code))
    names = {node.name for node in nodes}
    assert read <= names
    assert all(name in code for name in names)

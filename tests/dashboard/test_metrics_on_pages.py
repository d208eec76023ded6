"""A number on a page is that of the mart, and what `mf query` says: thirty are drawn.

Some are what a page's query gives, some the text of a tile. MetricFlow is asked with the days and
filters of the page; it knows the metric's definition, not the page's query.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dashboard.app_runs import run_page, tiles
from metric_flow import answer, of_part, on_days

from dashboards.data import acquisition, carts, funnels, kpis
from dashboards.filters import Filters
from dashboards.formats import Formats
from dashboards.published import Published, open_published

SEED, DRAWS = 7, 30
FIRST, LAST = date(2025, 12, 15), date(2026, 6, 30)  # days with sessions in the demo shop
CHANNELS = ("paid_search", "email", "direct", "organic_search", "paid_social")
DEVICES, COUNTRIES = ("desktop", "mobile", "tablet"), ("FR", "BE", "CH", "DE")
FUNNELS = ("journey", "session_purchase", "checkout", "new_visitor_first_order")
# KPIs of days of the Overview that are told by channel, device and country.
KPIS_OF_PARTS = (
    "aov", "cart_abandonment_rate", "carts", "checkout_rate", "margin_rate", "net_revenue",
    "net_revenue_after_refunds", "new_visitors", "orders", "page_load_ms", "repeat_order_rate",
    "session_conversion_rate", "sessions", "units_per_order",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A number of a page, and the two questions whose answer it must be.

    `shown` is a value, or a tile's text, which then is the answer as the page writes one of `unit`.
    `key` is the answer's place among MetricFlow's groups.
    """

    shown: Any
    unit: str
    mart: str
    metric: str
    where: tuple[str, ...]
    groups: tuple[str, ...] = ()
    key: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Shop:
    """Where numbers are: as pages read them, in the work file, and in the semantic layer."""

    folder: Path
    warehouse: duckdb.DuckDBPyConnection
    metric_flow: Any
    is_by_month: dict[str, bool]

    @property
    def published(self) -> Published:
        """What pages read."""
        return open_published(self.folder / "marts.duckdb")

    def metrics_of(self, period: str) -> set[str]:
        """KPIs that a metric tells by a period: months do not add up to quarters (decision 23)."""
        return {
            kpi
            for kpi, is_by_month in self.is_by_month.items()
            if period == "month" or not is_by_month
        }


@pytest.fixture(scope="module")
def shop(demo: duckdb.DuckDBPyConnection, demo_folder: Path, metric_flow: Any) -> Shop:
    """The demo shop."""
    metrics = {metric.name for metric in metric_flow.list_metrics()}
    rows = demo.execute("select kpi, shortest_period = 'month' from raw.ref_kpis").fetchall()
    known = {kpi: is_by_month for kpi, is_by_month in rows if kpi in metrics}
    return Shop(demo_folder, demo, metric_flow, known)


def some_days(draw: random.Random, fewest: int = 14) -> Filters:
    """Days of the half year that has web events."""
    first = FIRST + timedelta(days=draw.randrange(90))
    return Filters(first, min(first + timedelta(days=draw.randrange(fewest, 100)), LAST))


def with_parts(draw: random.Random, filters: Filters, *parts: str) -> Filters:
    """The same days of one or two codes of some parts."""
    codes = {"channel": CHANNELS, "device": DEVICES, "country": COUNTRIES}
    chosen = {part: tuple(draw.sample(codes[part], draw.randrange(1, 3))) for part in parts}
    return Filters(filters.first_date, filters.last_date, chosen)


def asked_of(filters: Filters) -> tuple[str, ...]:
    """The filters of a page as MetricFlow's."""
    days = on_days(filters.first_date, filters.last_date)
    return (days, *(of_part(part, codes) for part, codes in filters.parts.items()))


def within(filters: Filters, day: str) -> str:
    """The same on a mart."""
    clauses = [f"{day} >= '{filters.first_date}' and {day} <= '{filters.last_date}'"]
    clauses += [f"{part} in ({', '.join(map(repr, of))})" for part, of in filters.parts.items()]
    return " and ".join(clauses)


def a_score(shop: Shop, draw: random.Random) -> Asked:
    """A line of the Overview's scorecard."""
    period = draw.choice(["week", "month", "quarter"])
    rows = kpis.scorecard(shop.published, period, LAST - timedelta(days=draw.randrange(200)))
    rows = rows[rows["kpi"].isin(shop.metrics_of(period)) & (rows["kpi_value"].fillna(0) != 0)]
    return score_asked(draw.choice(list(rows.itertuples())), period)


def a_period_of_a_kpi(shop: Shop, draw: random.Random) -> Asked:
    """A point of the line that the Overview draws of a KPI."""
    period = draw.choice(["week", "month", "quarter"])
    kpi = draw.choice(sorted(shop.metrics_of(period)))
    rows = kpis.kpi_periods(shop.published, kpi, period, LAST, 12)
    unit = kpis.definitions(shop.published).set_index("kpi").loc[kpi, "unit"]
    rows = rows[rows["kpi_value"].notna()].assign(kpi=kpi, unit=unit)
    return score_asked(draw.choice(list(rows.itertuples())), period)


def score_asked(row: Any, period: str) -> Asked:
    """One value of fct_kpi_scorecard."""
    start = row.period_start_date.date()
    return Asked(
        row.kpi_value,
        row.unit,
        f"select kpi_value from fct_kpi_scorecard where kpi = '{row.kpi}'"
        f" and period = '{period}' and period_start_date = '{start}'",
        row.kpi,
        (),
        (f"metric_time__{period}",),
        (start,),
    )


def a_kpi_of_a_part(shop: Shop, draw: random.Random) -> Asked:
    """A point of the lines that the Overview draws where channels, devices or countries are chosen.

    The first and last periods are those days of them that are chosen.
    """
    part = draw.choice(["channel", "device", "country"])
    filters = with_parts(draw, some_days(draw, fewest=40), part)
    kpi, period = draw.choice(KPIS_OF_PARTS), draw.choice(["week", "month"])
    rows = kpis.kpi_by_part(shop.published, kpi, period, filters)
    row = draw.choice(list(rows[rows["kpi_value"].notna()].itertuples()))
    start = row.period_start_date.date()
    days = Filters(filters.first_date, filters.last_date)
    return Asked(
        row.kpi_value,
        kpis.definitions(shop.published).set_index("kpi").loc[kpi, "unit"],
        f"""
        select sum(numerator) / coalesce(sum(denominator), 1) from agg_kpi_daily
        where kpi = '{kpi}' and dimension = '{part}' and dimension_value = '{row.code}'
            and date_trunc('{period}', kpi_date) = date '{start}' and {within(days, "kpi_date")}
        """,
        kpi,
        asked_of(filters),
        (f"metric_time__{period}", part),
        (start, row.code),
    )


def a_cell_of_channels(shop: Shop, draw: random.Random) -> Asked:
    """A cell of the Acquisition page's table."""
    filters = some_days(draw)
    rows = acquisition.channel_performance(shop.published, filters)
    column, metric, unit, mart = draw.choice(
        [
            ("spend_amount", "ad_spend", "amount", "sum(spend_amount)"),
            ("session_count", "sessions", "count", "sum(session_count)"),
            ("lead_count", "leads", "count", "sum(lead_count)"),
            ("new_customer_count", "new_customers", "count", "sum(new_customer_count)"),
            (
                "conversion_rate",
                "session_conversion_rate",
                "share",
                "sum(converted_session_count) / sum(session_count)",
            ),
            (
                "cac",
                "paid_cac",
                "cost",
                "sum(spend_amount) filter (where is_paid)"
                " / sum(new_customer_count) filter (where is_paid)",
            ),
            (
                "roas",
                "roas",
                "ratio",
                "sum(net_amount) filter (where is_paid) / sum(spend_amount) filter (where is_paid)",
            ),
        ]
    )
    row = draw.choice(list(rows[rows[column].fillna(0) != 0].itertuples()))
    return Asked(
        getattr(row, column),
        unit,
        f"select {mart} from agg_channel_performance"
        f" where channel = '{row.channel}' and {within(filters, 'performance_date')}",
        metric,
        asked_of(filters),
        ("channel",),
        (row.channel,),
    )


def a_step_of_a_funnel(shop: Shop, draw: random.Random) -> Asked:
    """A step of the Funnel page, under filters of each part."""
    filters = with_parts(draw, some_days(draw), *draw.sample(["channel", "device", "country"], 2))
    funnel = draw.choice(FUNNELS)
    rows = funnels.funnel_steps(shop.published, funnel, filters)
    return step_asked(draw.choice(list(rows.itertuples())), funnel, filters, draw)


def a_step_of_a_part(shop: Shop, draw: random.Random) -> Asked:
    """A cell of the Funnel page's breakdown."""
    filters, funnel = some_days(draw), draw.choice(FUNNELS)
    part = draw.choice(["channel", "device", "country"])
    rows = funnels.funnel_by_part(shop.published, funnel, part, filters)
    row = draw.choice(list(rows[rows["code"] != "unknown"].itertuples()))
    of_row = Filters(filters.first_date, filters.last_date, {part: (row.code,)})
    return step_asked(row, funnel, of_row, draw)


def step_asked(row: Any, funnel: str, filters: Filters, draw: random.Random) -> Asked:
    """A count or a rate of a step."""
    column, metric, unit, mart = draw.choice(
        [
            ("mature_entry_count", "funnel_entries", "count", "sum(mature_entry_count)"),
            ("reached_count", "funnel_reached", "count", "sum(mature_reached_count)"),
            (
                "conversion_rate",
                "funnel_conversion_rate",
                "share",
                "sum(mature_reached_count) / sum(mature_entry_count)",
            ),
            (
                "step_conversion_rate",
                "funnel_step_conversion_rate",
                "share",
                "sum(mature_reached_count) / sum(mature_previous_reached_count)",
            ),
        ]
    )
    return Asked(
        getattr(row, column),
        unit,
        f"select {mart} from agg_funnel_daily where funnel = '{funnel}'"
        f" and step_number = {row.step_number} and {within(filters, 'entry_date')}",
        metric,
        (
            *asked_of(filters),
            f"{{{{ Dimension('funnel_group__funnel') }}}} = '{funnel}'",
            f"{{{{ Dimension('funnel_group__step_number') }}}} = {row.step_number}",
        ),
    )


def the_carts(shop: Shop, draw: random.Random) -> Asked:
    """A number of the Carts page, under filters of each part."""
    filters = with_parts(draw, some_days(draw), *draw.sample(["channel", "device", "country"], 2))
    row = carts.cart_sums(shop.published, filters).iloc[0]
    column, metric, unit, mart = draw.choice(
        [
            ("cart_count", "carts", "count", "sum(cart_count)"),
            ("abandoned_amount", "abandoned_cart_value", "amount", "sum(abandoned_amount)"),
            (
                "abandonment_rate",
                "cart_abandonment_rate",
                "share",
                "sum(abandoned_cart_count) / sum(mature_cart_count)",
            ),
        ]
    )
    return Asked(
        row[column],
        unit,
        f"select {mart} from agg_cart_abandonment_daily where {within(filters, 'cart_date')}",
        metric,
        asked_of(filters),
    )


def a_tile_of_the_overview(shop: Shop, draw: random.Random) -> Asked:
    """The text of a tile of the Overview, by the last week or month of chosen days."""
    label, kpi, unit = draw.choice(
        [
            ("Net revenue", "net_revenue", "amount"),
            ("Orders", "orders", "count"),
            ("Average order value", "aov", "amount"),
            ("Conversion rate per session", "session_conversion_rate", "share"),
            ("Visitors", "visitors", "count"),
            ("New customers", "new_customers", "count"),
            ("Customer acquisition cost", "cac", "amount"),
            ("Cart abandonment rate", "cart_abandonment_rate", "share"),
        ]
    )
    period = draw.choice(["week", "month"])
    last = LAST - timedelta(days=draw.randrange(100))
    days = [str(FIRST), str(last)]
    page = run_page(shop.folder, "overview", by=period, period="custom", days=days)
    before_next = last + timedelta(days=1)
    start = date.fromordinal(before_next.toordinal() - before_next.weekday() - 7)
    if period == "month":
        start = (before_next.replace(day=1) - timedelta(days=1)).replace(day=1)
    return Asked(
        tiles(page)[label],
        unit,
        f"select kpi_value from fct_kpi_scorecard where kpi = '{kpi}'"
        f" and period = '{period}' and period_start_date = '{start}'",
        kpi,
        (),
        (f"metric_time__{period}",),
        (start,),
    )


def a_tile_of_acquisition(shop: Shop, draw: random.Random) -> Asked:
    """The text of a tile of the Acquisition page, of paid channels or of all."""
    filters = some_days(draw)
    kpi, label, unit = draw.choice(
        [
            ("ad_spend", "Advertising spend", "amount"),
            ("paid_cac", "Paid customer acquisition cost", "amount"),
            ("roas", "Return on ad spend (ROAS)", "ratio"),
        ]
    )
    paid = ("paid_search", "paid_social") if kpi == "paid_cac" else ()
    filters = Filters(filters.first_date, filters.last_date, {"channel": paid} if paid else {})
    days = [str(filters.first_date), str(filters.last_date)]
    page = run_page(
        shop.folder, "acquisition", period="custom", days=days, channel=list(filters.of("channel"))
    )
    return Asked(
        tiles(page)[label],
        unit,
        f"""
        select sum(numerator) / coalesce(sum(denominator), 1) from agg_kpi_daily
        where kpi = '{kpi}' and dimension = '{"channel" if paid else "total"}'
            and {within(filters, "kpi_date").replace("channel in", "dimension_value in")}
        """,
        kpi,
        asked_of(filters),
    )


def a_tile_of_the_funnel(shop: Shop, draw: random.Random) -> Asked:
    """The text of a tile of the Funnel page, of a device."""
    filters, funnel = with_parts(draw, some_days(draw), "device"), draw.choice(FUNNELS)
    page = run_page(
        shop.folder,
        "funnel",
        funnel=funnel,
        period="custom",
        days=[str(filters.first_date), str(filters.last_date)],
        device=list(filters.of("device")),
    )
    label, metric, unit, counted = draw.choice(
        [
            ("Converted", "funnel_reached", "count", "1"),
            (
                "Conversion",
                "funnel_conversion_rate",
                "share",
                "count(*)",
            ),
        ]
    )
    last_step = len(funnels.funnel_steps(shop.published, funnel, filters))
    return Asked(
        tiles(page)[label],
        unit,
        f"""
        select count(*) filter (where furthest_step >= {last_step}) / {counted}
        from fct_funnel_entries
        where funnel = '{funnel}' and is_mature and {within(filters, "entry_date")}
        """,
        metric,
        (
            *asked_of(filters),
            f"{{{{ Dimension('funnel_group__funnel') }}}} = '{funnel}'",
            f"{{{{ Dimension('funnel_group__step_number') }}}} = {last_step}",
        ),
    )


KINDS: tuple[Callable[[Shop, random.Random], Asked], ...] = (
    a_score,
    a_period_of_a_kpi,
    a_kpi_of_a_part,
    a_cell_of_channels,
    a_step_of_a_funnel,
    a_step_of_a_part,
    the_carts,
    a_tile_of_the_overview,
    a_tile_of_acquisition,
    a_tile_of_the_funnel,
)


@pytest.mark.parametrize("number", range(DRAWS))
def test_a_number_of_a_page_is_the_marts_and_the_metrics(shop: Shop, number: int) -> None:
    """Whoever asks for what a page shows, of the mart or by its name, is told the same."""
    asked = KINDS[number % len(KINDS)](shop, random.Random(f"{SEED} {number}"))
    with shop.warehouse.cursor() as cursor:
        cursor.execute("use marts")
        row = cursor.execute(asked.mart).fetchone()
    assert row is not None
    answers = answer(shop.metric_flow, shop.warehouse, asked.metric, asked.groups, asked.where)
    for said in (row[0], answers[asked.key]):
        assert said is not None, asked
        if isinstance(asked.shown, str):
            assert asked.shown == Formats("en", "EUR").kpi(said, asked.unit), asked
        else:
            assert float(asked.shown) == pytest.approx(float(said), rel=1e-9), asked
    if isinstance(row[0], Decimal) and not isinstance(asked.shown, str):
        assert cents(asked.shown) == cents(row[0]) == cents(answers[asked.key]), asked


def cents(amount: Any) -> Decimal:
    """Money, exactly."""
    return Decimal(str(amount)).quantize(Decimal("0.01"))

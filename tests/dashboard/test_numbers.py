"""Each number on a page is that of the facts: a sample is drawn, and counted again row by row.

tests/kpi compares the KPIs with their marts, and MetricFlow's answers with the KPIs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dashboard.app_runs import run_page, tiles

from dashboards.data import (
    acquisition,
    carts,
    cohorts,
    customers,
    experiments,
    funnels,
    kpis,
    opportunities,
    products,
    quality,
)
from dashboards.filters import Filters
from dashboards.formats import Formats
from dashboards.published import Published, open_published

SEED, DRAWS = 20260630, 40
FIRST, LAST = date(2025, 12, 15), date(2026, 6, 30)  # days with sessions in the demo shop
CHANNELS = ("paid_search", "email", "direct", "organic_search", "paid_social")
# A number as the page has it, and the query on the facts that it must equal.
Pair = tuple[Any, str]


def a_funnel_step(published: Published, filters: Filters, draw: random.Random) -> Pair:
    funnel = draw.choice(["journey", "session_purchase", "checkout", "new_visitor_first_order"])
    row = draw.choice(list(funnels.funnel_steps(published, funnel, filters).itertuples()))
    return (
        (row.reached_count, row.conversion_rate),
        f"""
        select count(*) filter (where furthest_step >= {row.step_number}), avg((furthest_step
        >= {row.step_number})::int) from fct_funnel_entries
        where funnel = '{funnel}' and is_mature and {on(filters, "entry_date")}
        """,
    )


def a_funnel_of_a_part(published: Published, filters: Filters, draw: random.Random) -> Pair:
    rows = funnels.funnel_by_part(published, "session_purchase", "device", filters)
    row = draw.choice(list(rows[rows["step_number"] > 1].itertuples()))
    return (
        (row.reached_count, row.previous_reached_count, row.step_conversion_rate),
        f"""
        select
            count(*) filter (where furthest_step >= {row.step_number}) as reached,
            count(*) filter (where furthest_step >= {row.step_number - 1}) as before,
            reached / nullif(before, 0)
        from fct_funnel_entries
        where funnel = 'session_purchase' and device = '{row.code}' and is_mature
            and {on(filters, "entry_date")}
        """,
    )


def the_carts(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = carts.cart_sums(published, filters).iloc[0]
    stage = draw.choice(carts.STAGES)
    return (
        (row["cart_count"], row["abandonment_rate"], row[f"abandoned_at_{stage}_count"]),
        f"""
        select
            count(*),
            count(*) filter (where is_abandoned) / count(*) filter (where is_mature),
            count(*) filter (where is_abandoned and furthest_stage = '{stage}')
        from fct_carts where {on(filters, "cart_date")}
        """,
    )


def the_sessions_of_a_channel(published: Published, filters: Filters, draw: random.Random) -> Pair:
    rows = acquisition.channel_performance(published, filters)
    row = draw.choice(list(rows[rows["session_count"] > 0].itertuples()))
    return (
        (row.session_count, row.conversion_rate),
        f"""
        select count(*), avg(is_converted::int) from fct_sessions
        where channel = '{row.channel}' and {on(filters, "session_date", channel=False)}
        """,
    )


def the_spend_of_a_channel(published: Published, filters: Filters, draw: random.Random) -> Pair:
    rows = acquisition.channel_performance(published, filters)
    row = draw.choice(list(rows.itertuples()))
    return (
        (row.spend_amount,),
        f"""
        select sum(spend_amount) from fct_ad_spend
        where channel = '{row.channel}' and {on(filters, "spend_date", channel=False)}
        """,
    )


def an_attributed_share(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(acquisition.attribution(published, filters).itertuples()))
    return (
        (row.attributed_net_amount, row.net_share),
        f"""
        select
            sum(attributed_net_amount) filter (where channel = '{row.channel}') as net,
            net / sum(attributed_net_amount)
        from fct_attributed_revenue
        where is_revenue and attribution_model = '{row.attribution_model}'
            and {on(filters, "order_date", channel=False)}
        """,
    )


def a_cell_of_the_grid(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(customers.rfm_grid(published, filters).itertuples()))
    return (
        (row.customer_count, row.historic_margin_amount),
        f"""
        select count(*), sum(historic_margin_amount) from dim_customer_profiles
        where recency_score = {row.recency_score} and fm_score = {row.fm_score}
            and {on(filters, "", channel_column="first_channel")}
        """,
    )


def a_band_of_value(published: Published, filters: Filters, draw: random.Random) -> Pair:
    rows = customers.clv_bands(published, filters)
    row = draw.choice(list(rows[rows["clv_from_amount"] > 0].itertuples()))
    low = float(row.clv_from_amount)
    return (
        (row.customer_count,),
        f"""
        select count(*) from dim_customer_profiles
        where predicted_clv_amount_365d >= {low} and predicted_clv_amount_365d < {2 * low}
            and {on(filters, "", channel_column="first_channel")}
        """,
    )


def a_band_of_churn(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(customers.churn_bands(published, filters).itertuples()))
    low = row.churn_from_share
    return (
        (row.customer_count, row.value_at_risk_amount),
        f"""
        select count(*), sum(value_at_risk_amount) from dim_customer_profiles
        where churn_probability is not null
            and round(least(floor(churn_probability * 10), 9) / 10, 1) = round({low}, 1)
            and {on(filters, "", channel_column="first_channel")}
        """,
    )


def a_cohort_s_month(published: Published, filters: Filters, draw: random.Random) -> Pair:
    rows = cohorts.triangle(published, "retention_rate", "all", "", filters)
    row = draw.choice(list(rows[rows["value"].notna()].itertuples()))
    start = row.cohort_month_start_date.date()
    return (
        (row.value,),
        f"""
        with orders as (
            select
                customer_id,
                date_trunc('month', order_date) as month,
                min(date_trunc('month', order_date)) over (partition by customer_id) as cohort
            from fct_orders where customer_id is not null and status <> 'cancelled'
        )
        select
            count(distinct customer_id) filter (
                where month = cohort + interval {row.months_since} month
            ) / count(distinct customer_id)
        from orders where cohort = date '{start}'
        """,
    )


def a_kind_of_opportunity(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(opportunities.by_kind(published, Filters(FIRST, LAST)).itertuples()))
    return (
        (row.opportunity_count, row.expected_amount),
        f"""
        select count(*), sum(expected_amount) from fct_customer_opportunities
        where kind = '{row.kind}'
        """,
    )


def a_kpi_of_the_days(published: Published, filters: Filters, draw: random.Random) -> Pair:
    whole = Filters(filters.first_date, filters.last_date)
    kpi, sql = draw.choice(
        [
            ("net_revenue", "sum(net_amount) from fct_orders where is_revenue and"),
            ("orders", "count(*) from fct_orders where is_revenue and"),
            ("aov", "sum(net_amount) / count(*) from fct_orders where is_revenue and"),
            ("margin", "sum(margin_amount) from fct_orders where is_revenue and"),
        ]
    )
    return (
        (kpis.kpi_over_days(published, kpi, whole),),
        f"select {sql} {on(whole, 'order_date')}",
    )


def the_rejected_rows(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(quality.reject_reasons(published).itertuples()))
    reason = row.reject_reason.replace("'", "''")
    return (
        (row.rejected_row_count,),
        f"select count(*) from fct_rejected_rows where table_name = '{row.table_name}'"
        f" and reject_reason = '{reason}'",
    )


def a_lift_of_an_affinity(published: Published, filters: Filters, draw: random.Random) -> Pair:
    row = draw.choice(list(products.affinities(published, "orders").itertuples()))
    return (
        (row.adjusted_lift, row.confidence_a_to_b_share),
        f"""
        select adjusted_lift, pair_count / product_a_count from agg_product_affinities
        where basis = 'orders' and product_a_id = '{row.product_a_id}'
            and product_b_id = '{row.product_b_id}'
        """,
    )


def a_metric_of_an_experiment(published: Published, filters: Filters, draw: random.Random) -> Pair:
    experiment = draw.choice(list(experiments.experiments(published)["experiment_id"]))
    row = draw.choice(list(experiments.results(published, experiment).itertuples()))
    return (
        (row.metric_value, row.relative_lift),
        f"""
        select numerator_total / denominator_total, relative_lift from agg_experiment_results
        where experiment_id = '{experiment}' and metric = '{row.metric}'
            and variant = '{row.variant}'
        """,
    )


KINDS: tuple[Callable[[Published, Filters, random.Random], Pair], ...] = (
    a_funnel_step,
    a_funnel_of_a_part,
    the_carts,
    the_sessions_of_a_channel,
    the_spend_of_a_channel,
    an_attributed_share,
    a_cell_of_the_grid,
    a_band_of_value,
    a_band_of_churn,
    a_cohort_s_month,
    a_kind_of_opportunity,
    a_kpi_of_the_days,
    the_rejected_rows,
    a_lift_of_an_affinity,
    a_metric_of_an_experiment,
)


def on(filters: Filters, day: str, channel: bool = True, channel_column: str = "channel") -> str:
    """The filters as a condition, written in another way than the dashboard does."""
    clauses = ["true"]
    if day:
        clauses.append(f"{day} >= '{filters.first_date}' and {day} <= '{filters.last_date}'")
    chosen = filters.of("channel")
    if channel and chosen:
        clauses.append(f"{channel_column} in ({', '.join(map(repr, chosen))})")
    return " and ".join(clauses)


@pytest.mark.parametrize("number", range(DRAWS))
def test_a_number_that_was_drawn_is_that_of_the_facts(
    demo: duckdb.DuckDBPyConnection, demo_folder: Path, number: int
) -> None:
    """A chart that reads an aggregate must not tell another number than its rows do."""
    draw = random.Random(SEED + number)
    kind = KINDS[number % len(KINDS)]
    first = FIRST + timedelta(days=draw.randrange(100))
    last = first + timedelta(days=draw.randrange(14, 90))
    parts = {"channel": tuple(draw.sample(CHANNELS, 2))} if draw.random() < 0.5 else {}
    filters = Filters(first, min(last, LAST), parts)
    if kind is a_cohort_s_month:
        filters = Filters(date(2025, 1, 1), LAST)
    shown, query = kind(open_published(demo_folder / "marts.duckdb"), filters, draw)
    with demo.cursor() as cursor:
        cursor.execute("use marts")
        expected = cursor.execute(query).fetchone()
    assert expected is not None
    assert plain(shown) == pytest.approx(plain(expected), rel=1e-9, nan_ok=True), query


def plain(values: Any) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def test_tiles_are_the_marts_own_numbers(
    demo: duckdb.DuckDBPyConnection, demo_folder: Path
) -> None:
    """What is written large is what the marts say, down to the last digit that is shown."""
    write = Formats("en", "EUR")
    with demo.cursor() as cursor:
        cursor.execute("use marts")

        def value(sql: str) -> Any:
            row = cursor.execute(f"select {sql}").fetchone()
            assert row is not None
            return row[0]

        overview = tiles(run_page(demo_folder, "overview", by="month"))
        month = "period = 'month' and period_start_date = '2026-06-01'"
        for kpi, label in (("net_revenue", "Net revenue"), ("cac", "Customer acquisition cost")):
            shown = value(f"kpi_value from fct_kpi_scorecard where kpi = '{kpi}' and {month}")
            assert overview[label] == write.money(shown)
        june = "order_date between '2026-06-01' and '2026-06-30'"
        orders = value(f"count(*) from fct_orders where is_revenue and {june}")
        assert overview["Orders"] == write.number(orders)

        found = tiles(run_page(demo_folder, "customers"))
        assert found["Customers"] == write.number(value("count(*) from dim_customer_profiles"))
        margin = value("sum(historic_margin_amount) from dim_customer_profiles")
        assert found["Margin to date"] == write.money(margin, 0)

        rows = tiles(run_page(demo_folder, "quality"))["Rows rejected"]
        rejected = value("count(*) from fct_rejected_rows")
        assert rows.split(" / ")[0] == write.number(rejected)

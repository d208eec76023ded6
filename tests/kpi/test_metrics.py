"""Metrics of the semantic layer are the KPIs: the same names and texts, and the same numbers.

MetricFlow writes the SQL of each metric from its definition; what that gives on the demo shop is
compared with agg_kpi_daily's own figures, period by period and part by part.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from metric_flow import Manifest, answer
from shops import dicts

# What no metric of MetricFlow can say, and why.
NOT_METRICS = {
    "returning_visitors": "who came before the period, whichever it is",
    "repeat_rate": "a stock of customers, known at the end of any period",
    "payback_months": "a property of a cohort, which does not add up",
    "promo_code_share": "a part over the whole: orders by promo_code gives it",
    "payment_method_share": "a part over the whole: orders by payment_method gives it",
    "on_time_delivery_rate": "booked on the day of delivery, in the shop's time zone",
    "days_between_orders": "the gap to the customer's order before",
}
ENTITIES = ("channel", "device", "country")
# Refunds, new customers and NPS have these through orders or customers, not by themselves.
WITHOUT_PARTS = ("refunds", "return_rate", "new_customers", "nps")


@pytest.fixture(scope="module")
def kpis(demo: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """The definitions of KPIs, by code."""
    return {row["kpi"]: row for row in dicts(demo, "from raw.ref_kpis")}


def test_every_kpi_is_a_metric_with_its_own_words(
    semantic_manifest: Manifest, kpis: dict[str, dict[str, Any]]
) -> None:
    """Name, French name, unit, objective and formula are those of ref_kpis."""
    metrics = {metric["name"]: metric for metric in semantic_manifest["metrics"]}
    assert NOT_METRICS.keys() == kpis.keys() - metrics.keys()
    assert len(kpis.keys() & metrics.keys()) >= 45
    for name in kpis.keys() & metrics.keys():
        kpi, metric = kpis[name], metrics[name]
        said = metric["config"]["meta"]
        assert (metric["label"], metric["description"]) == (kpi["kpi_name"], kpi["formula"]), name
        assert said["label_fr"] == kpi["kpi_name_fr"], name
        assert (said["unit"], said["objective"]) == (kpi["unit"], kpi["objective"]), name
    others = [metric for name, metric in metrics.items() if name not in kpis]
    assert all(metric["description"] and metric["config"]["meta"] for metric in others)


def test_a_metric_is_its_kpi(
    metric_flow: Any, demo: duckdb.DuckDBPyConnection, kpis: dict[str, dict[str, Any]]
) -> None:
    """Each period of each KPI, in all and by channel, device and country."""
    compared = 0
    for name in sorted(kpis.keys() - NOT_METRICS.keys()):
        period, parts = kpis[name]["shortest_period"], (kpis[name]["dimensions"] or "").split()
        found = demo.execute(
            "select dimension, period_start_date, dimension_value, kpi_value"
            " from intermediate.int_kpis_measured where kpi = ? and period = ?",
            [name, period],
        ).fetchall()
        for dimension in ("total", *(entity for entity in ENTITIES if entity in parts)):
            if dimension != "total" and name in WITHOUT_PARTS:
                continue
            groups = [f"metric_time__{period}", *([] if dimension == "total" else [dimension])]
            answers = answer(metric_flow, demo, name, groups)
            expected = {
                (start, *([] if dimension == "total" else [value])): figure
                for of, start, value, figure in found
                if of == dimension
            }
            assert expected, (name, dimension)
            for key, figure in expected.items():
                value = answers.get(key)
                # No rows are a sum of nothing here, and none of a day there.
                assert float(value or 0) == pytest.approx(float(figure or 0), rel=1e-7), (name, key)
                compared += bool(figure)
    assert compared > 30_000


def test_metrics_are_asked_for_by_what_customers_and_products_are(
    metric_flow: Any, demo: duckdb.DuckDBPyConnection
) -> None:
    """Revenue by RFM segment and cohort of the customer, and by category of the product."""
    for metric, group, query in (
        (
            "net_revenue",
            "customer__rfm_segment",
            "select rfm_segment, sum(orders.net_amount) from marts.fct_orders as orders"
            " left join marts.dim_customer_profiles using (customer_id) group by all",
        ),
        (
            "net_revenue",
            "customer__first_order_date__month",
            "select date_trunc('month', first_order_date)::date, sum(orders.net_amount)"
            " from marts.fct_orders as orders"
            " left join marts.dim_customer_profiles using (customer_id) group by all",
        ),
        (
            "line_net_revenue",
            "product__category",
            "select category, sum(lines.net_amount) from marts.fct_order_lines as lines"
            " left join marts.dim_products using (product_id) group by all",
        ),
    ):
        rows = [(*key, value) for key, value in answer(metric_flow, demo, metric, [group]).items()]
        expected = demo.execute(query).fetchall()
        assert len(rows) > 5
        assert sorted(map(repr, rows)) == sorted(map(repr, expected)), group

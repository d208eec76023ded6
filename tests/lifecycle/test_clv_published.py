"""Customer lifetime value through the warehouse: published data, simulated shops, degenerate ones.

Raw tables of the contract go in, marts come out; what is compared was published, or is reckoned
here from the raw rows.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from lifecycle.purchase_data import (
    Purchase,
    area_under_curve,
    cdnow_purchases,
    days_bought,
    histories_of,
    shop_of,
    simulated_purchases,
)
from numpy.typing import NDArray
from shops import dicts, item, mart_rows, write_tables
from warehouses import NO_TESTS, PROJECT, Dbt

from orchestration.purchase_models import (
    PurchaseParameters,
    expected_purchases,
    expected_purchases_of_new,
    p_alive,
)

SELECT = "+fct_customer_clv +fct_clv_model_fits"
CALIBRATED = date(1997, 9, 30)
IMPORTER = PROJECT / "docs/examples/online-retail-ii/import.py"


@dataclass
class Published:
    """A published data set: its warehouse as of the calibration's end, and what came after it."""

    connection: duckdb.DuckDBPyConnection
    names: list[str]
    x: NDArray[np.float64]
    t_x: NDArray[np.float64]
    age: NDArray[np.float64]
    later: NDArray[np.float64]

    def fit(self, model: str) -> dict[str, Any]:
        """The row of fct_clv_model_fits."""
        (row,) = dicts(
            self.connection,
            f"select * from marts.fct_clv_model_fits where is_latest and model = '{model}'",
        )
        return row

    def parameters(self, model: str) -> PurchaseParameters:
        """The parameters that the mart holds."""
        row = self.fit(model)
        return PurchaseParameters(*(row[name] for name in PurchaseParameters._fields))

    def expected(self, weeks: float) -> NDArray[np.float64]:
        """What BG/NBD expects by the mart's parameters, in the order of names."""
        parameters = self.parameters("bg_nbd")
        return expected_purchases("bg_nbd", parameters, self.x, self.t_x, self.age, weeks)


def published(
    connection: duckdb.DuckDBPyConnection,
    purchases: Sequence[Purchase],
    until: date,
    end: date,
) -> Published:
    """What the warehouse knew by `until`, beside what the raw rows say came by `end`."""
    names, x, t_x, age = histories_of(purchases, until)
    later = days_bought(purchases, until, end)
    counts = np.array([float(later.get(name, 0)) for name in names])
    return Published(connection, names, x, t_x, age, counts)


def cdnow(build: Any, folder: Path, source: Path) -> Published:
    """CDNOW through the warehouse, with all 78 weeks in the raw tables."""
    purchases = cdnow_purchases(source)
    connection = build(
        raw_path=str(write_tables(folder, shop_of(purchases))),
        as_of_date=str(CALIBRATED),
        lifecycle_history_months=1,
        select=SELECT,
        tests=False,
    )
    return published(connection, purchases, CALIBRATED, date(1998, 6, 30))


@pytest.fixture(scope="module")
def sample(build: Any, tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Published:
    """The tenth of CDNOW that the papers are about."""
    folder = tmp_path_factory.mktemp("cdnow_sample")
    return cdnow(build, folder, reference_data / "cdnow/CDNOW_sample.txt")


@pytest.fixture(scope="module")
def master(build: Any, tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Published:
    """All of CDNOW."""
    folder = tmp_path_factory.mktemp("cdnow_master")
    return cdnow(build, folder, reference_data / "cdnow/CDNOW_master.txt")


def expect_fit(row: dict[str, Any], parameters: dict[str, float], likelihood: float) -> None:
    """As published, to the digits that are given: half a unit of the last one."""
    for name, value in parameters.items():
        digits = len(str(value).partition(".")[2])
        assert row[name] == pytest.approx(value, abs=0.51 * 10**-digits), name
    assert row["log_likelihood"] == pytest.approx(likelihood, abs=6e-4)
    assert row["is_converged"]
    assert row["gradient_norm"] < 1e-9
    assert row["start_count"] > 1
    assert row["ineligible_reason"] is None


# CDNOW, the sample


def test_cdnow_is_the_published_data(sample: Published) -> None:
    """The figures of the file itself: without them no comparison means anything."""
    assert len(sample.names) == 2357
    assert (sample.x > 0).sum() == 946
    assert sample.x.sum() == 2457
    assert sample.later.sum() == 1882
    fit = sample.fit("bg_nbd")
    assert fit["customer_count"] == fit["fitted_customer_count"] == 2357
    assert (fit["first_order_date"], fit["last_order_date"]) == (date(1997, 1, 1), CALIBRATED)


def test_cdnow_gives_the_published_parameters(sample: Published) -> None:
    """Fader, Hardie & Lee (2005), and the fits of BTYD and CLVTools.

    The digits that packages print beyond those are of fits that stopped just before the maximum: at
    .7929199 and 2.4258881 (a and b) there is a gradient, at ours (.7929220, 2.4259068) none.
    """
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    expect_fit(sample.fit("bg_nbd"), published, -9582.4292)
    assert sample.parameters("bg_nbd") == pytest.approx(
        (0.2425945, 4.4136019, 0.7929199, 2.4258881), rel=1e-5
    )
    published = {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}
    expect_fit(sample.fit("mbg_nbd"), published, -9582.136)
    published = {"p": 6.25, "q": 3.74, "gamma": 15.44}
    expect_fit(sample.fit("gamma_gamma"), published, -4055.9177)
    assert sample.fit("gamma_gamma")["fitted_customer_count"] == 946


def test_cdnow_gives_the_published_customers(sample: Published) -> None:
    """P(alive) and expectations by the mart's own parameters; the values in the mart itself."""
    parameters = sample.parameters("bg_nbd")
    customer = ("bg_nbd", parameters, 2, 30.43, 38.86)
    assert float(p_alive(*customer)) == pytest.approx(0.7266, abs=6e-5)
    assert float(expected_purchases(*customer, 39)) == pytest.approx(1.226, abs=6e-4)
    assert expected_purchases_of_new("bg_nbd", parameters, [1, 32, 78]) == pytest.approx(
        [0.0532, 1.0437, 1.8576], abs=6e-4
    )
    rows = sample.connection.execute(
        "select expected_purchase_amount from marts.fct_customer_clv where is_latest"
        " order by customer_id limit 10"
    ).fetchall()
    found = [float(row[0]) for row in rows]
    assert found == [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]


def test_cdnow_has_the_published_holdout(sample: Published) -> None:
    """The means of 39 weeks by calibration x, sums and errors, to the printed digits."""
    expected = sample.expected(39)
    bins = np.minimum(sample.x, 7).astype(int)
    counts = np.bincount(bins)
    assert counts.tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    actual = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    assert np.bincount(bins, sample.later) / counts == pytest.approx(actual, abs=6e-4)
    predicted = [0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157]
    assert np.bincount(bins, expected) / counts == pytest.approx(predicted, abs=6e-4)
    assert expected.sum() == pytest.approx(1653.4, abs=0.06)
    assert np.corrcoef(expected, sample.later)[0, 1] == pytest.approx(0.6256, abs=6e-5)
    assert np.abs(expected - sample.later).mean() == pytest.approx(0.785, abs=6e-4)


def test_cdnow_has_the_published_ranking(sample: Published) -> None:
    """P(alive) of BG/NBD ranks worse than chance, so that MBG/NBD's is served."""
    bought = sample.later > 0
    assert bought.mean() == pytest.approx(0.290, abs=6e-4)
    history = (sample.x, sample.t_x, sample.age)
    scores = {
        0.771: sample.t_x - sample.age,
        0.773: sample.expected(39),
        0.687: p_alive("mbg_nbd", sample.parameters("mbg_nbd"), *history),
        0.316: p_alive("bg_nbd", sample.parameters("bg_nbd"), *history),
    }
    for area, score in scores.items():
        assert area_under_curve(score, bought) == pytest.approx(area, abs=6e-4)


def test_engine_scores_what_the_functions_give(sample: Published) -> None:
    """Scored by SQL and a table of x and T: each customer as if computed one by one."""
    rows = sample.connection.execute(
        "select customer_id, repeat_count, recency_weeks, age_weeks, p_alive, expected_orders_365d"
        " from intermediate.int_purchase_histories_scored"
        f" where state_date = date '{CALIBRATED}' order by customer_id"
    ).fetchnumpy()
    assert rows["customer_id"].tolist() == sample.names
    for column, values in (
        ("repeat_count", sample.x),
        ("recency_weeks", sample.t_x),
        ("age_weeks", sample.age),
        ("expected_orders_365d", sample.expected(365 / 7)),
        (
            "p_alive",
            p_alive("mbg_nbd", sample.parameters("mbg_nbd"), sample.x, sample.t_x, sample.age),
        ),
    ):
        assert rows[column] == pytest.approx(values, rel=1e-10, abs=1e-300), column


# CDNOW, all of it, and Online Retail II


def test_all_of_cdnow_gives_the_published_figures(master: Published) -> None:
    """Ten times as many customers, with 80 rows of $0: parameters, likelihood, holdout."""
    published = {"r": 0.25162, "alpha": 4.78894, "a": 0.72343, "b": 2.16109}
    expect_fit(master.fit("bg_nbd"), published, -95368.444)
    assert len(master.names) == 23_570
    assert master.later.sum() == 19_684
    expected = master.expected(39)
    assert expected.sum() == pytest.approx(16_873.7, abs=0.06)
    assert np.corrcoef(expected, master.later)[0, 1] == pytest.approx(0.669, abs=6e-4)


def test_online_retail_ii_gives_the_published_figures(
    build: Any, tmp_path: Path, reference_data: Path
) -> None:
    """By the importer that README.md names; cancellations are no purchases."""
    source = reference_data / "online_retail_ii"
    command = [sys.executable, str(IMPORTER), str(source), str(tmp_path / "shop")]
    subprocess.run(command, check=True, capture_output=True)
    until = date(2011, 6, 9)
    connection = build(
        raw_path=str(tmp_path / "shop"),
        reporting_currency="GBP",
        reporting_timezone="Europe/London",
        as_of_date=str(until),
        lifecycle_history_months=1,
        select=SELECT,
        tests=False,
    )
    rows = duckdb.execute(
        f"""
        with lines as (
            select Invoice as invoice, cast("Customer ID" as bigint) as customer, Price as price,
                cast(InvoiceDate as date) as day
            from '{source}/year_2009_2010.parquet' where InvoiceDate < '2010-12-01'
            union all
            select InvoiceNo, cast(CustomerID as bigint), UnitPrice, cast(InvoiceDate as date)
            from '{source}/year_2010_2011.parquet'
        )
        select distinct cast(customer as varchar), day, 0.0 from lines
        where customer is not null and invoice not like 'C%'
            and invoice in (select invoice from lines where price <> 0)
        """
    ).fetchall()
    shop = published(connection, rows, until, date(2011, 12, 9))
    digits = {"r": 0.67538, "alpha": 9.34766, "a": 0.15514, "b": 3.39550}
    expect_fit(shop.fit("bg_nbd"), digits, -58602.470)
    assert shop.fit("bg_nbd")["customer_count"] == len(shop.names) == 4969
    assert shop.later.sum() == 7797
    expected = shop.expected(183 / 7)
    assert expected.sum() == pytest.approx(7692.7, abs=0.06)
    assert np.corrcoef(expected, shop.later)[0, 1] == pytest.approx(0.851, abs=6e-4)


# Simulated shops


def test_refresh_gives_what_a_build_from_nothing_does_and_leaves_past_days_alone(
    dbt: Dbt, tmp_path: Path
) -> None:
    """A month later new days alone are fitted; the rows of the day before are the same bytes.

    The month brings orders, refunds of older orders, and ad spend.
    """
    purchases = simulated_purchases(
        "mbg_nbd", (1.2, 10.0, 0.8, 2.0), (4.0, 3.0, 60.0), 900, date(2023, 1, 1), 547, seed=5
    )
    shop = shop_of(sorted(purchases, key=lambda one: one[1]))
    spend = {"utm_source": "s", "utm_medium": "cpc", "spend": "300.00", "currency": "EUR"}
    shop["ad_spend"] = [
        {"spend_date": day, **spend} for day in ("2023-05-01", "2024-05-31", "2024-06-15")
    ]
    refund = {"order_id": 3, "amount": "5.00", "refunded_at": "2024-06-20T12:00:00Z"}
    shop["refunds"] = [{"refund_id": "R", **refund}]
    variables = {
        "raw_path": str(write_tables(tmp_path / "shop", shop)),
        "lifecycle_history_months": 2,
    }
    refreshed, fresh = (tmp_path / name / "cartwright.duckdb" for name in ("refreshed", "fresh"))
    arguments = ("build", *NO_TESTS)
    marts = ("fct_customer_clv", "fct_clv_model_fits")
    dbt.run(*arguments, warehouse=refreshed, variables=variables | {"as_of_date": "2024-05-31"})
    before = _rows_by_day(refreshed, marts)
    dbt.run(*arguments, warehouse=refreshed, variables=variables | {"as_of_date": "2024-06-30"})
    after = _rows_by_day(refreshed, marts)
    with duckdb.connect(str(refreshed), read_only=True) as connection:
        touched = connection.execute(
            "select key from raw.touched_keys where kind = 'as_of_date' order by 1"
        ).fetchall()
        touched_count = len({key for (key,) in touched})
    assert touched_count == 3, "one day came, one went, and one is no more the latest"
    assert before["2024-05-31"] == after["2024-05-31"]
    assert set(after) == {"2024-05-31", "2024-06-30"}
    dbt.run(
        *arguments,
        "--select",
        SELECT,
        warehouse=fresh,
        variables=variables | {"as_of_date": "2024-06-30"},
    )
    assert after == _rows_by_day(fresh, marts)
    with duckdb.connect(str(fresh), read_only=True) as connection:
        _expect_values_to_be_those_of_the_raw_rows(connection)


def _rows_by_day(warehouse: Path, marts: Sequence[str]) -> dict[str, list[str]]:
    """The rows of some marts, by as_of_date; is_latest aside."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found: dict[str, list[str]] = {}
        for mart in marts:
            query = f"select cast(as_of_date as varchar), * exclude (is_latest) from marts.{mart}"
            for day, *row in connection.execute(query).fetchall():
                found.setdefault(day, []).append(repr(row))
    return {day: sorted(rows) for day, rows in found.items()}


def _expect_values_to_be_those_of_the_raw_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Every customer has a prediction, and CAC is spend up to the day over customers up to it."""
    rows = dicts(connection, "select * from marts.fct_customer_clv order by as_of_date")
    assert all(row["is_eligible"] and row["predicted_clv_amount_90d"] is not None for row in rows)
    for day, spend in ((date(2024, 5, 31), 600), (date(2024, 6, 30), 900)):
        of_day = [row for row in rows if row["as_of_date"] == day]
        assert {float(row["cac_amount"]) for row in of_day} == {round(spend / len(of_day), 2)}
        high = [row for row in of_day if row["spend_tier"] == "high"]
        assert 0 < len(high) <= 0.2 * len(of_day)
    assert all(row["predicted_net_amount_90d"] <= row["predicted_net_amount_365d"] for row in rows)


# Degenerate shops


def test_degenerate_shops_have_no_predictions_and_say_why(build: Any, tmp_path: Path) -> None:
    """A shop that is degenerate in another way at each end of a month; nothing asked of its size.

    Everybody on one day; nobody again; presents only; and at last some who come again and cost
    more than they bring.
    """
    days = [(f"c{number}", date(2024, 1, 31), 20.0 + number) for number in range(6)]
    days += [(f"c{number}", date(2024, 3, 10 + number), 0.0) for number in range(2)]
    days += [
        (f"c{number % 9}", date(2024, 4, 1 + number % 28), 5.0 + number % 7) for number in range(60)
    ]
    connection = build(
        raw_path=str(write_tables(tmp_path, shop_of(days, unit_cost="1000"))),
        as_of_date="2024-04-30",
        clv_minimum_customers=1,
        clv_minimum_history_days=0,
        clv_minimum_frequent_customers=0,
        select=SELECT,
        tests=False,
    )
    rows = dicts(
        connection,
        "select as_of_date, model, is_served, ineligible_reason, r, p"
        " from marts.fct_clv_model_fits order by as_of_date, model",
    )
    by_day: dict[date, dict[str, Any]] = {}
    for row in rows:
        by_day.setdefault(row["as_of_date"], {})[row["model"]] = row
    nobody_again = "Nobody has ordered on a second day."
    for day in (date(2024, 1, 31), date(2024, 2, 29)):
        assert {row["ineligible_reason"] for row in by_day[day].values()} == {nobody_again}
        assert {row["r"] for row in by_day[day].values()} == {None}
    of_march = by_day[date(2024, 3, 31)]["gamma_gamma"]
    assert of_march["ineligible_reason"] == "No repeat purchase was worth anything."
    clv = dicts(connection, "select * from marts.fct_customer_clv order by as_of_date")
    for row in clv:
        assert row["historic_margin_amount"] < 0
        assert row["formula_clv_amount"] is None, "neither churn nor spend is known"
        assert row["is_eligible"] == (row["predicted_clv_amount_365d"] is not None)
        assert row["is_eligible"] == (row["ineligible_reason"] is None)
        if row["as_of_date"] < date(2024, 4, 30):
            assert not row["is_eligible"]
            assert row["spend_tier"] is None
        elif row["is_eligible"]:
            assert row["predicted_clv_amount_365d"] <= 0 <= row["predicted_net_amount_365d"]


def test_shop_without_orders_builds_empty_marts_and_a_small_one_says_it_is_small(
    build: Any, tmp_path: Path
) -> None:
    """Nobody is valued, and the fits say why; three customers are rows without predictions."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "orders.csv").write_text("order_id,ordered_at,status\n", encoding="utf-8")
    header = ",".join(item("", 1, 1, 1))
    (empty / "order_items.csv").write_text(f"{header}\n", encoding="utf-8")
    small = [(f"c{number}", date(2024, 1, 1 + number), 10.0) for number in range(3)]
    reason = "Fewer than 500 customers have ordered."
    for folder, count in (
        (empty, 0),
        (write_tables(tmp_path / "small", shop_of(small)), 3),
    ):
        connection = build(
            raw_path=str(folder), as_of_date="2024-01-10", select=SELECT, tests=False
        )
        fits = dicts(connection, "select * from marts.fct_clv_model_fits")
        assert {(fit["model"], fit["ineligible_reason"]) for fit in fits if fit["is_latest"]} == {
            (model, reason) for model in ("bg_nbd", "mbg_nbd", "gamma_gamma")
        }
        rows = dicts(connection, "select * from marts.fct_customer_clv where is_latest")
        assert [row["ineligible_reason"] for row in rows] == [reason] * count
        assert {row["predicted_clv_amount_90d"] for row in rows} <= {None}
        assert len(mart_rows(connection, "fct_customer_clv")) == len(rows)
        scores = "count(p_alive), count(p_active_90d), count(expected_orders_90d)"
        found = f"select {scores} from intermediate.int_purchase_histories_scored"
        assert connection.execute(found).fetchall() == [(0, 0, 0)], "unknown is NULL, never 0"

"""Profiles are what each customer did, gone through row by row; personas are counts of profiles."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pytest
from shops import dicts

Row = dict[str, Any]
RECENT_DAYS = 90
SEGMENTATIONS = ("rfm_segment", "lifecycle_state")
ATTRIBUTES = (
    *("age_band", "country", "first_channel", "favourite_device", "favourite_category"),
    *("basket_band", "cadence_band"),
)


def by_customer(rows: Iterable[Row], key: str = "customer_id") -> dict[str, list[Row]]:
    """Rows of known customers, each customer's in the order given."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[key] is not None:
            of[row[key]].append(row)
    return of


def favourite(values: Iterable[str | None]) -> str | None:
    """The most frequent value that is known; of equals the first by name."""
    counts = Counter(value for value in values if value is not None)
    return min(counts, key=lambda value: (-counts[value], value), default=None)


def rounded(amount: Decimal) -> Decimal:
    """An amount to the cent."""
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


class Ledger:
    """The facts of the demo shop, by customer."""

    def __init__(self, demo: duckdb.DuckDBPyConnection) -> None:
        def rows(query: str) -> list[Row]:
            return dicts(demo, query)

        (self.as_of,) = {row["as_of_date"] for row in rows("from marts.dim_customer_profiles")}
        orders = rows(
            "from marts.fct_orders where status <> 'cancelled' order by ordered_at, order_id"
        )
        category = {row["product_id"]: row["category"] for row in rows("from marts.dim_products")}
        categories = defaultdict(set)
        for line in rows("from marts.fct_order_lines"):
            categories[line["order_id"]].add(category.get(line["product_id"]))
        self.categories = categories
        self.orders = by_customer(orders)
        self.sessions = by_customer(rows("from marts.fct_sessions order by started_at, session_id"))
        self.answers = by_customer(
            rows("from staging.stg_crm__nps_responses order by responded_at, response_id")
        )
        self.reviews = by_customer(rows("from staging.stg_crm__reviews"))
        self.tickets = by_customer(rows("from staging.stg_crm__support_tickets"))
        self.invites = by_customer(rows("from staging.stg_crm__referrals"), "referrer_customer_id")
        self.points = by_customer(rows("from staging.stg_crm__loyalty_entries"))
        self.bands = {
            "basket": rows("from raw.ref_basket_bands"),
            "cadence": rows("from raw.ref_cadence_bands"),
        }

    def band(self, kind: str, value: float | None, unit: str) -> str | None:
        """The one band that a value falls in."""
        if value is None:
            return None
        bands = [
            row[f"{kind}_band"]
            for row in self.bands[kind]
            if row[f"from_{unit}"] <= value
            and (row[f"to_{unit}"] is None or value < row[f"to_{unit}"])
        ]
        assert len(bands) <= 1
        return bands[0] if bands else None

    def bought(self, customer: str) -> Row:
        """What the orders say."""
        orders = self.orders[customer]
        paid = [order for order in orders if order["is_revenue"]]

        def total(column: str) -> Any:
            return sum(order[column] for order in paid)

        units, net = total("unit_count"), total("net_amount")
        days = sorted({order["order_date"] for order in orders})
        gap = (days[-1] - days[0]).days / (len(days) - 1) if len(days) > 1 else None
        per_order = units / len(paid) if paid else None
        return {
            "order_count": len(orders),
            "revenue_order_count": len(paid),
            "unit_count": units,
            "returned_unit_count": total("returned_unit_count"),
            "net_amount": net,
            "net_amount_after_refunds_by_order_date": total(
                "net_amount_after_refunds_by_order_date"
            ),
            "mean_order_amount": rounded(net / len(paid)) if paid else None,
            "units_per_order": per_order,
            "basket_band": self.band("basket", per_order, "units"),
            "discount_share": float(total("discount_amount") / total("gross_amount"))
            if total("gross_amount")
            else None,
            "return_rate": total("returned_unit_count") / units if units else None,
            "favourite_category": favourite(
                category for order in orders for category in self.categories[order["order_id"]]
            ),
            "favourite_payment_method": favourite(order["payment_method"] for order in orders),
            "first_order_date": days[0] if days else None,
            "last_order_date": days[-1] if days else None,
            "days_since_last_order": (self.as_of - days[-1]).days if days else None,
            "mean_gap_days": gap,
            "cadence_band": self.band("cadence", gap, "days"),
        }

    def visited(self, customer: str) -> Row:
        """What the sessions say."""
        sessions = self.sessions[customer]
        recent = [s for s in sessions if (self.as_of - s["session_date"]).days < RECENT_DAYS]
        return {
            "session_count": len(sessions),
            "recent_session_count": len(recent),
            "last_session_date": max((s["session_date"] for s in sessions), default=None),
            "last_channel": sessions[-1]["channel"] if sessions else None,
            "favourite_device": favourite(
                row["device"] for row in (*sessions, *self.orders[customer])
            ),
        }

    def said(self, customer: str) -> Row:
        """What they answered, wrote, asked and told friends."""
        answers, ratings = self.answers[customer], [r["rating"] for r in self.reviews[customer]]
        score = answers[-1]["score"] if answers else None
        points = self.points[customer]
        return {
            "last_nps_score": score,
            "last_nps_class": None
            if score is None
            else ("detractor" if score <= 6 else "passive" if score <= 8 else "promoter"),
            "review_count": len(ratings),
            "mean_rating": sum(ratings) / len(ratings) if ratings else None,
            "ticket_count": len(self.tickets[customer]),
            "open_ticket_count": sum(t["resolved_at"] is None for t in self.tickets[customer]),
            "invite_count": len(self.invites[customer]),
            "bought_invite_count": sum(
                invite["first_order_at"] is not None for invite in self.invites[customer]
            ),
            "loyalty_points": sum(entry["points"] for entry in points) if points else None,
        }


@pytest.fixture(scope="module")
def profiles(demo: duckdb.DuckDBPyConnection) -> dict[str, Row]:
    """The published profiles by customer."""
    return {row["customer_id"]: row for row in dicts(demo, "from marts.dim_customer_profiles")}


@pytest.mark.parametrize("told", [Ledger.bought, Ledger.visited, Ledger.said])
def test_a_profile_is_what_the_customer_did(
    demo: duckdb.DuckDBPyConnection,
    profiles: dict[str, Row],
    told: Callable[[Ledger, str], Row],
) -> None:
    """Every customer of the demo shop, with orders or without, column by column."""
    ledger = Ledger(demo)
    known: Counter[str] = Counter()
    for customer, profile in profiles.items():
        expected = told(ledger, customer)
        for column, value in expected.items():
            assert profile[column] == pytest.approx(value), (customer, column)
            known[column] += bool(value)
    # Each column has something to tell, of some customers and not of all.
    assert all(0 < known[column] < len(profiles) for column in expected), known


def test_a_profile_stands_where_its_marts_stand(
    demo: duckdb.DuckDBPyConnection, profiles: dict[str, Row]
) -> None:
    """State, scores, value and churn of the latest day, nobody's twice and nobody's lost."""
    for mart, condition, columns in (
        ("fct_customer_rfm", "is_latest", {"segment": "rfm_segment", "fm_score": "fm_score"}),
        ("fct_customer_states", "is_current", {"state": "lifecycle_state"}),
        ("fct_customer_clv", "is_latest", {"predicted_clv_amount_365d": "", "spend_tier": ""}),
        ("fct_customer_churn", "is_latest", {"churn_probability": "", "days_overdue": ""}),
    ):
        rows = dicts(demo, f"from marts.{mart} where {condition}")
        theirs = {row["customer_id"]: row for row in rows}
        assert len(theirs) == len(rows) > 500
        for customer, profile in profiles.items():
            row = theirs.get(customer, {})
            for column, name in columns.items():
                assert profile[name or column] == row.get(column), (mart, customer, column)


def test_personas_are_counts_of_profiles(
    demo: duckdb.DuckDBPyConnection, profiles: dict[str, Row]
) -> None:
    """Customers, share and index of each value of each segment; unknown ones are a group too."""
    expected = {}
    for segmentation in SEGMENTATIONS:
        sizes = Counter(profile[segmentation] for profile in profiles.values())
        for attribute in ATTRIBUTES:
            overall = Counter(profile[attribute] for profile in profiles.values())
            pairs = Counter((p[segmentation], p[attribute]) for p in profiles.values())
            for (segment, value), count in pairs.items():
                share = count / sizes[segment]
                index = 100 * share * len(profiles) / overall[value]
                key = (segmentation, segment, attribute, value)
                expected[key] = (count, sizes[segment], share, index)
    found = {
        tuple(
            row[c] for c in ("segmentation", "segment", "attribute_name", "attribute_value")
        ): tuple(
            row[c]
            for c in ("customer_count", "segment_customer_count", "segment_share", "share_index")
        )
        for row in dicts(demo, "from marts.agg_segment_profiles")
    }
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values), key
    assert any(isinstance(key[3], str) and abs(v[3] - 100) > 50 for key, v in expected.items())

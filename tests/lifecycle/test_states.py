"""Customers' states, against a walk through every day of random lives, and what they add up to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

import duckdb
import pytest
from differences import differences
from lifecycle.life_ledger import CHURN_AFTER_DAYS, Life, lives_of, states_by_day
from lifecycle.random_lives import AS_OF, Tables, make_lives
from shops import dicts, write_tables
from warehouses import Build

SEED, CUSTOMER_COUNT = 20260630, 1500
PAST_DAY = date(2025, 2, 28)
DAY = timedelta(days=1)
STATES = ("visitor", "acquired", "activated", "retained", "advocate", "lapsing", "lost")

Row = dict[str, Any]


@dataclass
class Shop:
    """A build of random lives, and the walk through each of their days."""

    connection: duckdb.DuckDBPyConnection
    tables: Tables
    lives: dict[str, Life]
    states: dict[str, dict[date, str]]

    def rows(self, table: str) -> list[Row]:
        """The rows of a table."""
        return dicts(self.connection, f"select * from {table}")

    def built_states(self) -> dict[str, dict[date, str]]:
        """fct_customer_states, a state a day."""
        states: dict[str, dict[date, str]] = {}
        for row in self.rows("marts.fct_customer_states"):
            days = states.setdefault(row["customer_id"], {})
            day = row["valid_from_date"]
            while day < row["valid_to_date"] and day <= AS_OF:
                assert day not in days
                days[day] = row["state"]
                day += DAY
        return states


@pytest.fixture(scope="module")
def tables() -> Tables:
    return make_lives(CUSTOMER_COUNT, SEED)


@pytest.fixture(scope="module")
def shop(build: Build, tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = write_tables(tmp_path_factory.mktemp("lives"), tables)
    connection = build(
        select="+agg_lifecycle_daily +agg_nps_monthly +agg_reviews_monthly +agg_support_monthly "
        "+agg_loyalty_monthly +agg_referrals_monthly +agg_subscriptions_monthly",
        tests=False,
        raw_path=str(folder),
        as_of_date=str(AS_OF),
        churn_after_days=CHURN_AFTER_DAYS,
    )
    lives = lives_of(tables, AS_OF)
    return Shop(connection, tables, lives, states_by_day(lives, AS_OF))


def test_state_of_every_day_is_that_of_the_walk(shop: Shop) -> None:
    found, expected = shop.built_states(), shop.states
    assert {state for days in expected.values() for state in days.values()} == set(STATES)
    assert len(expected) > CUSTOMER_COUNT * 0.8
    assert differences(found, expected) == []


def test_stays_are_told_with_what_came_before_and_after(shop: Shop) -> None:
    """The dates and days of a stay are what a reader would count in the calendar."""
    found = {
        (row["customer_id"], row["valid_from_date"]): (
            row["previous_state"], row["next_state"], row["exited_date"], row["days_in_state"],
            row["is_current"], row["lead_date"],
        )
        for row in shop.rows("marts.fct_customer_states")
    }  # fmt: skip
    expected = {}
    for customer_id, days in shop.states.items():
        starts = [day for day, state in days.items() if days.get(day - DAY) != state]
        newsletter = shop.lives[customer_id].newsletter_days
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            is_lead = newsletter and days[start] == "visitor" and newsletter[0] < (end or date.max)
            expected[customer_id, start] = (
                days.get(start - DAY), days[end] if end else None, end,
                ((end or AS_OF + DAY) - start).days, end is None,
                newsletter[0] if is_lead else None,
            )  # fmt: skip
    assert any(stay[-1] for stay in expected.values())
    assert differences(found, expected) == []


def test_daily_stocks_and_flows_are_counted_from_the_walk(shop: Shop) -> None:
    stock: Counter[Any] = Counter()
    entered: Counter[Any] = Counter()
    left: Counter[Any] = Counter()
    leads: Counter[date] = Counter()
    for customer_id, days in shop.states.items():
        newsletter = shop.lives[customer_id].newsletter_days
        for day, state in days.items():
            stock[day, state] += 1
            if days.get(day - DAY) != state:
                entered[day, state] += 1
            if day < AS_OF and days[day + DAY] != state:
                left[day + DAY, state] += 1
            if state == "visitor" and newsletter and newsletter[0] <= day:
                leads[day] += 1
    first = min(day for day, _ in stock)
    expected = {
        (day, state): (
            stock[day, state], entered[day, state], left[day, state],
            leads[day] if state == "visitor" else None,
        )
        for day in (first + n * DAY for n in range((AS_OF - first).days + 1))
        for state in STATES
    }  # fmt: skip
    found = {
        (row["state_date"], row["state"]): (
            row["customer_count"], row["entered_count"], row["left_count"], row["lead_count"],
        )
        for row in shop.rows("marts.agg_lifecycle_daily")
    }  # fmt: skip
    assert differences(found, expected) == []


def test_states_of_the_past_do_not_move_with_what_comes_later(tables: Tables, shop: Shop) -> None:
    """The mart equals the walk, so the walk as of a past day must equal that of the last one.

    Left out are those of whom a later day tells something about earlier ones: whose sessions are
    known as theirs, and whose referral is known as theirs.
    """
    past_lives = lives_of(tables, PAST_DAY)
    past = states_by_day(past_lives, PAST_DAY)
    assert len(past) > CUSTOMER_COUNT / 2
    now = {
        customer_id: {day: state for day, state in days.items() if day <= PAST_DAY}
        for customer_id, days in shop.states.items()
        if min(days) <= PAST_DAY
        and not shop.lives[customer_id].session_days
        and not shop.lives[customer_id].referral_days
        and not past_lives[customer_id].referral_days
    }
    assert len(now) > CUSTOMER_COUNT / 4
    then = {customer_id: past.get(customer_id) for customer_id in now}
    assert differences(then, now) == []


# What customers say, by the month


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return month_of(month + timedelta(days=31))


def months_from(first: date) -> list[date]:
    months = [month_of(first)]
    while next_month(months[-1]) <= AS_OF:
        months.append(next_month(months[-1]))
    return months


def paris_day(shop: Shop, table: str, *columns: str) -> list[Row]:
    """The rows of a staging table, with the shop's day of each time."""
    days = "".join(
        f", cast({column} at time zone 'UTC' at time zone 'Europe/Paris' as date) as {column}_day"
        for column in columns
    )
    return dicts(shop.connection, f"select *{days} from staging.{table}")


def ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def test_nps_of_a_month_counts_each_customers_last_answer(shop: Shop) -> None:
    rows = paris_day(shop, "stg_crm__nps_responses", "responded_at")
    rows.sort(key=lambda row: (row["responded_at"], row["response_id"]))
    countries = {row["customer_id"]: row["country"] for row in shop.rows("marts.dim_customers")}
    last: dict[tuple[date, str], int] = {}
    for row in rows:
        last[month_of(row["responded_at_day"]), row["customer_id"]] = row["score"]
    expected: dict[Any, Any] = {
        (month, "all", None): (0, 0, 0, 0, None)
        for month in months_from(min(row["responded_at_day"] for row in rows))
    }
    groups: dict[Any, list[int]] = {}
    for (month, customer_id), score in last.items():
        for key in ((month, "all", None), (month, "country", countries.get(customer_id))):
            groups.setdefault(key, []).append(score)
    for key, scores in groups.items():
        promoters = sum(score >= 9 for score in scores)
        detractors = sum(score <= 6 for score in scores)
        passives = len(scores) - promoters - detractors
        nps = 100.0 * (promoters - detractors) / len(scores)
        expected[key] = (len(scores), promoters, passives, detractors, nps)
    found = {
        (row["month_start_date"], row["dimension"], row["dimension_value"]): (
            row["respondent_count"], row["promoter_count"], row["passive_count"],
            row["detractor_count"], row["nps"],
        )
        for row in shop.rows("marts.agg_nps_monthly")
        if row["dimension"] != "age_band"
    }  # fmt: skip
    assert differences(found, expected) == []
    immature = {
        row["month_start_date"]
        for row in shop.rows("marts.agg_nps_monthly")
        if not row["is_mature"]
    }
    assert immature == {month_of(AS_OF)}


def test_reviews_and_tickets_add_up_as_by_hand(shop: Shop) -> None:
    found: dict[Any, Any]
    reviews = paris_day(shop, "stg_crm__reviews", "reviewed_at")
    expected: dict[Any, Any] = {}
    for month in months_from(min(row["reviewed_at_day"] for row in reviews)):
        ratings = [row["rating"] for row in reviews if month_of(row["reviewed_at_day"]) == month]
        expected[month] = (len(ratings), sum(ratings), ratio(sum(ratings), len(ratings)))
    found = {
        row["month_start_date"]: (row["review_count"], row["rating_total"], row["mean_rating"])
        for row in shop.rows("marts.agg_reviews_monthly")
        if row["dimension"] == "all"
    }
    assert differences(found, expected) == []

    tickets = paris_day(shop, "stg_crm__support_tickets", "opened_at")
    expected = {}
    for month in months_from(min(row["opened_at_day"] for row in tickets)):
        for topic in ("delivery", "return", None, "all"):
            own = [
                row
                for row in tickets
                if month_of(row["opened_at_day"]) == month and topic in (row["topic"], "all")
            ]
            waits = [
                (row["first_response_at"] - row["opened_at"]) // timedelta(seconds=1)
                for row in own
                if row["first_response_at"] and row["first_response_at"] >= row["opened_at"]
            ]
            rated = [row["satisfaction"] for row in own if row["satisfaction"] is not None]
            if own or topic == "all":
                key = (month, None if topic == "all" else topic, topic == "all")
                expected[key] = (
                    len(own), sum(row["first_response_at"] is not None for row in own),
                    sum(row["resolved_at"] is not None for row in own), len(waits), sum(waits),
                    float(median(waits)) if waits else None, ratio(sum(rated), len(rated)),
                )  # fmt: skip
    found = {
        (row["month_start_date"], row["dimension_value"], row["dimension"] == "all"): (
            row["ticket_count"], row["answered_ticket_count"], row["resolved_ticket_count"],
            row["timed_response_count"], row["first_response_seconds"],
            row["first_response_seconds_median"], row["mean_satisfaction"],
        )
        for row in shop.rows("marts.agg_support_monthly")
        if row["dimension"] != "channel"
    }  # fmt: skip
    assert differences(found, expected) == []


def test_points_earned_less_points_gone_are_the_balance(shop: Shop) -> None:
    rows = paris_day(shop, "stg_crm__loyalty_entries", "entered_at")
    expected = {}
    for month in months_from(min(row["entered_at_day"] for row in rows)):
        own = [row for row in rows if month_of(row["entered_at_day"]) == month]
        so_far = [row for row in rows if row["entered_at_day"] < next_month(month)]

        def points(reason: str | None, own: list[Row] = own) -> int:
            return sum(row["points"] for row in own if row["reason"] == reason)

        expected[month] = (
            len({row["customer_id"] for row in so_far}), len({row["customer_id"] for row in own}),
            points("earn"), points("bonus"), -points("redeem"), -points("expire"), points(None),
            sum(row["points"] for row in so_far),
            ratio(-points("redeem"), points("earn") + points("bonus")),
        )  # fmt: skip
    found = {
        row["month_start_date"]: (
            row["member_count"], row["active_member_count"], row["earned_points"],
            row["bonus_points"], row["redeemed_points"], row["expired_points"],
            row["other_points"], row["closing_points"], row["redemption_rate"],
        )
        for row in shop.rows("marts.agg_loyalty_monthly")
    }  # fmt: skip
    assert differences(found, expected) == []


def test_k_factor_is_invites_per_customer_times_their_conversion(shop: Shop) -> None:
    rows = paris_day(shop, "stg_crm__referrals", "invited_at")
    buyers = [life.order_days[0] for life in shop.lives.values() if life.order_days]
    expected, found = {}, {}
    for month in months_from(min(row["invited_at_day"] for row in rows)):
        own = [row for row in rows if month_of(row["invited_at_day"]) == month]
        bought = sum(row["first_order_at"] is not None for row in own)
        accepted = sum(
            any(row[column] for column in ("referee_customer_id", "signed_up_at", "first_order_at"))
            for row in own
        )
        customers = sum(day < next_month(month) for day in buyers)
        expected[month] = (
            len(own), len({row["referrer_customer_id"] for row in own}), accepted, bought,
            customers, sum((row["reward_amount"] or Decimal(0) for row in own), Decimal("0.00")),
            ratio(bought, len(own)),
        )  # fmt: skip
    for row in shop.rows("marts.agg_referrals_monthly"):
        found[row["month_start_date"]] = (
            row["invite_count"], row["inviting_customer_count"], row["accepted_invite_count"],
            row["bought_invite_count"], row["customer_count"], row["reward_amount"],
            row["conversion_rate"],
        )  # fmt: skip
        if row["invite_count"] and row["customer_count"]:
            k = row["invites_per_customer"] * row["conversion_rate"]
            assert row["k_factor"] == pytest.approx(k, rel=1e-12)
    assert differences(found, expected) == []


def monthly_price(row: Row) -> Decimal:
    """The price a month in euros, each step to the cent, by the rate of the first day."""
    rate = Decimal(1)
    if row["currency"] == "USD":
        rate = Decimal("0.9") if row["started_at_day"] < date(2024, 9, 1) else Decimal("0.95")
    price: Decimal = (row["price"] * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
    share = Fraction(price) / row["interval_months"]
    exact = Decimal(int(share.numerator)) / Decimal(int(share.denominator))
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_mrr_moves_by_what_customers_pay_at_the_ends_of_months(shop: Shop) -> None:
    rows = paris_day(shop, "stg_shop__subscriptions", "started_at", "ended_at")
    rows = [row for row in rows if row["ended_at_day"] != row["started_at_day"]]
    priced = [row for row in rows if row["interval_months"]]
    before: dict[str, Decimal] = {}
    ever: set[str] = set()
    expected = {}
    for month in months_from(min(row["started_at_day"] for row in rows)):
        last_day = min(next_month(month) - DAY, AS_OF)
        now: dict[str, Decimal] = {}
        for row in priced:
            is_over = row["ended_at_day"] and row["ended_at_day"] <= last_day
            if row["started_at_day"] <= last_day and not is_over:
                now[row["customer_id"]] = now.get(row["customer_id"], Decimal(0)) + monthly_price(
                    row
                )
        moves = dict.fromkeys(
            ("new", "reactivated", "expansion", "contraction", "churned"), Decimal("0.00")
        )
        counts: Counter[str] = Counter()
        for customer_id in before.keys() | now.keys():
            old, new = before.get(customer_id), now.get(customer_id)
            if old is None:
                kind = "reactivated" if customer_id in ever else "new"
            elif new is None:
                kind = "churned"
            else:
                kind = "expansion" if new > old else "contraction"
            moves[kind] += abs((new or Decimal(0)) - (old or Decimal(0)))
            counts[kind] += 1
        opening, closing = (sum(each.values(), Decimal("0.00")) for each in (before, now))
        expected[month] = (
            opening, *moves.values(), closing, len(before), counts["new"], counts["reactivated"],
            counts["churned"], len(now), ratio(counts["churned"], len(before)),
        )  # fmt: skip
        ever |= now.keys()
        before = now
    found = {
        row["month_start_date"]: (
            row["opening_mrr_amount"], row["new_mrr_amount"], row["reactivated_mrr_amount"],
            row["expansion_mrr_amount"], row["contraction_mrr_amount"], row["churned_mrr_amount"],
            row["closing_mrr_amount"], row["opening_subscriber_count"],
            row["new_subscriber_count"], row["reactivated_subscriber_count"],
            row["churned_subscriber_count"], row["closing_subscriber_count"],
            row["subscriber_churn_rate"],
        )
        for row in shop.rows("marts.agg_subscriptions_monthly")
    }  # fmt: skip
    assert differences(found, expected) == []

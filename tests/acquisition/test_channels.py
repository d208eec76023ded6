"""Channels, their spend and their customers against SQL and loops written from the definitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
from acquisition.conftest import Households
from acquisition.households import LAST
from differences import differences
from shops import dicts

from seeds.simulator.__main__ import demo as simulate
from seeds.simulator.config import QUALITY

SEED = 42  # of seeds/raw
PAID = {"paid_search", "paid_social", "affiliate", "display"}
# The tables of the definitions, by hand: sessions and spend as they are, each order at its last
# touch that is not direct, each new customer at the first touch.
BY_HAND = """
with touches as (
    select orders.order_id, sessions.*
    from marts.fct_orders as orders
    inner join marts.fct_sessions as sessions
        on sessions.started_at between orders.ordered_at - interval 30 day and orders.ordered_at
        and (
            sessions.visitor_id = orders.visitor_id
            or sessions.session_id = orders.session_id
            or sessions.visitor_id = (
                select visitor_id from marts.fct_sessions
                where session_id = orders.session_id and customer_id is null
            )
        )
    where orders.status <> 'cancelled'
), last_touches as (
    select distinct on (order_id) order_id, channel, utm_campaign as campaign
    from touches order by order_id, channel = 'direct', started_at desc, session_id desc
), first_touches as (
    select distinct on (order_id) order_id, channel, utm_campaign as campaign
    from touches order by order_id, started_at, session_id
), facts as (
    select
        spend_date as day, channel, utm_campaign as campaign,
        {'spend': spend_amount, 'clicks': click_count} as fact
    from marts.fct_ad_spend
    union all by name
    select
        session_date as day, channel, utm_campaign as campaign,
        {'sessions': 1, 'visitors': cast(is_new_visitor as int), 'bounces': cast(is_bounced as int),
         'conversions': cast(is_converted as int)} as fact
    from marts.fct_sessions
    union all by name
    select
        order_date as day, coalesce(last_touches.channel, 'unattributed') as channel, campaign,
        {'orders': 1, 'net': net_amount, 'margin': margin_amount} as fact
    from marts.fct_orders left join last_touches using (order_id) where status <> 'cancelled'
    union all by name
    select
        order_date as day, coalesce(first_touches.channel, 'unattributed') as channel, campaign,
        {'customers': 1} as fact
    from marts.fct_orders left join first_touches using (order_id) where is_first_order
    union all by name
    select
        entries.entry_date as day, sessions.channel, sessions.utm_campaign as campaign,
        {'leads': 1, 'final_leads': cast(is_mature as int),
         'buying_leads': cast(is_mature and entries.is_converted as int)} as fact
    from marts.fct_funnel_entries as entries
    inner join marts.fct_sessions as sessions using (session_id)
    where funnel = 'lead_to_customer'
), sums as (
    select
        day, channel, campaign,
        sum(fact.spend) as spend,
        sum(fact.clicks) as clicks,
        coalesce(sum(fact.sessions), 0) as sessions,
        coalesce(sum(fact.visitors), 0) as visitors,
        coalesce(sum(fact.bounces), 0) as bounces,
        coalesce(sum(fact.conversions), 0) as conversions,
        coalesce(sum(fact.leads), 0) as leads,
        coalesce(sum(fact.final_leads), 0) as final_leads,
        coalesce(sum(fact.buying_leads), 0) as buying_leads,
        coalesce(sum(fact.orders), 0) as orders,
        coalesce(sum(fact.customers), 0) as customers,
        coalesce(sum(fact.net), 0) as net,
        coalesce(sum(fact.margin), 0) as margin
    from facts group by all
)
select
    day as performance_date,
    channel,
    campaign,
    spend as spend_amount,
    clicks as click_count,
    sessions as session_count,
    visitors as new_visitor_count,
    bounces as bounced_session_count,
    conversions as converted_session_count,
    leads as lead_count,
    final_leads as mature_lead_count,
    buying_leads as converted_lead_count,
    orders as order_count,
    customers as new_customer_count,
    net as net_amount,
    margin as margin_amount,
    margin - coalesce(spend, 0) as margin_after_ads_amount,
    spend / nullif(clicks, 0) as cost_per_click,
    bounces / nullif(sessions, 0) as bounce_rate,
    conversions / nullif(sessions, 0) as conversion_rate,
    leads / nullif(sessions, 0) as lead_rate,
    buying_leads / nullif(final_leads, 0) as lead_conversion_rate,
    spend / nullif(customers, 0) as cac,
    spend / nullif(orders, 0) as cost_per_order,
    net / nullif(spend, 0) as roas,
    (margin - spend) / nullif(spend, 0) as roi,
    (select sum(net) / nullif(sum(spend), 0) from sums as days where days.day = sums.day)
        as day_mer,
    (select sum(spend) / nullif(sum(customers), 0) from sums as days where days.day = sums.day)
        as day_blended_cac,
    (
        select sum(spend) / nullif(sum(customers), 0) from sums as days
        where days.day = sums.day
        and channel in ('paid_search', 'paid_social', 'affiliate', 'display')
    ) as day_paid_cac
from sums
"""


def test_channel_performance_is_the_definitions_written_out(households: Households) -> None:
    """Every count, amount and ratio of every day, channel and campaign, those without one too."""
    expected = dicts(households.connection, BY_HAND)
    columns = list(expected[0])
    rows = dicts(
        households.connection, f"select {', '.join(columns)} from marts.agg_channel_performance"
    )
    keys = ("performance_date", "channel", "campaign")
    found = {tuple(row[key] for key in keys): _numbers(row) for row in rows}
    assert len(found) == len(rows) == len(expected)
    assert not differences(
        found, {tuple(row[key] for key in keys): _numbers(row) for row in expected}
    )
    for column in columns:
        assert any(row[column] for row in rows), f"{column} is 0 or unknown in every row"


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers to twelve digits, whatever type an engine sums them in."""
    return {
        name: float(f"{value:.12g}") if isinstance(value, int | float | Decimal) else value
        for name, value in row.items()
    }


def test_spend_is_shared_alike_among_the_sessions_of_its_day(households: Households) -> None:
    """Each session of a paid day, channel and campaign bears its share; none is made up or lost."""
    spend: dict[Any, Decimal] = defaultdict(Decimal)
    for row in households.rows("fct_ad_spend"):
        spend[row["spend_date"], row["channel"], row["utm_campaign"]] += row["spend_amount"]
    sessions = defaultdict(set)
    for row in households.sessions:
        sessions[row["session_date"], row["channel"], row["utm_campaign"]].add(row["session_id"])
    shares: dict[Any, dict[str | None, Decimal]] = defaultdict(dict)
    for row in households.rows("fct_spend_allocations"):
        key = row["spend_date"], row["channel"], row["campaign"]
        assert row["session_id"] not in shares[key]
        assert row["is_allocated"] == (row["session_id"] is not None)
        shares[key][row["session_id"]] = row["spend_amount"]
    assert spend.keys() == shares.keys()
    counts = Counter(len(sessions[key]) for key in spend)
    assert min(counts[0], counts[1], sum(counts[n] for n in counts if n > 1)) >= 5
    for key, amount in spend.items():
        assert set(shares[key]) == (sessions[key] or {None})
        assert sum(shares[key].values()) == amount
        assert max(shares[key].values()) - min(shares[key].values()) <= Decimal("0.01")
        assert min(shares[key].values()) >= 0


def test_cohorts_of_channels_are_those_of_loops(households: Households) -> None:
    """Customers, spend, value to date, CAC, rating, distance and payback, by hand."""
    spend: dict[Any, Decimal] = {}
    for row in households.rows("fct_ad_spend"):
        for scope in _scopes(row["channel"]):
            key = (*scope, row["spend_date"].replace(day=1))
            spend[key] = spend.get(key, Decimal(0)) + row["spend_amount"]
    customers = Counter[Any]()
    cohort_of = {}
    for path in households.paths:
        if path.order["is_first_order"]:
            channel = path.touches[0]["channel"] if path.touches else "unattributed"
            cohort_of[path.order["customer_id"]] = channel, path.order["order_date"].replace(day=1)
    for channel, month in cohort_of.values():
        customers.update((*scope, month) for scope in _scopes(channel))
    values: dict[Any, list[tuple[int, Decimal, Decimal]]] = defaultdict(list)
    for order in households.orders:
        if order["is_revenue"] and order["customer_id"]:
            channel, month = cohort_of[order["customer_id"]]
            months_since = _month(order["order_date"]) - _month(month)
            value = months_since, order["net_amount"], order["margin_amount"] or Decimal(0)
            for scope in _scopes(channel):
                values[*scope, month].append(value)
    expected = {}
    for key in spend.keys() | customers.keys():
        count, paid = customers[key], spend.get(key)
        margin = sum((value[2] for value in values[key]), Decimal(0))
        ratio = float(margin) / float(paid) if paid and count else None
        average = _ratio(values, spend, customers, ("all", None, key[2]))
        payback = next(
            (
                n
                for n in sorted({value[0] for value in values[key]})
                if paid and count and sum(v[2] for v in values[key] if v[0] <= n) >= paid
            ),
            None,
        )
        expected[key] = {
            "new_customer_count": count,
            "spend_amount": paid,
            "net_amount": sum((value[1] for value in values[key]), Decimal(0)),
            "margin_amount": margin,
            "cac": float(paid) / count if paid is not None and count else None,
            "margin_per_customer": float(margin) / count if count else None,
            "ltv_cac_ratio": ratio,
            "ltv_cac_rating": None if ratio is None else _rating(ratio),
            "ltv_cac_difference": None if ratio is None or average is None else ratio - average,
            "payback_month_count": payback,
            "complete_month_count": max(_month(LAST) - _month(key[2]), 0),
            "is_mature": False,
        }
    names = next(iter(expected.values()))
    rows = households.rows("agg_channel_ltv_cac")
    found = {
        (row["channel_scope"], row["channel"], row["cohort_month_date"]): {
            name: row[name] for name in names
        }
        for row in rows
    }
    assert len(found) == len(rows)
    assert not differences(
        {key: _rounded(row) for key, row in found.items()},
        {key: _rounded(row) for key, row in expected.items()},
    )
    assert len({row["ltv_cac_rating"] for row in expected.values()}) >= 3
    assert {None, 0} <= {row["payback_month_count"] for row in expected.values()}


def _scopes(channel: str) -> list[tuple[str, str | None]]:
    return [("channel", channel), ("all", None), *([("paid", None)] if channel in PAID else [])]


def _month(day: date) -> int:
    """Months since the year 0; the last known day is a month's last, so that month is complete."""
    return day.year * 12 + day.month


def _ratio(values: Any, spend: Any, customers: Any, key: Any) -> float | None:
    paid = spend.get(key)
    margin = sum(float(value[2]) for value in values[key])
    return margin / float(paid) if paid and customers[key] else None


def _rating(ratio: float) -> str:
    bounds = ((1, "loses_money"), (3, "thin"), (5, "healthy"), (float("inf"), "under_invested"))
    return next(name for bound, name in bounds if ratio < bound)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Ratios to nine decimals: sums of floats in another order differ after that."""
    return {name: round(v, 9) if isinstance(v, float) else v for name, v in row.items()}


def test_customers_come_through_the_channel_that_was_planted(
    demo: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Who was tracked from the first visit on has the first touch that the simulator gave them."""
    simulate(SEED, tmp_path / "raw", tmp_path / "truth")
    same, all_of_them = demo.execute(
        f"""
        select count(*) filter (channel = acquisition_channel), count(*)
        from marts.fct_attributed_revenue
        inner join '{tmp_path}/truth/truth_customers.parquet' using (customer_id)
        where attribution_model = 'first_touch' and is_first_order and channel <> 'unattributed'
        """
    ).fetchall()[0]
    assert all_of_them >= 200
    assert same / all_of_them > 0.8


def planted(channel: str) -> float:
    """What a customer of a channel is worth by plan: how often, how long and how much they buy."""
    quality = QUALITY[channel]
    return quality.rate * quality.spend / quality.dropout


def test_customers_of_better_channels_are_worth_more_and_come_back(
    demo: duckdb.DuckDBPyConnection,
) -> None:
    """Where the plan sets two channels with customers enough far apart, so do value and return."""
    rows = demo.execute(
        """
        with acquired as (
            select customer_id, channel, order_date
            from marts.fct_attributed_revenue
            where attribution_model = 'first_touch' and is_first_order
            and channel <> 'unattributed'
        ), second as (
            select customer_id, order_date from marts.fct_orders where customer_order_number = 2
        )
        select
            channel, count(*),
            (
                select sum(margin_amount) / sum(new_customer_count)
                from marts.agg_channel_ltv_cac as ltv
                where ltv.channel = acquired.channel and channel_scope = 'channel'
            ),
            avg(cast(second.order_date < acquired.order_date + 60 as int))
        from acquired left join second using (customer_id) group by channel
        """
    ).fetchall()
    count = {row[0]: row[1] for row in rows}
    margin = {row[0]: row[2] for row in rows}
    populated = [channel for channel in count if count[channel] >= 20]
    pairs = [
        (one, other)
        for one, other in permutations(populated, 2)
        if planted(one) > 2 * planted(other)
    ]
    assert len(populated) >= 6
    assert len(pairs) >= 6
    for one, other in pairs:
        assert margin[one] > margin[other], (one, other)
    returned = {row[0]: row[3] or 0.0 for row in rows}
    good = [channel for channel in count if planted(channel) > 1.2]
    bad = [channel for channel in count if planted(channel) < 0.6]

    def share(channels: list[str]) -> float:
        buyers = sum(count[c] * returned[c] for c in channels)
        return float(buyers / sum(count[c] for c in channels))

    assert min(sum(count[c] for c in group) for group in (good, bad)) >= 30
    assert share(good) > share(bad)

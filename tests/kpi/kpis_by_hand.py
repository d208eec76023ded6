"""Every KPI as a query written by hand from the definitions, over staging and core marts.

A query gives the numerator and, of a ratio, the denominator, of the days from $from_date up to but
not $to_date. None of them reads a model of the KPIs, nor the mart that the KPI itself comes from
where the rows behind it tell the same. Amounts are exact.
"""

from __future__ import annotations

from typing import NamedTuple

PARIS = "at time zone 'UTC' at time zone 'Europe/Paris'"


def day(time: str) -> str:
    """The date in the shop's zone of a UTC time."""
    return f"cast({time} {PARIS} as date)"


def within(date: str) -> str:
    """Whether a date lies in the period."""
    return f"{date} >= $from_date and {date} < $to_date"


class ByHand(NamedTuple):
    """Numerator and denominator as select items, and what they are selected from."""

    numerator: str
    denominator: str
    source: str

    @property
    def query(self) -> str:
        """The query, of one row."""
        return f"select {self.numerator}, {self.denominator} {self.source}"


def of_orders(numerator: str, denominator: str = "null", condition: str = "true") -> ByHand:
    """Of orders that are neither pending nor cancelled, by order date."""
    return ByHand(
        numerator,
        denominator,
        f"from marts.fct_orders where status in ('paid', 'shipped', 'delivered')"
        f" and {within(day('ordered_at'))} and {condition}",
    )


def of_kept_orders(numerator: str, denominator: str = "null") -> ByHand:
    """Of orders of known customers that are not cancelled, each with the one before."""
    return ByHand(
        numerator,
        denominator,
        "from (select *, lag(ordered_at) over (partition by customer_id"
        " order by ordered_at, order_id) as ordered_before_at from marts.fct_orders"
        " where status <> 'cancelled' and customer_id is not null)"
        f" where {within(day('ordered_at'))}",
    )


def of_sessions(numerator: str, denominator: str = "null") -> ByHand:
    """Of sessions, by the day that they begin on."""
    return ByHand(
        numerator, denominator, f"from marts.fct_sessions where {within(day('started_at'))}"
    )


def of_carts(numerator: str, denominator: str = "null") -> ByHand:
    """Of carts, by the day of the first add."""
    return ByHand(numerator, denominator, f"from marts.fct_carts where {within(day('started_at'))}")


def of_lines(numerator: str, denominator: str = "null") -> ByHand:
    """Of order lines priced again, in the order's currency at the rate of its day."""
    return ByHand(
        numerator,
        denominator,
        f"from marts.fct_order_lines where is_revenue and {within('order_date')}",
    )


def apart(numerator: str, denominator: str) -> ByHand:
    """Two queries that have nothing to do with each other."""
    return ByHand(f"({numerator})", f"({denominator})" if denominator else "null", "")


REVENUE_ORDERS = (
    f"from marts.fct_orders where status in ('paid', 'shipped', 'delivered')"
    f" and {within(day('ordered_at'))}"
)
SPEND = f"select sum(spend_amount) from marts.fct_ad_spend where {within('spend_date')}"
ORDERS = f"select count(*) {REVENUE_ORDERS}"
NET = f"select coalesce(sum(net_amount), 0) {REVENUE_ORDERS}"
UNITS = f"select coalesce(sum(unit_count), 0) {REVENUE_ORDERS}"
SESSIONS = f"select count(*) from marts.fct_sessions where {within(day('started_at'))}"
PAID = "channel in ('paid_search', 'paid_social', 'affiliate', 'display')"
PAID_SPEND = f"{SPEND} and {PAID}"
FIRST_ORDERS = (
    "(select customer_id, arg_min(order_id, (ordered_at, order_id)) as order_id,"
    f" {day('min(ordered_at)')} as first_date from staging.stg_shop__orders"
    " where status <> 'cancelled' and customer_id is not null group by customer_id)"
)
NEW_CUSTOMERS = f"select count(*) from {FIRST_ORDERS} where {within('first_date')}"
# A first touch is a session of the customer in the 30 days up to the order.
FIRST_TOUCHES = (
    f"(select orders.order_id, first_orders.customer_id, first_date, touches.channel from"
    f" {FIRST_ORDERS} as first_orders inner join marts.fct_orders as orders using (order_id)"
    " left join lateral (select channel from marts.fct_sessions as sessions"
    " where sessions.visitor_id = orders.visitor_id and started_at <= orders.ordered_at"
    " and started_at >= orders.ordered_at - interval 30 day"
    " order by started_at, session_id limit 1) as touches on true)"
)
# The last session that was not direct, else the last one.
LAST_TOUCHES = (
    "(select orders.*, touches.channel from marts.fct_orders as orders"
    " left join lateral (select channel from marts.fct_sessions as sessions"
    " where sessions.visitor_id = orders.visitor_id and started_at <= orders.ordered_at"
    " and started_at >= orders.ordered_at - interval 30 day"
    " order by channel = 'direct', started_at desc, session_id desc limit 1) as touches on true)"
)
PAID_ORDERS = f"from {LAST_TOUCHES} where {PAID} and is_revenue and {within('order_date')}"
LEADS = "from marts.fct_funnel_entries where funnel = 'lead_to_customer'"
MATURE = f"is_mature and {within('entry_date')}"
COHORT = (
    f"from marts.fct_orders where is_revenue and customer_id in"
    f" (select customer_id from {FIRST_ORDERS} where {within('first_date')})"
)
RESPONSES = (
    "(select customer_id, arg_max(score, (responded_at, response_id)) as score"
    " from staging.stg_crm__nps_responses"
    f" where {within(day('responded_at'))} group by customer_id)"
)
REVIEWS = f"from staging.stg_crm__reviews where {within(day('reviewed_at'))}"
TICKETS = f"from staging.stg_crm__support_tickets where {within(day('opened_at'))}"
ANSWERED = f"{TICKETS} and first_response_at >= opened_at"
REFERRALS = f"from staging.stg_crm__referrals where {within(day('invited_at'))}"
POINTS = f"from staging.stg_crm__loyalty_entries where {within(day('entered_at'))}"
CUSTOMERS = f"select count(*) from {FIRST_ORDERS} where first_date < $to_date"
# Who has ordered in the 180 days before a date is active when it begins.
CUSTOMER_DAYS = (
    f"(select distinct customer_id, {day('ordered_at')} as order_date"
    " from staging.stg_shop__orders where status <> 'cancelled' and customer_id is not null)"
)


def active(date: str) -> str:
    """The customers who are active when a day begins."""
    return (
        f"select customer_id from {CUSTOMER_DAYS} where order_date < {date}"
        f" group by customer_id having max(order_date) + 180 >= {date}"
    )


OPENING = f"select count(*) from ({active('$from_date')})"
RETAINED = (
    f"select count(*) from ({active('$from_date')} intersect {active('cast($to_date as date)')})"
)
SUBSCRIPTIONS = (
    f"(select *, {day('started_at')} as started_date, {day('ended_at')} as ended_date"
    " from staging.stg_shop__subscriptions as subscriptions inner join staging.stg_shop__fx_rates"
    f" as rates on subscriptions.currency = rates.currency and {day('started_at')}"
    f" >= valid_from_date and {day('started_at')} < valid_to_date)"
)


def subscribers(date: str) -> str:
    """Customers with a subscription when a day begins, and what they pay a month."""
    return (
        f"from {SUBSCRIPTIONS} where started_date < {date}"
        f" and (ended_date is null or ended_date >= {date})"
    )


KPIS: dict[str, ByHand] = {
    "visitors": of_sessions("count(distinct visitor_id)"),
    "new_visitors": of_sessions("count(*) filter (where visitor_session_number = 1)"),
    "returning_visitors": of_sessions(
        "count(distinct visitor_id) - count(*) filter (where visitor_session_number = 1)"
    ),
    "new_visitor_share": of_sessions(
        "count(*) filter (where visitor_session_number = 1)", "count(distinct visitor_id)"
    ),
    "sessions": of_sessions("count(*)"),
    "sessions_per_visitor": of_sessions("count(*)", "count(distinct visitor_id)"),
    "bounce_rate": of_sessions(
        "count(*) filter (where page_view_count <= 1 and engaged_ms < 10000 and is_bounced)",
        "count(*)",
    ),
    "engagement_rate": of_sessions("count(*) filter (where is_engaged)", "count(*)"),
    "engaged_ms_per_session": of_sessions("sum(engaged_ms)", "count(*)"),
    "pages_per_session": of_sessions("sum(page_view_count)", "count(*)"),
    "page_load_ms": of_sessions("sum(page_load_ms)", "sum(page_load_count)"),
    "ad_spend": apart(SPEND, ""),
    "ad_impressions": apart(SPEND.replace("spend_amount", "impression_count"), ""),
    "ad_click_rate": apart(
        SPEND.replace("spend_amount", "click_count"),
        SPEND.replace("spend_amount", "impression_count"),
    ),
    "cost_per_click": apart(SPEND, SPEND.replace("spend_amount", "click_count")),
    "new_customers": apart(NEW_CUSTOMERS, ""),
    "cac": apart(SPEND, NEW_CUSTOMERS),
    "cpa": apart(SPEND, ORDERS),
    "mer": apart(NET, SPEND),
    "leads": apart(f"select count(*) {LEADS} and {within('entry_date')}", ""),
    "lead_rate": apart(f"select count(*) {LEADS} and {within('entry_date')}", SESSIONS),
    "lead_conversion_rate": apart(
        f"select count(*) {LEADS} and {MATURE} and is_converted",
        f"select count(*) {LEADS} and {MATURE}",
    ),
    "paid_cac": apart(
        PAID_SPEND,
        f"select count(*) from {FIRST_TOUCHES} where {PAID} and {within('first_date')}",
    ),
    "roas": apart(f"select coalesce(sum(net_amount), 0) {PAID_ORDERS}", PAID_SPEND),
    "roi": apart(
        f"select coalesce(sum(margin_amount), 0) - ({PAID_SPEND}) {PAID_ORDERS}", PAID_SPEND
    ),
    "ltv": apart(f"select sum(margin_amount) {COHORT}", NEW_CUSTOMERS),
    "ltv_cac": apart(f"select sum(margin_amount) {COHORT}", SPEND),
    "payback_months": apart(
        "select min(month_number) from (select month_number,"
        " sum(sum(margin_amount)) over (order by month_number) as margin_amount from"
        " (select margin_amount, datediff('month', cast($from_date as date), order_date)"
        f" as month_number {COHORT}) group by month_number) where margin_amount >= ({SPEND})",
        "",
    ),
    "add_to_cart_rate": of_sessions("count(add_to_cart_at)", "count(*)"),
    "checkout_rate": of_sessions("count(begin_checkout_at)", "count(*)"),
    "checkout_abandonment_rate": of_sessions(
        "count(begin_checkout_at) filter (where purchase_at is null)", "count(begin_checkout_at)"
    ),
    "carts": of_carts("count(*)"),
    "cart_abandonment_rate": of_carts(
        "count(*) filter (where is_mature and not is_ordered)", "count(*) filter (where is_mature)"
    ),
    "cart_recovery_rate": of_carts(
        "count(*) filter (where is_mature and not is_ordered and is_recovery_mature"
        " and recovered_at is not null)",
        "count(*) filter (where is_mature and not is_ordered and is_recovery_mature)",
    ),
    "abandoned_cart_value": of_carts(
        "coalesce(sum(cart_amount) filter (where is_mature and not is_ordered), 0)"
    ),
    "session_conversion_rate": of_sessions("count(*) filter (where is_converted)", "count(*)"),
    "visitor_conversion_rate": of_sessions(
        "count(distinct visitor_id) filter (where is_converted)", "count(distinct visitor_id)"
    ),
    "orders": of_orders("count(*)"),
    "units_sold": of_lines("coalesce(sum(quantity), 0)"),
    "products_sold": of_lines("count(distinct product_id)"),
    "units_per_order": of_orders("sum(unit_count)", "count(*)"),
    "promo_order_rate": of_orders("count(promo_code)", "count(*)"),
    "on_time_delivery_rate": ByHand(
        "count(*) filter (where delivered_at <= delivery_promised_at)",
        "count(*) filter (where delivery_promised_at is not null)",
        f"from staging.stg_shop__orders where {within(day('delivered_at'))}",
    ),
    "return_rate": apart(
        "select coalesce(sum(returned_unit_count), 0) from marts.fct_refunds"
        f" where is_revenue and {within(day('refunded_at'))}",
        UNITS,
    ),
    "buyers": of_orders("count(distinct customer_id)"),
    "purchase_frequency": of_orders("count(customer_id)", "count(distinct customer_id)"),
    "repeat_order_rate": of_kept_orders("count(ordered_before_at)", "count(*)"),
    "repeat_rate": apart(
        "select count(*) from (select customer_id from staging.stg_shop__orders"
        f" where status <> 'cancelled' and customer_id is not null and {day('ordered_at')}"
        " < $to_date group by customer_id having count(*) >= 2)",
        CUSTOMERS,
    ),
    "days_between_orders": of_kept_orders(
        "coalesce(sum(cast(epoch_us(ordered_at) - epoch_us(ordered_before_at) as double)"
        " / 86400000000), 0)",
        "count(ordered_before_at)",
    ),
    "gross_revenue": of_lines("coalesce(sum(gross_amount), 0)"),
    "discount": of_lines("coalesce(sum(discount_amount), 0)"),
    "discount_rate": of_lines("sum(discount_amount)", "sum(gross_amount)"),
    "net_revenue": of_lines("coalesce(sum(gross_amount - discount_amount), 0)"),
    "net_revenue_after_refunds": apart(
        f"select ({NET}) - coalesce(sum(refund_amount), 0) from marts.fct_refunds"
        f" where is_revenue and {within('order_date')}",
        "",
    ),
    "refunds": ByHand(
        "coalesce(sum(refund_amount), 0)",
        "null",
        f"from marts.fct_refunds where is_revenue and {within(day('refunded_at'))}",
    ),
    "shipping_revenue": of_orders("coalesce(sum(shipping_amount), 0)"),
    "aov": of_orders("sum(net_amount)", "count(*)"),
    "revenue_per_session": apart(NET, SESSIONS),
    "cost": of_lines("coalesce(sum(cost_amount), 0)"),
    "margin": of_lines(
        "coalesce(sum(net_amount - refund_amount_by_order_date - kept_cost_amount), 0)"
    ),
    "margin_rate": of_lines(
        "sum(net_amount - refund_amount_by_order_date - kept_cost_amount)", "sum(net_amount)"
    ),
    "profit_per_customer": of_orders(
        "sum(net_amount_after_refunds_by_order_date - cost_amount) + (select"
        " coalesce(sum(returned_cost_amount), 0) from marts.fct_refunds where is_revenue"
        f" and customer_id is not null and {within('order_date')})",
        "count(distinct customer_id)",
        "customer_id is not null",
    ),
    "retention_rate": apart(RETAINED, OPENING),
    "churn_rate": apart(f"select ({OPENING}) - ({RETAINED})", OPENING),
    "reactivated_customers": apart(
        f"select count(distinct customer_id) from {CUSTOMER_DAYS} where {within('order_date')}"
        f" and customer_id not in ({active('$from_date')})"
        f" and customer_id in (select customer_id from {CUSTOMER_DAYS}"
        " where order_date < $from_date)",
        "",
    ),
    "nps": ByHand(
        "100 * (count(*) filter (where score >= 9) - count(*) filter (where score <= 6))",
        "count(*)",
        f"from {RESPONSES}",
    ),
    "average_rating": ByHand("sum(rating)", "count(*)", REVIEWS),
    "reviews": ByHand("count(*)", "null", REVIEWS),
    "support_tickets": ByHand("count(*)", "null", TICKETS),
    "ticket_rate": apart(f"select count(*) {TICKETS}", ORDERS),
    "first_response_hours": ByHand(
        "sum(epoch(first_response_at) - epoch(opened_at)) / 3600", "count(*)", ANSWERED
    ),
    "support_satisfaction": ByHand("sum(satisfaction)", "count(satisfaction)", TICKETS),
    "loyalty_redemption_rate": ByHand(
        "-sum(points) filter (where reason = 'redeem')",
        "sum(points) filter (where reason in ('earn', 'bonus'))",
        POINTS,
    ),
    "subscribers": apart(
        f"select count(distinct customer_id) {subscribers('cast($to_date as date)')}", ""
    ),
    "mrr": apart(
        "select sum(round(round(price * rate, 2) / interval_months, 2))"
        f" {subscribers('cast($to_date as date)')}",
        "",
    ),
    "subscriber_churn_rate": apart(
        f"select count(*) from (select customer_id {subscribers('$from_date')}"
        f" except select customer_id {subscribers('cast($to_date as date)')})",
        f"select count(distinct customer_id) {subscribers('$from_date')}",
    ),
    "invites": ByHand("count(*)", "null", REFERRALS),
    "referral_conversion_rate": ByHand("count(first_order_at)", "count(*)", REFERRALS),
    "k_factor": apart(f"select count(first_order_at) {REFERRALS}", CUSTOMERS),
}
# A customer may be lost and come back within a quarter: what the months count adds up.
OF_MONTHS_ALONE = ("reactivated_customers",)
# Shares of parts: the numerator by part, the denominator of all.
MIXES: dict[str, str] = {
    "promo_code_share": "coalesce(promo_code, 'none')",
    "payment_method_share": "payment_method",
}

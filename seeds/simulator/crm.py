"""What the shop says to its customers and hears from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from seeds.simulator import columns as col
from seeds.simulator.catalogue import Catalogue
from seeds.simulator.config import DATA_END, DAY, HOUR, MINUTE, Bools, Ints, Shop, Streams, draw
from seeds.simulator.contract import build
from seeds.simulator.orders import CHF_PER_EUR, CURRENCIES, DELIVERED, Lines, Orders, Refunds
from seeds.simulator.people import People
from seeds.simulator.sessions import Recovery

COMMENTS = (
    "Très bien, merci !", "Fast delivery, lovely packaging", "Parfait", "Great quality, fair price",
    "Je recommande, surtout le thé", "Correct", "Okay, but nothing special", "Colis abîmé",
    "Delivered too late, nobody answered", 'The box said "fragile", it was crushed',
    "Livraison en retard, dommage", "Never again",
)  # fmt: skip
WINBACK_AFTER = 120 * DAY


def _spread(rng: np.random.Generator, low: int, high: int, size: int) -> Ints:
    """Durations between `low` and `high` ms, on whole seconds."""
    return rng.integers(low // 1000, high // 1000, size) * 1000


def nps_table(orders: Orders, people: People, streams: Streams) -> pa.Table:
    """`nps_responses`: late deliveries cost about three points."""
    rng = streams.get("nps")
    rows = np.flatnonzero((orders.status == DELIVERED) & orders.is_account)
    rows = rows[rng.random(len(rows)) < 0.22]
    person = orders.person[rows]
    raw = 8.4 + 1.1 * people.satisfaction[person] + rng.normal(0, 1.2, len(rows))
    score = np.clip(np.rint(raw - 3.0 * orders.is_late[rows]), 0, 10).astype(np.int64)
    at = orders.delivered_at[rows] + _spread(rng, DAY, 7 * DAY, len(rows))
    mood = np.where(score >= 9, 0, np.where(score >= 7, 4, 8))
    comment = np.where(rng.random(len(rows)) < 0.3, mood + rng.integers(0, 4, len(rows)), -1)
    order = np.lexsort((rows, at))
    order = order[at[order] < DATA_END]
    return build(
        "nps_responses",
        response_id=col.serial("N", len(order), 6),
        customer_id=people.ids(person[order]),
        responded_at=col.times(at[order]),
        score=col.integers(score[order]),
        comment=col.pick(COMMENTS, comment[order]),
    )


def reviews_table(
    orders: Orders, lines: Lines, refunds: Refunds, people: People, catalogue: Catalogue,
    streams: Streams,
) -> pa.Table:  # fmt: skip
    """`reviews`: late and returned lines get fewer stars."""
    rng = streams.get("reviews")
    returned = np.zeros(len(lines.order), dtype=bool)
    returned[refunds.line[refunds.line >= 0]] = True
    rows = np.flatnonzero(orders.status[lines.order] == DELIVERED)
    rows = rows[rng.random(len(rows)) < 0.12]
    order = lines.order[rows]
    raw = 4.5 + 0.4 * people.satisfaction[orders.person[order]] + rng.normal(0, 0.8, len(rows))
    raw = raw - 1.2 * orders.is_late[order] - 1.0 * returned[rows]
    rating = np.clip(np.rint(raw), 1, 5).astype(np.int64)
    at = orders.delivered_at[order] + _spread(rng, 2 * DAY, 26 * DAY, len(rows))
    by_time = np.lexsort((rows, at))
    by_time = by_time[at[by_time] < DATA_END]
    order = order[by_time]
    return build(
        "reviews",
        review_id=col.serial("V", len(order), 6),
        product_id=catalogue.ids(lines.product[rows[by_time]]),
        customer_id=people.ids(orders.person[order], orders.is_account[order]),
        order_id=orders.ids(order),
        rating=col.integers(rating[by_time]),
        reviewed_at=col.times(at[by_time]),
    )


def support_table(orders: Orders, people: People, streams: Streams) -> pa.Table:
    """`support_tickets`: mostly about late deliveries."""
    rng = streams.get("support")
    rows = np.flatnonzero(rng.random(orders.size) < np.where(orders.is_late, 0.3, 0.045))
    size = len(rows)
    late = orders.is_late[rows]
    topic = np.where(late, 0, draw(rng, (0.1, 0.35, 0.3, 0.15, 0.1), size))
    opened = np.where(
        late,
        orders.promised_at[rows] + _spread(rng, 12 * HOUR, 3 * DAY, size),
        orders.ordered_at[rows] + _spread(rng, HOUR, 15 * DAY, size),
    )
    answered = opened + _spread(rng, 10 * MINUTE, 26 * HOUR, size)
    resolved = answered + _spread(rng, 20 * MINUTE, 4 * DAY, size)
    slow = (answered - opened) > 14 * HOUR
    grade = 4.3 + 0.4 * people.satisfaction[orders.person[rows]] - 0.9 * slow - 0.5 * late
    grade = np.clip(np.rint(grade + rng.normal(0, 0.7, size)), 1, 5).astype(np.int64)
    rated = rng.random(size) < 0.45
    by_time = np.lexsort((rows, opened))
    t = by_time[opened[by_time] < DATA_END]
    return build(
        "support_tickets",
        ticket_id=col.serial("T", len(t), 6),
        customer_id=people.ids(orders.person[rows[t]], orders.is_account[rows[t]]),
        order_id=orders.ids(rows[t], rng.random(len(t)) < 0.93),
        channel=col.pick(("email", "chat", "phone"), draw(rng, (0.5, 0.35, 0.15), len(t))),
        topic=col.pick(("delivery", "return", "product", "payment", "account"), topic[t]),
        opened_at=col.times(opened[t]),
        first_response_at=col.times(answered[t], answered[t] < DATA_END),
        resolved_at=col.times(resolved[t], resolved[t] < DATA_END),
        satisfaction=col.integers(grade[t], rated[t] & (resolved[t] < DATA_END)),
    )


def referrals_table(people: People, streams: Streams) -> pa.Table:
    """`referrals`: invitations that brought a customer, and those that did not."""
    rng = streams.get("referrals")
    referee = np.flatnonzero(people.referrer[: people.accounts] >= 0)
    referrer = people.referrer[referee]
    created = people.created_at[referee]
    invited = created - _spread(rng, HOUR, 12 * DAY, len(referee))
    invited = np.maximum(invited, people.first_order_at[referrer] + HOUR)
    invited = np.minimum(invited, created - 10 * MINUTE)
    buyers = np.flatnonzero(people.first_order_at[: people.accounts] >= 0)
    inviting = buyers[rng.random(len(buyers)) < 0.1]
    inviting = np.repeat(inviting, rng.integers(1, 4, len(inviting)))
    in_vain = people.first_order_at[inviting] + _spread(rng, DAY, 200 * DAY, len(inviting))
    inviting, in_vain = inviting[in_vain < DATA_END], in_vain[in_vain < DATA_END]
    none = np.full(len(inviting), -1, dtype=np.int64)
    referrer, referee = np.concatenate((referrer, inviting)), np.concatenate((referee, none))
    at = np.concatenate((invited, in_vain))
    t = np.lexsort((referee, referrer, at))
    accepted = referee[t] >= 0
    first_order = np.where(accepted, people.first_order_at[referee[t]], -1)
    return build(
        "referrals",
        referral_id=col.serial("F", len(t), 6),
        referrer_customer_id=people.ids(referrer[t]),
        referee_customer_id=people.ids(referee[t], accepted),
        invited_at=col.times(at[t]),
        signed_up_at=col.times(people.created_at[referee[t]], accepted),
        first_order_at=col.times(first_order, first_order >= 0),
        reward_amount=col.decimals(np.full(len(t), 1000), 2, first_order >= 0),
    )


def loyalty_table(orders: Orders, people: People, streams: Streams) -> pa.Table:
    """`loyalty_entries`: a point per unit of money, a welcome bonus, redemptions and expiries."""
    rng = streams.get("loyalty")
    member = rng.random(people.size) < 0.5
    rows = np.flatnonzero((orders.status == DELIVERED) & orders.is_account & member[orders.person])
    points = orders.net[rows] // 100
    first = rows[orders.ordinal[rows] == 0]
    redeem = rows[(orders.ordinal[rows] >= 2) & (rng.random(len(rows)) < 0.25)]
    expire = rows[(rng.random(len(rows)) < 0.3) & (orders.ordered_at[rows] < DATA_END - 380 * DAY)]
    order = np.concatenate((rows, first, redeem, expire))
    value = np.concatenate(
        (points, np.full(len(first), 50), np.full(len(redeem), -100), -(orders.net[expire] // 200))
    )
    counts = [len(rows), len(first), len(redeem), len(expire)]
    reason = np.repeat(np.arange(4), counts)
    delay = np.repeat(np.array([0, MINUTE, 0, 365 * DAY]), counts)
    at = np.where(reason == 0, orders.delivered_at[order], orders.ordered_at[order] + delay)
    t = np.lexsort((reason, order, at))
    t = t[(at[t] < DATA_END) & (value[t] != 0)]
    return build(
        "loyalty_entries",
        entry_id=col.serial("L", len(t), 6),
        customer_id=people.ids(orders.person[order[t]]),
        points=col.integers(value[t]),
        reason=col.pick(("earn", "bonus", "redeem", "expire"), reason[t]),
        order_id=orders.ids(order[t], reason[t] != 3),
        entered_at=col.times(at[t]),
    )


def subscriptions_table(
    people: People, catalogue: Catalogue, streams: Streams, chf: int
) -> pa.Table:
    """`subscriptions`; `price` is per interval."""
    rng = streams.get("subscriptions")
    rows = np.flatnonzero(people.first_order_at[: people.accounts] >= 0)
    rows = rows[rng.random(len(rows)) < 0.08]
    size = len(rows)
    offered = np.flatnonzero(catalogue.is_subscription)
    product = offered[draw(rng, catalogue.popularity[offered], size)]
    start = people.first_order_at[rows] + _spread(rng, HOUR, 90 * DAY, size)
    start = np.maximum(start, catalogue.launched_at[product])
    months = np.array([1, 2, 3])[draw(rng, (0.6, 0.25, 0.15), size)]
    end = start + (rng.exponential(330, size) * DAY).astype(np.int64) // 1000 * 1000 + 20 * DAY
    ended = end < DATA_END
    is_chf = people.country[rows] == chf
    units = 1 + (rng.random(size) < 0.25)
    price = catalogue.price[product] * 9 * units // 10
    price = np.where(is_chf, np.rint(price * CHF_PER_EUR).astype(np.int64), price)
    status = np.where(ended, 1, np.where(rng.random(size) < 0.04, 2, 0))
    t = np.lexsort((rows, start))
    t = t[start[t] < DATA_END]
    return build(
        "subscriptions",
        subscription_id=col.serial("S", len(t), 5),
        customer_id=people.ids(rows[t]),
        product_id=catalogue.ids(product[t]),
        started_at=col.times(start[t]),
        ended_at=col.times(end[t], ended[t]),
        interval_months=col.integers(months[t]),
        price=col.decimals(price[t], 2),
        currency=col.pick(CURRENCIES, is_chf[t].astype(np.int64)),
        status=col.pick(("active", "cancelled", "paused"), status[t]),
    )


KINDS = ("newsletter", "welcome", "cart_recovery", "winback", "review_request", "transactional")
NEWSLETTER, WELCOME, CART_RECOVERY, WINBACK, REVIEW_REQUEST, TRANSACTIONAL = range(6)
#          opened, clicked of all, unsubscribed
RESPONSE = np.array([
    (0.38, 0.045, 0.004), (0.62, 0.14, 0.003), (0.48, 0.11, 0.002), (0.30, 0.05, 0.009),
    (0.35, 0.10, 0.001), (0.80, 0.12, 0.0),
])  # fmt: skip
MARKETING_KINDS = (NEWSLETTER, WELCOME, CART_RECOVERY, WINBACK)


def messages_table(
    shop: Shop, people: People, orders: Orders, recovery: Recovery,
    carts: tuple[Ints, Ints], streams: Streams,
) -> pa.Table:  # fmt: skip
    """`messages` since tracking began. `carts`: customer and end (ms) of each abandoned cart."""
    rng = streams.get("messages")
    start = shop.tracking_start
    accounts = np.arange(people.accounts)
    opted_in = people.opted_in[: people.accounts]
    created = people.created_at[: people.accounts]
    parts: list[tuple[Ints, int, Ints, Ints]] = []  # person, kind, sent at, campaign number

    def add(person: Ints, kind: int, at: Ints, campaign: Ints | int = -1) -> None:
        parts.append((person, kind, at, np.broadcast_to(np.asarray(campaign), len(person))))

    # One newsletter a month, the second Tuesday or so, through the working morning.
    for month, day in enumerate(range(start // DAY + 24, DATA_END // DAY, 30)):
        to = accounts[opted_in & (created < day * DAY)]
        to = to[rng.random(len(to)) < 0.93]
        add(
            to,
            NEWSLETTER,
            np.full(len(to), day * DAY + 8 * HOUR) + _spread(rng, 0, HOUR, len(to)),
            month,
        )
    to = accounts[opted_in & (created >= start)]
    add(to, WELCOME, created[to] + HOUR)
    account_orders = np.flatnonzero(orders.is_account & (orders.ordered_at >= start))
    add(orders.person[account_orders], TRANSACTIONAL, orders.ordered_at[account_orders] + 90_000)
    rows = np.flatnonzero(orders.is_account & (orders.delivered_at >= start))
    rows = rows[opted_in[orders.person[rows]]]
    add(orders.person[rows], REVIEW_REQUEST, orders.delivered_at[rows] + 7 * DAY)

    # Nothing bought for 120 days after an order: a winback.
    by_person = np.lexsort((orders.ordered_at, orders.person))
    person, at = orders.person[by_person], orders.ordered_at[by_person]
    following = np.append(at[1:], DATA_END)
    following[np.append(person[1:] != person[:-1], True)] = DATA_END
    due = at + WINBACK_AFTER
    rows = np.flatnonzero((due < following) & (due >= start) & (person < people.accounts))
    rows = rows[opted_in[person[rows]]]
    add(person[rows], WINBACK, due[rows])

    # Cart recovery: those planned to win an order back, and others that did not.
    planned = np.flatnonzero(recovery.by_message)
    sent = recovery.cart_at[planned] + 4 * HOUR
    others, ended = carts
    mask = opted_in[others] & (rng.random(len(others)) < 0.6)
    others, ended = others[mask], ended[mask]
    own = np.sort(orders.person[planned])
    known = own[np.minimum(np.searchsorted(own, others), max(len(own) - 1, 0))] if len(own) else -1
    mask = others != known
    add(orders.person[planned], CART_RECOVERY, sent)
    add(others[mask], CART_RECOVERY, ended[mask] + 4 * HOUR)

    person = np.concatenate([p[0] for p in parts])
    kind = np.repeat([p[1] for p in parts], [len(p[0]) for p in parts])
    at = np.concatenate([p[2] for p in parts])
    campaign = np.concatenate([p[3] for p in parts])
    size = len(person)
    channel = np.where(kind == TRANSACTIONAL, 0, draw(rng, (0.88, 0.07, 0.05), size))
    u = rng.random((3, size))
    is_planned = np.zeros(size, dtype=bool)
    clicked_order = np.full(size, DATA_END)
    first = sum(len(p[0]) for p in parts[:-2])
    is_planned[first : first + len(planned)] = True
    clicked_order[first : first + len(planned)] = orders.ordered_at[planned]
    channel[is_planned] = 0
    clicked = (u[1] < RESPONSE[kind, 1]) | is_planned
    opened = ((u[0] < RESPONSE[kind, 0]) | clicked) & (channel != 1)
    opened_at = at + (rng.exponential(9, size) * HOUR).astype(np.int64) // 1000 * 1000 + MINUTE
    clicked_at = opened_at + _spread(rng, 5_000, 10 * MINUTE, size)
    # A planned recovery is clicked shortly before the order's session.
    clicked_at = np.where(is_planned, clicked_order - 2 * HOUR - 40 * MINUTE, clicked_at)
    opened_at = np.where(is_planned, clicked_at - 30_000, opened_at)
    left = opened & (u[2] < RESPONSE[kind, 2] * 2.5) & ~is_planned
    left_at = opened_at + 2 * MINUTE
    left &= left_at < DATA_END
    # Who unsubscribed gets no marketing any more.
    gone = np.full(people.size, DATA_END)
    np.minimum.at(gone, person[left], left_at[left])
    keep = ~(np.isin(kind, MARKETING_KINDS) & (at > gone[person])) & (at < DATA_END)
    t = np.flatnonzero(keep)
    t = t[np.lexsort((campaign[t], kind[t], person[t], at[t]))]
    name = np.where(kind == NEWSLETTER, campaign, -1)
    months = int(campaign.max(initial=0)) + 1
    cost = np.array([8, 600, 2])[channel[t]]

    def column(times: Ints, valid: Bools) -> pa.Array:
        return col.times(times[t], valid[t] & (times[t] < DATA_END))

    return build(
        "messages",
        message_id=col.serial("M", len(t), 6),
        customer_id=people.ids(person[t]),
        channel=col.pick(("email", "sms", "push"), channel[t]),
        kind=col.pick(KINDS, kind[t]),
        campaign=col.pick([f"news_{n + 1:02d}" for n in range(months)], name[t]),
        sent_at=col.times(at[t]),
        opened_at=column(opened_at, opened),
        clicked_at=column(clicked_at, clicked),
        unsubscribed_at=column(left_at, left),
        cost=col.decimals(cost, 4),
    )

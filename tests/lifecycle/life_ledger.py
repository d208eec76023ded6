"""A customer's state on a day, told from what happened up to it: the definitions, in Python."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from lifecycle.random_lives import Tables, day_in_paris

LAPSING_AFTER_GAPS, CHURN_AFTER_DAYS, OWN_GAP_ORDERS = Fraction(3, 2), 90, 3


@dataclass
class Life:
    """What happened to one customer, each kind in the order of its days."""

    account_day: date | None = None
    has_account: bool = False
    session_days: list[date] = field(default_factory=list)
    newsletter_days: list[date] = field(default_factory=list)
    order_days: list[date] = field(default_factory=list)
    answers: list[tuple[date, int]] = field(default_factory=list)
    referral_days: list[date] = field(default_factory=list)

    @property
    def first_day(self) -> date | None:
        """The first day of which something is known."""
        account = [self.account_day] if self.account_day else []
        return min([*account, *self.session_days, *self.order_days], default=None)


def lives_of(tables: Tables, as_of: date) -> dict[str, Life]:
    """Each customer's life up to and with a day, from raw rows."""
    lives: dict[str, Life] = defaultdict(Life)

    def known(row: object, column: str) -> date | None:
        moment = row[column]  # type: ignore[index]
        day = day_in_paris(str(moment)) if moment else None
        return day if day and day <= as_of else None

    for row in tables["orders"]:
        if row["status"] != "cancelled" and (day := known(row, "ordered_at")):
            lives[str(row["customer_id"])].order_days.append(day)
    for row in tables["customers"]:
        day = known(row, "created_at")
        if day or not row["created_at"]:
            life = lives[str(row["customer_id"])]
            life.has_account, life.account_day = True, day
    _add_events(tables, lives, as_of)
    _add_voices(tables, lives, as_of)
    for life in lives.values():
        for days in (life.session_days, life.newsletter_days, life.referral_days):
            days.sort()
        life.order_days = sorted(set(life.order_days))
        if life.has_account and not life.account_day and life.session_days:
            life.account_day = life.session_days[0]
    # Who accounts say sent them counts from their first order on.
    for row in tables["customers"]:
        referrer, referee = row["referred_by_customer_id"], row["customer_id"]
        bought = lives[str(referee)].order_days if str(referee) in lives else []
        is_known = not row["created_at"] or known(row, "created_at")
        if referrer and referrer != referee and bought and is_known:
            lives[str(referrer)].referral_days = sorted(
                [*lives[str(referrer)].referral_days, bought[0]]
            )
    return lives


def _add_events(tables: Tables, lives: dict[str, Life], as_of: date) -> None:
    """A device has one customer, known from an event of it on, who also has what came before."""
    by_device = defaultdict(list)
    for row in tables["events"]:
        if day_in_paris(str(row["event_at"])) <= as_of:
            by_device[row["anonymous_id"]].append(row)
    for rows in by_device.values():
        owners = [str(row["customer_id"]) for row in rows if row.get("customer_id")]
        if owners:
            life = lives[owners[0]]
            life.session_days += [day_in_paris(str(row["event_at"])) for row in rows]
            life.newsletter_days += [
                day_in_paris(str(row["event_at"]))
                for row in rows
                if row["event_name"] == "newsletter_signup"
            ]


def _add_voices(tables: Tables, lives: dict[str, Life], as_of: date) -> None:
    answers = sorted(
        tables["nps_responses"], key=lambda row: (str(row["responded_at"]), str(row["response_id"]))
    )
    for row in answers:
        if (day := day_in_paris(str(row["responded_at"]))) <= as_of:
            lives[str(row["customer_id"])].answers.append((day, int(str(row["score"]))))
    for row in tables["referrals"]:
        is_known = day_in_paris(str(row["invited_at"])) <= as_of
        bought = row["first_order_at"]
        signed_up = row["signed_up_at"]
        # The referee is known as a customer from the sign-up on, else from the order.
        referee_known = not (signed_up or bought) or (
            day_in_paris(str(signed_up or bought)) <= as_of
        )
        is_own = referee_known and row["referee_customer_id"] == row["referrer_customer_id"]
        if is_known and bought and day_in_paris(str(bought)) <= as_of and not is_own:
            life = lives[str(row["referrer_customer_id"])]
            life.referral_days.append(day_in_paris(str(bought)))


class Population:
    """Everybody's gaps between purchase days, by the day on which they were closed."""

    def __init__(self, lives: Iterable[Life]) -> None:
        closed: dict[date, list[int]] = defaultdict(list)
        for life in lives:
            for earlier, later in zip(life.order_days, life.order_days[1:], strict=False):
                closed[later].append((later - earlier).days)
        self.days = sorted(closed)
        self.means: list[Fraction] = []
        total = count = 0
        for day in self.days:
            total, count = total + sum(closed[day]), count + len(closed[day])
            self.means.append(Fraction(total, count))

    def mean_gap(self, day: date) -> Fraction | None:
        """The mean gap of all that were closed by the end of a day."""
        place = bisect_right(self.days, day)
        return self.means[place - 1] if place else None


def state_on(life: Life, day: date, population: Population) -> str | None:
    """The one state that a customer is in at the end of a day; None before anything is known."""
    orders = life.order_days[: bisect_right(life.order_days, day)]
    if not orders:
        if life.account_day and life.account_day <= day:
            return "acquired"
        return "visitor" if life.session_days and life.session_days[0] <= day else None
    silence = (day - orders[-1]).days
    if silence >= CHURN_AFTER_DAYS:
        return "lost"
    if len(orders) >= OWN_GAP_ORDERS:
        gap: Fraction | None = Fraction((orders[-1] - orders[0]).days, len(orders) - 1)
    else:
        gap = population.mean_gap(orders[-1])
    if gap is not None and silence > gap * LAPSING_AFTER_GAPS:
        return "lapsing"
    answers = [score for answered, score in life.answers if answered <= day]
    if (answers and answers[-1] >= 9) or any(bought <= day for bought in life.referral_days):
        return "advocate"
    return "activated" if len(orders) == 1 else "retained"


def states_by_day(lives: dict[str, Life], as_of: date) -> dict[str, dict[date, str]]:
    """Each customer's state on every day since the first one."""
    population = Population(lives.values())
    states = {}
    for customer_id, life in lives.items():
        if life.first_day:
            days = (as_of - life.first_day).days + 1
            walk = (life.first_day + timedelta(days=number) for number in range(days))
            told = {day: state_on(life, day, population) for day in walk}
            states[customer_id] = {day: state for day, state in told.items() if state}
    return states

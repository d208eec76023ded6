"""The ledger of funnels itself: small scenarios with the outcome that decision 7 asks for."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from funnel.funnel_ledger import Entry, Funnel, FunnelEvent, Step, entries, events_of_shop
from session_ledger import Event, Ledger, Order

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - UTC, as in the ledger
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
LATER = NOON + timedelta(days=365)


def at(
    minutes: float, name: str, page_type: str | None = None, *, session: str = "s"
) -> FunnelEvent:
    """An event so many minutes after noon."""
    return FunnelEvent(NOON + timedelta(minutes=minutes), name, "v", session, page_type=page_type)


def funnel(mode: str, *steps: str, hours: int = 1, unit: str = "visitor") -> Funnel:
    """A funnel; a step is names, and a page type after a slash."""
    parts = [step.partition("/") for step in steps]
    return Funnel(
        "test",
        unit,
        mode,
        hours,
        tuple(Step(tuple(names.split()), page or None) for names, _, page in parts),
    )


def minutes_of(entry: Entry) -> list[float]:
    """When each step was reached, in minutes after noon."""
    return [(time - NOON) / timedelta(minutes=1) for time in entry.step_times]


def outcome(asked: Funnel, *events: FunnelEvent) -> list[list[float]]:
    """The step times of each entry; the order in which events come must not matter."""
    found = sorted(minutes_of(entry) for entry in entries(asked, events))
    assert found == sorted(minutes_of(entry) for entry in entries(asked, events[::-1]))
    return found


# --- Modes ------------------------------------------------------------------------------


def test_ordered_lets_other_events_between() -> None:
    """Step n is the first event behind the one of step n-1 that matches n."""
    seen = [at(0, "view"), at(1, "buy"), at(2, "view"), at(3, "cart"), at(4, "buy"), at(5, "buy")]
    assert outcome(funnel("ordered", "view", "cart", "buy"), *seen) == [[0, 3, 4]]


def test_ordered_does_not_reach_a_step_past_a_missing_one() -> None:
    """A purchase without a cart is none of this funnel."""
    assert outcome(funnel("ordered", "view", "cart", "buy"), at(0, "view"), at(1, "buy")) == [[0]]


def test_strict_minds_the_steps_events_alone() -> None:
    """Events that are no step of the funnel do not count."""
    seen = [at(0, "view"), at(1, "search"), at(2, "cart"), at(3, "search"), at(4, "buy")]
    assert outcome(funnel("strict", "view", "cart", "buy"), *seen) == [[0, 2, 4]]


def test_strict_ends_at_a_repeated_step() -> None:
    """A second view is another step event between: progress ends, and no new entry begins."""
    seen = [at(0, "view"), at(1, "view"), at(2, "cart"), at(3, "buy")]
    assert outcome(funnel("strict", "view", "cart", "buy"), *seen) == [[0]]


def test_strict_goes_on_where_the_repeated_event_is_the_next_step() -> None:
    """A funnel may ask for two views in a row; a third one is too many."""
    twice = funnel("strict", "view", "view", "cart")
    assert outcome(twice, at(0, "view"), at(1, "view"), at(2, "cart")) == [[0, 1, 2]]
    assert outcome(twice, at(0, "view"), at(1, "view"), at(2, "view"), at(3, "cart")) == [[0, 1]]


def test_strict_is_not_hurt_by_what_comes_after_its_last_step() -> None:
    """A converted entry has nothing left to lose."""
    seen = [at(0, "view"), at(1, "buy"), at(2, "view"), at(3, "view")]
    assert outcome(funnel("strict", "view", "buy"), *seen) == [[0, 1]]


def test_any_takes_steps_as_they_come() -> None:
    """Step n is reached at the time of the last of steps 1 to n, so reached never rises."""
    seen = [at(0, "view"), at(1, "buy"), at(5, "cart")]
    assert outcome(funnel("any", "view", "cart", "buy"), *seen) == [[0, 5, 5]]
    assert outcome(funnel("any", "view", "cart", "buy"), *seen[:2]) == [[0]]


def test_any_begins_with_step_1_like_every_entry() -> None:
    """What was before the first step-1 event is of no entry."""
    seen = [at(0, "cart"), at(1, "view"), at(2, "buy")]
    assert outcome(funnel("any", "view", "cart", "buy"), *seen) == [[1]]


def test_any_gives_an_event_to_the_lowest_step_not_seen() -> None:
    """The second view is step 2, the third step 3, a fourth nothing."""
    seen = [at(minute, "view") for minute in range(4)]
    assert outcome(funnel("any", "view", "view buy", "view"), *seen) == [[0, 1, 2]]
    # A view that could have been step 3 goes to step 2, and so step 3 stays open.
    assert outcome(funnel("any", "view", "cart view", "view"), at(0, "view"), at(1, "view")) == [
        [0, 1]
    ]


# --- Ties -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ordered", "strict", "any"])
def test_ties_go_to_the_lower_step(mode: str) -> None:
    """Three steps at one instant are in the funnel's order, however the rows stand."""
    seen = [at(0, "buy"), at(0, "cart"), at(0, "view")]
    assert outcome(funnel(mode, "view", "cart", "buy"), *seen) == [[0, 0, 0]]


def test_a_tie_is_in_the_order_of_steps_and_not_in_that_which_would_help() -> None:
    """A view is step 1 before it is step 3: at one instant it stands before the cart."""
    seen = [at(0, "view"), at(1, "cart"), at(1, "view")]
    assert outcome(funnel("ordered", "view", "cart", "view"), *seen) == [[0, 1]]
    assert outcome(funnel("strict", "view", "cart", "view"), *seen) == [[0]]
    assert outcome(funnel("any", "view", "cart", "view"), *seen) == [[0, 1, 1]]


def test_of_one_lowest_step_fewer_steps_stand_first() -> None:
    """A page that is only step 1 enters; the one that is step 1 and 2 is then free for step 2."""
    seen = [at(0, "page", "product"), at(0, "page", "home")]
    asked = funnel("strict", "page", "page/product")
    assert outcome(asked, *seen) == [[0, 0]]
    assert outcome(asked, seen[0]) == [[0]]


def test_duplicates_of_an_event_are_two_events() -> None:
    """Two views at one instant are two, as the tracker says; each is used once in an entry."""
    assert outcome(funnel("ordered", "view", "view"), at(0, "view"), at(0, "view")) == [[0, 0]]
    assert outcome(funnel("ordered", "view", "view"), at(0, "view")) == [[0]]


# --- Windows and entries ----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ordered", "strict", "any"])
def test_the_window_includes_its_last_instant(mode: str) -> None:
    """An hour after is in, a microsecond later is out."""
    asked = funnel(mode, "view", "buy")
    late = FunnelEvent(NOON + HOUR + MICROSECOND, "buy", "v", "s")
    assert outcome(asked, at(0, "view"), at(60, "buy")) == [[0, 60]]
    assert outcome(asked, at(0, "view"), late) == [[0]]


def test_an_entry_begins_after_the_last_one_has_closed() -> None:
    """A view at the last instant is the old entry's; a microsecond later it is a new entry."""
    asked = funnel("ordered", "view", "buy")
    late = FunnelEvent(NOON + HOUR + MICROSECOND, "view", "v", "s")
    assert outcome(asked, at(0, "view"), at(60, "view"), at(61, "buy")) == [[0]]
    assert [entry.entry_at for entry in entries(asked, [at(0, "view"), late])] == [
        NOON,
        NOON + HOUR + MICROSECOND,
    ]


def test_a_converted_entry_stays_open_until_its_window_ends() -> None:
    """Who buys at once and views again within the hour has entered once."""
    seen = [at(0, "view"), at(1, "buy"), at(2, "view"), at(3, "buy"), at(90, "view"), at(95, "buy")]
    assert outcome(funnel("ordered", "view", "buy"), *seen) == [[0, 1], [90, 95]]


def test_windows_follow_entries_and_not_the_clock() -> None:
    """Views every 40 minutes: the first enters, the third is the next one after it has closed."""
    seen = [at(40 * number, "view") for number in range(6)]
    assert outcome(funnel("ordered", "view", "buy"), *seen) == [[0], [80], [160]]


def test_an_entry_is_mature_once_its_last_instant_is_known() -> None:
    """At 13:00 the event of 13:00 is not known yet; a microsecond later it is."""
    (entry,) = entries(funnel("ordered", "view", "buy"), [at(0, "view")])
    assert not entry.is_mature(NOON + HOUR)
    assert entry.is_mature(NOON + HOUR + MICROSECOND)


# --- Units and steps --------------------------------------------------------------------


def test_a_session_knows_nothing_of_the_visitors_other_ones() -> None:
    """View in one session, purchase in another: the visitor converts, no session does."""
    seen = [at(0, "view"), at(50, "buy", session="t"), at(55, "view", session="t")]
    by_visitor = funnel("ordered", "view", "buy")
    by_session = funnel("ordered", "view", "buy", unit="session")
    assert outcome(by_visitor, *seen) == [[0, 50]]
    assert outcome(by_session, *seen) == [[0], [55]]


def test_an_order_without_a_session_is_its_visitors_alone() -> None:
    """It converts the visitor, and no session's funnel has it."""
    order = FunnelEvent(NOON + HOUR, "order_placed", "v")
    asked = funnel("ordered", "view", "order_placed")
    assert outcome(asked, at(0, "view"), order) == [[0, 60]]
    assert outcome(funnel("any", "order_placed", unit="session"), order) == []
    assert outcome(funnel("any", "order_placed"), order) == [[60]]


def test_a_page_type_is_asked_for_where_the_step_has_one() -> None:
    """Another page, or none known, is not the step; a step without a page type takes any."""
    asked = funnel("ordered", "page/product", "page")
    assert outcome(asked, at(0, "page", "home"), at(1, "page")) == []
    assert outcome(asked, at(0, "page", "product"), at(1, "page")) == [[0, 1]]


# --- Events of a shop -------------------------------------------------------------------


def shop_events(events: list[Event], orders: list[Order]) -> list[tuple[float, str, str | None]]:
    """All that the ledger finds in a shop: minutes after noon, name, visitor."""
    ledger = Ledger(events, orders, LATER)
    ids = {session.key: "|".join(map(str, session.key)) for session in ledger.sessions}
    return sorted(
        ((event.event_at - NOON) / timedelta(minutes=1), event.name, event.visitor_id)
        for event in events_of_shop(ledger, ids)
    )


def sent(minutes: float, name: str, order_id: str | None = None) -> Event:
    """An event as a tracker sends it."""
    moment = NOON + timedelta(minutes=minutes)
    return Event(f"{name}{minutes}", moment, "device", name, order_id=order_id)


def placed(minutes: float, order_id: str, status: str, customer_id: str | None = "c") -> Order:
    """An order on the device."""
    moment = NOON + timedelta(minutes=minutes)
    return Order(order_id, moment, status, customer_id, "device", 1, 100)


def test_sessions_tell_of_themselves() -> None:
    """Every session arrives, the first one brings the visitor, an engaged one is from its start."""
    assert shop_events([sent(0, "page_view"), sent(100, "page_view"), sent(101, "search")], []) == [
        (0, "page_view", "device"),
        (0, "session_arrived", "device"),
        (0, "visitor_arrived", "device"),
        (100, "page_view", "device"),
        (100, "session_arrived", "device"),
        (100, "session_engaged", "device"),
        (101, "search", "device"),
    ]


def test_orders_tell_of_themselves_unless_cancelled() -> None:
    """Pending ones are placed too; a guest's is nobody's first and nobody's second."""
    orders = [
        placed(-900, "cancelled", "cancelled"),
        placed(-800, "first", "pending"),
        placed(-700, "second", "paid"),
        placed(-600, "guest", "paid", None),
    ]
    assert shop_events([], orders) == [
        (-800, "order_placed", "c"),
        (-800, "order_placed_first", "c"),
        (-700, "order_placed", "c"),
        (-700, "order_placed_again", "c"),
        (-600, "order_placed", "device"),
    ]


def test_an_order_is_a_purchase_where_tracking_lost_the_event() -> None:
    """Even a cancelled one was bought; where the event is there, it alone is the purchase."""
    lost = shop_events([sent(0, "page_view")], [placed(5, "o", "cancelled")])
    assert (5, "purchase", "device") in lost
    kept = shop_events(
        [sent(0, "page_view"), sent(6, "purchase", "o")], [placed(5, "o", "paid", None)]
    )
    assert [event for event in kept if event[1] == "purchase"] == [(6, "purchase", "device")]


def test_a_name_that_the_warehouse_uses_is_not_the_shops_to_send() -> None:
    """A shop's own `order_placed` event is not a second order."""
    names = [name for _, name, _ in shop_events([sent(0, "order_placed")], [])]
    assert names == ["session_arrived", "session_engaged", "visitor_arrived"]

"""Funnels event by event: decision 7 as a state machine in plain Python, slow and plain to read.

Times are UTC without a zone. Nothing here knows of the models; sessions, visitors and the orders'
sessions are those of `session_ledger`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from session_ledger import Ledger, Session, channel_of, reporting_date

MODES = ("ordered", "strict", "any")
UNITS = ("session", "visitor")
MOST_STEPS = 10
# A step may ask for `blog_page_view`: a page view whose page type is blog.
PAGE_VIEWS = {
    f"{page_type}_page_view": page_type
    for page_type in (
        "home", "category", "product", "blog", "cart", "checkout", "account", "other",
    )
}  # fmt: skip
# What the warehouse finds itself: whatever a shop sends under these names is something else.
DERIVED_NAMES = {
    "session_arrived",
    "visitor_arrived",
    "session_engaged",
    "order_placed",
    "order_placed_first",
    "order_placed_again",
    *PAGE_VIEWS,
}

Key = tuple[str, datetime]


@dataclass(frozen=True)
class FunnelEvent:
    """Something that happened; an order that has no session has no number of one either."""

    event_at: datetime
    name: str
    visitor_id: str | None
    session_id: str | None = None
    # The how manieth of its visitor's sessions that is.
    session_number: int | None = None
    page_type: str | None = None


@dataclass(frozen=True)
class Step:
    """What matches a step: one of some names and, where it matters, a page type."""

    event_names: tuple[str, ...]
    page_type: str | None = None

    def matches(self, event: FunnelEvent) -> bool:
        """Whether an event is this step; a derived one has no page type."""
        # Such a name brings its page type with it, whatever the step's is for the other names.
        pages = {PAGE_VIEWS[name] for name in self.event_names if name in PAGE_VIEWS}
        if event.name == "page_view" and event.page_type in pages:
            return True
        return event.name in self.event_names and self.page_type in {None, event.page_type}


@dataclass(frozen=True)
class Funnel:
    """A row of ref_funnels with its rows of ref_funnel_steps."""

    name: str
    unit: str
    mode: str
    window_hours: int
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        assert self.unit in UNITS
        assert self.mode in MODES
        assert 1 <= len(self.steps) <= MOST_STEPS

    def unit_of(self, event: FunnelEvent) -> str | None:
        """Whose event it is; None: nobody's."""
        return event.session_id if self.unit == "session" else event.visitor_id

    def steps_matched(self, event: FunnelEvent) -> list[int]:
        """The numbers of the steps that an event matches, from 1."""
        return [number for number, step in enumerate(self.steps, 1) if step.matches(event)]


@dataclass
class Entry:
    """One run of a unit through a funnel."""

    funnel: Funnel
    unit_id: str
    event: FunnelEvent
    # When each step was reached, as many as were.
    step_times: list[datetime] = field(default_factory=list)
    # `strict`: another event of the funnel came between.
    is_broken: bool = False
    # `any`: the steps that were seen, though one before them may be missing.
    seen: set[int] = field(default_factory=set)

    @property
    def entry_at(self) -> datetime:
        """The time of the event that began it."""
        return self.event.event_at

    @property
    def closes_at(self) -> datetime:
        """The last instant that counts."""
        return self.entry_at + timedelta(hours=self.funnel.window_hours)

    @property
    def furthest_step(self) -> int:
        """The last step reached, no step before it missing."""
        return len(self.step_times)

    @property
    def is_converted(self) -> bool:
        """Whether the last step was reached."""
        return self.furthest_step == len(self.funnel.steps)

    def is_mature(self, known_until: datetime) -> bool:
        """Whether nothing can change any more: all up to closes_at is known."""
        return self.closes_at < known_until

    def take(self, event: FunnelEvent) -> None:
        """One more event of the sequence, not after closes_at; the entry's own event is first."""
        matched = self.funnel.steps_matched(event)
        if self.funnel.mode == "any":
            self._take_in_any_order(event, matched)
            return
        if self.is_converted or self.is_broken:
            return
        if self.furthest_step + 1 in matched:
            self.step_times.append(event.event_at)
        elif self.funnel.mode == "strict":
            self.is_broken = True

    def _take_in_any_order(self, event: FunnelEvent, matched: list[int]) -> None:
        for step in matched:
            if step not in self.seen:
                self.seen.add(step)
                break
        while self.furthest_step + 1 in self.seen:
            self.step_times.append(event.event_at)


def entries(funnel: Funnel, events: Iterable[FunnelEvent]) -> list[Entry]:
    """Every entry of every unit into a funnel."""
    by_unit: dict[str, list[FunnelEvent]] = defaultdict(list)
    for event in events:
        unit_id = funnel.unit_of(event)
        if unit_id is not None and funnel.steps_matched(event):
            by_unit[unit_id].append(event)
    found: list[Entry] = []
    for unit_id, unit_events in by_unit.items():
        found += _entries_of_unit(funnel, unit_id, unit_events)
    return found


def _entries_of_unit(funnel: Funnel, unit_id: str, events: list[FunnelEvent]) -> list[Entry]:
    found: list[Entry] = []
    entry: Entry | None = None
    for event in sorted(events, key=lambda event: _place_in_sequence(funnel, event)):
        if entry is not None and event.event_at > entry.closes_at:
            entry = None
        if entry is None and 1 in funnel.steps_matched(event):
            entry = Entry(funnel, unit_id, event)
            found.append(entry)
        if entry is not None:
            entry.take(event)
    return found


def _place_in_sequence(funnel: Funnel, event: FunnelEvent) -> tuple[Any, ...]:
    """By time, the lowest step matched, fewer steps first.

    Decision 7 leaves two ties open. Of as many steps, those come first whose last one is lower; of
    the same steps, the event of the visitor's earlier session, and one without a session last.
    """
    matched = funnel.steps_matched(event)
    session = (event.session_id is None, event.session_number or 0, event.session_id or "")
    return event.event_at, matched[0], len(matched), matched[::-1], session


# --- A whole shop -----------------------------------------------------------------------


def events_of_shop(ledger: Ledger, session_ids: Mapping[Key, str]) -> list[FunnelEvent]:
    """All that a step can match: the tracker's events, and what the warehouse finds itself."""
    numbers = ledger.visitor_numbers(session_ids)
    found: list[FunnelEvent] = []

    def note(
        name: str,
        at: datetime,
        visitor_id: str | None,
        session: Session | None,
        page_type: str | None = None,
    ) -> None:
        session_id = session_ids[session.key] if session else None
        number = numbers[session.key] if session else None
        found.append(FunnelEvent(at, name, visitor_id, session_id, number, page_type))

    for session in ledger.sessions:
        visitor_id = ledger.visitor_of(session)
        for event in session.events:
            if event.name not in DERIVED_NAMES:
                note(event.name, event.event_at, visitor_id, session, event.page_kind)
        note("session_arrived", session.started_at, visitor_id, session)
        if numbers[session.key] == 1:
            note("visitor_arrived", session.started_at, visitor_id, session)
        if not session.is_bounced:
            note("session_engaged", session.started_at, visitor_id, session)
    for order in ledger.orders:
        its_session = ledger.session_of[order.order_id]
        visitor_of_session = ledger.visitor_of(its_session) if its_session else None
        visitor = order.customer_id or visitor_of_session or order.anonymous_id
        own_session = its_session if visitor == visitor_of_session else None
        if order.status != "cancelled":
            note("order_placed", order.ordered_at, visitor, own_session)
        if number := ledger.number_of.get(order.order_id):
            name = "order_placed_first" if number == 1 else "order_placed_again"
            note(name, order.ordered_at, visitor, own_session)
        if its_session and not _has_purchase_event(its_session):
            note("purchase", order.ordered_at, visitor_of_session, its_session)
    return found


def _has_purchase_event(session: Session) -> bool:
    return any(event.name == "purchase" for event in session.events)


@dataclass(frozen=True)
class Exposure:
    """A device was shown a variant of an experiment."""

    experiment_id: str
    variant: str
    anonymous_id: str
    exposed_at: datetime


def entry_rows(
    funnels: Iterable[Funnel],
    ledger: Ledger,
    exposures: Iterable[Exposure],
    session_ids: Mapping[Key, str],
    known_until: datetime,
) -> dict[tuple[str, str, datetime], dict[str, Any]]:
    """What fct_funnel_entries should hold, by funnel, unit and entry time, entry_id left out."""
    events = events_of_shop(ledger, session_ids)
    sessions = {session_ids[session.key]: session for session in ledger.sessions}
    numbers = ledger.visitor_numbers(session_ids)
    shown = [exposure for exposure in exposures if exposure.exposed_at < known_until]
    rows: dict[tuple[str, str, datetime], dict[str, Any]] = {}
    for funnel in funnels:
        for entry in entries(funnel, events):
            session = sessions.get(entry.event.session_id or "")
            key = (funnel.name, entry.unit_id, entry.entry_at)
            assert key not in rows, "two entries of one unit at one time"
            owner = ledger.visitor_of(session) if funnel.unit == "session" and session else None
            rows[key] = (
                _row(entry, known_until)
                | _origin(ledger, session, numbers)
                | {"visitor_id": owner or entry.unit_id}
                | {"experiment_variant": _variants(session, shown) if session else None}
            )
    return rows


def _row(entry: Entry, known_until: datetime) -> dict[str, Any]:
    entry_date: date = reporting_date(entry.entry_at)
    times = [*entry.step_times, *[None] * (MOST_STEPS - entry.furthest_step)]
    return {
        "funnel": entry.funnel.name,
        "unit": entry.funnel.unit,
        "unit_id": entry.unit_id,
        "session_id": entry.event.session_id,
        "step_count": len(entry.funnel.steps),
        "furthest_step": entry.furthest_step,
        "is_converted": entry.is_converted,
        "is_mature": entry.is_mature(known_until),
        "entry_date": entry_date,
        "entry_at": entry.entry_at,
        "closes_at": entry.closes_at,
        **{f"step_{number}_at": at for number, at in enumerate(times, 1)},
    }


def _origin(ledger: Ledger, session: Session | None, numbers: Mapping[Key, int]) -> dict[str, Any]:
    """Where the entry's session came from; nothing is known of an order without one."""
    if session is None:
        names = ("channel", "device", "country", "landing_page_type", "is_new_visitor")
        return dict.fromkeys(names)
    first = session.events[0]
    landing = next((event for event in session.events if event.page_path), None)
    return {
        "channel": channel_of(first),
        "device": first.device,
        "country": first.country,
        "landing_page_type": landing.page_kind if landing else None,
        "is_new_visitor": numbers[session.key] == 1,
    }


def _variants(session: Session, exposures: Iterable[Exposure]) -> str | None:
    """What the session's device had been shown by its end."""
    shown = {
        f"{exposure.experiment_id}={exposure.variant}"
        for exposure in exposures
        if exposure.anonymous_id == session.anonymous_id and exposure.exposed_at <= session.ended_at
    }
    return ", ".join(sorted(shown)) or None

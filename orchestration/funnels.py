"""Checks the definitions of funnels, seeds/reference/ref_funnel*.csv, before anything is built."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
REFERENCE = PROJECT / "seeds" / "reference"
FUNNELS, STEPS = "ref_funnels.csv", "ref_funnel_steps.csv"
EVENT_NAMES = "ref_event_names.csv"
COLUMNS = {
    FUNNELS: ("funnel", "unit", "mode", "window_hours"),
    STEPS: ("funnel", "step_number", "event_names", "page_type"),
    EVENT_NAMES: ("standard_name",),
}
UNITS = ("session", "visitor")
MODES = ("ordered", "strict", "any")
MAX_WINDOW_HOURS = 87600  # ten years
MAX_STEPS = 10  # step_1_at to step_10_at of fct_funnel_entries
PAGE_TYPES = ("home", "category", "product", "blog", "cart", "checkout", "account", "other")
# Events that int_funnel_events_gathered finds by itself.
DERIVED_EVENTS = (
    "session_arrived",
    "visitor_arrived",
    "session_engaged",
    "order_placed",
    "order_placed_first",
    "order_placed_again",
)

Row = tuple[int, dict[str, str]]


def funnel_faults(folder: Path = REFERENCE) -> list[str]:
    """One sentence per fault of the definitions in `folder`: file, row, what was expected."""
    missing = [fault for name in COLUMNS for fault in _missing_columns(folder / name)]
    if missing:
        return missing
    funnels, steps = _rows(folder / FUNNELS), _rows(folder / STEPS)
    known = {row["standard_name"] for _, row in _rows(folder / EVENT_NAMES)}
    known |= {*DERIVED_EVENTS, *(f"{page_type}_page_view" for page_type in PAGE_TYPES)}
    names = {row["funnel"] for _, row in funnels}
    return [
        *(fault for number, row in funnels for fault in _funnel_faults(number, row)),
        *_repeated(funnels),
        *(fault for number, row in steps for fault in _step_faults(number, row, names, known)),
        *_numbering_faults(names, steps),
    ]


def _missing_columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), [])
    return [
        f"{path.name}: column {column} is missing; expected a header with "
        f"{', '.join(COLUMNS[path.name])}. Add it."
        for column in COLUMNS[path.name]
        if column not in header
    ]


def _rows(path: Path) -> list[Row]:
    """The rows with their line numbers; values without blanks around them."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        return [
            (reader.line_num, {name: (value or "").strip() for name, value in row.items() if name})
            for row in reader
        ]


def _is_number(text: str, largest: int = 9999) -> bool:
    """Whether a text is a whole number from 1."""
    is_whole = text.isascii() and text.isdigit() and len(text) < 9
    return is_whole and 1 <= int(text) <= largest


def _funnel_faults(number: int, row: dict[str, str]) -> list[str]:
    where = f"{FUNNELS} line {number}"
    faults = []
    if not row["funnel"]:
        faults.append(f"{where}: the funnel has no name; write one into column funnel.")
    for column, accepted in (("unit", UNITS), ("mode", MODES)):
        if row[column] not in accepted:
            faults.append(
                f"{where}: {column} is '{row[column]}'; expected one of {', '.join(accepted)}."
            )
    hours = row["window_hours"]
    if not _is_number(hours, MAX_WINDOW_HOURS):
        faults.append(
            f"{where}: window_hours is '{hours}'; expected a whole number of hours from 1 to "
            f"{MAX_WINDOW_HOURS}."
        )
    return faults


def _repeated(funnels: list[Row]) -> list[str]:
    lines = defaultdict(list)
    for number, row in funnels:
        lines[row["funnel"]].append(str(number))
    return [
        f"{FUNNELS} lines {' and '.join(numbers)}: the funnel '{funnel}' is defined "
        f"{len(numbers)} times; keep one of them."
        for funnel, numbers in lines.items()
        if len(numbers) > 1
    ]


def _step_faults(number: int, row: dict[str, str], funnels: set[str], known: set[str]) -> list[str]:
    where = f"{STEPS} line {number}"
    faults = []
    if row["funnel"] not in funnels:
        faults.append(
            f"{where}: there is no funnel '{row['funnel']}' in {FUNNELS}; add it there, or remove "
            "the step."
        )
    if not _is_number(row["step_number"]):
        faults.append(
            f"{where}: step_number is '{row['step_number']}'; expected a whole number from 1."
        )
    if not row["event_names"]:
        faults.append(f"{where}: the step names no event; expected at least one in event_names.")
    faults.extend(
        f"{where}: the event '{name}' is not known; expected a standard_name of "
        f"{EVENT_NAMES} (add your shop's own events there) or one of "
        f"{', '.join(DERIVED_EVENTS)}."
        for name in row["event_names"].split()
        if name not in known
    )
    if row["page_type"] and row["page_type"] not in PAGE_TYPES:
        faults.append(
            f"{where}: page_type is '{row['page_type']}'; expected none or one of "
            f"{', '.join(PAGE_TYPES)}."
        )
    return faults


def _numbering_faults(funnels: set[str], steps: list[Row]) -> list[str]:
    lines: dict[str, dict[int, list[int]]] = {funnel: defaultdict(list) for funnel in funnels}
    for number, row in steps:
        if row["funnel"] in funnels and _is_number(row["step_number"]):
            lines[row["funnel"]][int(row["step_number"])].append(number)
    return [
        fault
        for funnel, numbers in sorted(lines.items())
        for fault in _faults_of_numbers(funnel, numbers)
    ]


def _faults_of_numbers(funnel: str, numbers: dict[int, list[int]]) -> list[str]:
    """Of one funnel, whose step numbers stand on these lines."""
    faults = [
        f"{STEPS} lines {' and '.join(map(str, at))}: step {step} of '{funnel}' is there more "
        "than once; number the steps 1, 2, 3, ... once each."
        for step, at in sorted(numbers.items())
        if len(at) > 1
    ]
    last = max(numbers, default=0)
    missing = sorted(set(range(1, min(last, MAX_STEPS) + 1)) - numbers.keys())
    if missing:
        faults.append(
            f"{STEPS}: step {missing[0]} of '{funnel}' is missing; expected 1 to {last} without a "
            "gap. Add it, or number the others again."
        )
    if len(numbers) < 2:
        faults.append(
            f"{STEPS}: '{funnel}' has {len(numbers)} step{'s' * (len(numbers) != 1)}; expected "
            "at least two. Add them, or remove the funnel."
        )
    if last > MAX_STEPS:
        faults.append(
            f"{STEPS}: '{funnel}' has a step {last}; expected {MAX_STEPS} steps at most. "
            "Split it into two funnels."
        )
    return faults


def funnel_faults_as_json() -> str:
    """`funnel_faults` for SQL."""
    return json.dumps(funnel_faults())

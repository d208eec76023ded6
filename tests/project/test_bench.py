"""What the bench reports is what it measured, and those it compares do the same work."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest

from benchmarks import bench, bench_report, funnel
from benchmarks.bench_report import Bench, Target
from benchmarks.costs import Lap, metered, simulate
from benchmarks.funnel import Contest, Counts, Place, Turn
from benchmarks.refresh import arrival, parts
from benchmarks.storage import FileSize, Growth, hold_back

SELECTED = ("int_daily_sessions_cut", "base_web__events_set_aside", "stg_shop__as_of")


def table_under(page: str, heading: str) -> dict[str, list[str]]:
    """The first table under a heading, by the text of its first column."""
    section = page[page.index(f"\n{heading}") :]
    lines = section[section.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    rows = [[cell.strip(" `|") for cell in line.split(" | ")] for line in lines[2:]]
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("bench") / "raw", 3000, 20)


def test_bench_measures_a_build_and_reports_it(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every model has a row with what was measured, by dbt and by hand; other parts have none."""
    arguments = ["--raw-path", str(raw), "--parts", "build", "hand", "--report", str(tmp_path)]
    assert bench.main([*arguments, "--select", *(f"+{name}" for name in SELECTED)]) == 0
    told = capsys.readouterr()
    assert "dbt build of" in told.err
    assert "by hand" in told.err
    page = (tmp_path / "bench.md").read_text()
    assert "cores" in page
    assert "DuckDB" in page
    assert f"--raw-path {raw}" in page
    targets = table_under(page, "## Targets")
    assert [re.sub("^[0-9,]* events: ", "", title)[:13] for title in targets] == [
        "the web part ",
        "the whole `db",
    ]
    assert all(float(value) > 0 for row in targets.values() for value in row[:2])
    models = table_under(page, "## Models")
    for name in SELECTED[:2]:
        wall, cpu, by_hand, rows, per_second, peak, spill, written = models[name]
        assert min(float(value) for value in (wall, cpu, by_hand, written)) > 0
        assert int(rows.replace(",", "")) > 0
        assert int(per_second.replace(",", "")) > 0
        assert int(peak.replace(",", "")) > 100
        assert spill == "0"
    assert not re.findall("^## (?!Targets|Builds|Models)", page, flags=re.MULTILINE)
    plot = ET.parse(tmp_path / "images" / "bench.svg")
    drawn = {text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")}
    assert {*SELECTED[:2]} <= drawn


def test_bench_says_in_a_sentence_what_it_cannot_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--raw-path", str(tmp_path), "--parts", "build", "--report", str(tmp_path)]
    assert bench.main(arguments) == 1
    told = capsys.readouterr().err
    assert f"not measured: {tmp_path} has no events as Parquet" in told
    assert not (tmp_path / "bench.md").exists()


def test_a_target_is_met_where_both_wall_and_processor_meet_it() -> None:
    assert Target("", 1.5, 1.4, 1.5).is_met
    assert not Target("", 1.5, 1.4, 1.6).is_met
    assert not Target("", 1.5, 1.6, 1.4).is_met
    assert Target("", 4, 4.0, 5.0, is_at_least=True).is_met
    assert not Target("", 4, 3.9, 5.0, is_at_least=True).is_met
    assert Target("", 60, 59.0).is_met


def test_report_tells_ratios_of_one_round_and_names_what_missed(tmp_path: Path) -> None:
    """Ratios are medians over rounds of ratios within one, not ratios of medians."""
    costs = {"scan": 1.0, "models": 4.0, "buckets": 2.0, "windows": 9.0, "tables": 18.0}
    costs |= {"pandas": 3.0, "polars": 1.0}
    rounds = [
        {name: Turn(cost * busy, cost, 10.0, {}) for name, cost in costs.items()}
        for busy in (1, 2, 30)
    ]
    written = Bench("python -m benchmarks.bench", "2 cores", "2026-01-01", 0.0, "4GB")
    written.funnel.append(Contest(1000, rounds, {}))
    written.growth.append(Growth(30, [FileSize(100, 0), FileSize(150, 50)], 0, FileSize(100, 0)))
    bench_report.write(written, tmp_path)
    page = (tmp_path / "bench.md").read_text()
    targets = table_under(page, "## Targets")
    of = "1,000 events: sessions and funnel"
    assert targets[f"{of}, windows / buckets"] == ["4.50", "4.50", "at least 4", "met"]
    assert targets[f"{of}, windows / models"] == ["2.25", "2.25", "at least 4", "**missed**"]
    assert targets[f"{of}, tables / models"] == ["4.50", "4.50", "at least 4", "met"]
    assert targets[f"{of}, polars / buckets"] == ["0.5", "0.5", "at least 1", "**missed**"]
    assert targets["work file after 1 refreshes / freshly built"] == [
        *("1.50", "-", "at most 1.3", "**missed**")
    ]
    assert "bench.svg" not in page


def test_meter_tells_spill_and_bytes_written_of_one_step(tmp_path: Path) -> None:
    """What one step spilled or wrote is not told of the next one."""
    with metered(tmp_path / "spilled") as meter:
        (tmp_path / "spilled").mkdir()
        (tmp_path / "spilled" / "block").write_bytes(bytes(3 * 2**20))
        first = meter.lap()
        (tmp_path / "spilled" / "block").unlink()
        meter.lap()
        second = meter.lap()
    assert first.spill == pytest.approx(3)
    assert first.written == pytest.approx(3, abs=0.1)
    assert second.spill == 0
    assert second.written < 0.1
    both = Lap(1, 2, 5, 7, 1) + Lap(1, 1, 6, 3, 2)
    assert both == Lap(2, 3, 6, 7, 3)


def test_late_events_come_later_and_none_is_lost(raw: Path, tmp_path: Path) -> None:
    """The refreshes that storage compares with one build load every event, some of them late."""
    source = Path(shutil.copytree(raw, tmp_path / "source"))
    hold_back(source)
    with duckdb.connect() as connection:
        both = [f"from read_parquet('{folder}/events/*/*.parquet')" for folder in (raw, source)]
        for one, other in (both, reversed(both)):
            assert not connection.execute(f"({one}) except all ({other})").fetchall()
    delays = [
        (arrival(file, day) - day).days
        for folder, day in parts(source)
        for file in folder.iterdir()
    ]
    assert {*delays} == {0, 1, 3, 20}


UNTIL = datetime(2026, 3, 31)  # noqa: DTZ001 - UTC, as raw times are
NAMES = (
    *("product_view", "View_Item", "page_view", "add_to_cart", "begin_checkout", "purchase"),
    "search",
)


def nasty_events(rng: random.Random) -> list[tuple[object, ...]]:
    """Few devices; times that tie or lie 30 minutes apart, over midnight and summer time."""
    events: list[tuple[object, ...]] = []
    for device in range(40):
        at = datetime(2026, 3, 28, 20, 0) + timedelta(minutes=rng.randrange(120))  # noqa: DTZ001
        for number in range(rng.randrange(60)):
            event_id = None if rng.random() < 0.02 else f"e{device}-{number}"
            name = NAMES[number % 6] if rng.random() < 0.5 else rng.choice(NAMES)
            page = rng.choice((None, "product", "Product", "cart"))
            device_id = None if rng.random() < 0.02 else f"d{device}"
            events.append((event_id, device_id, at, name, page, rng.choice((None, False, False))))
            at += timedelta(seconds=rng.choice((0, 0, 1, 60, 60, 60, 1799, 1800, 1801, 50000)))
        if device % 9 == 0 and events:
            events.append((*events[-1][:5], True))
            events[-1] = (f"bot{device}", *events[-1][1:])
    copies = [rng.choice(events) for _ in range(200)]
    others = [(one[0], *rng.choice(events)[1:]) for one in rng.sample(events, 40)]
    return [*events, *copies, *others]


def counted_one_by_one(events: list[tuple[object, ...]]) -> Counts:
    """The same counts by loops over rows."""
    kept: dict[tuple[object, object], tuple[object, ...]] = {}
    for event in sorted(events, key=lambda e: (e[2], str(e[1]), e[3], e[4] is None, str(e[4]))):
        event_id, device, at = event[:3]
        assert isinstance(at, datetime)
        if event_id is not None and device is not None and at < UNTIL:
            kept.setdefault((event_id, at.date()), event)
    by_device: dict[object, list[tuple[datetime, int]]] = {}
    for _, device, at, name, page, is_bot in kept.values():
        assert isinstance(at, datetime)
        if is_bot:
            continue
        lower = str(name).lower()
        is_view = lower in ("product_view", "view_item", "select_item")
        is_page = lower == "page_view" and str(page).lower() == "product"
        steps = {"add_to_cart": 2, "begin_checkout": 3, "purchase": 4}
        by_device.setdefault(device, []).append(
            (at, 1 if is_view or is_page else steps.get(lower, 0))
        )
    counts: Counts = {}

    def day_of(at: datetime) -> list[int]:
        local = at.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo("Europe/Paris"))
        return counts.setdefault(str(local.date()), [0] * 6)

    for rows in by_device.values():
        rows.sort()
        sessions: list[list[tuple[datetime, int]]] = []
        for at, step in rows:
            if not sessions or at - sessions[-1][-1][0] >= timedelta(minutes=30):
                sessions.append([])
            sessions[-1].append((at, step))
        for session in sessions:
            day_of(session[0][0])[0] += 1
            day_of(session[0][0])[1] += len(session)
            views = [at for at, step in session if step == 1]
            reached = views[0] if views else None
            for number in (1, 2, 3, 4):
                if reached is None:
                    break
                day_of(views[0])[1 + number] += 1
                later = [
                    at
                    for at, step in session
                    if step == number + 1 and reached <= at <= views[0] + timedelta(hours=24)
                ]
                reached = later[0] if later else None
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_all_formulations_count_what_loops_over_rows_count(seed: int, tmp_path: Path) -> None:
    """Who is compared does the same: copies, ties, bounds of sessions, the order of steps."""
    rng = random.Random(seed)
    events = nasty_events(rng)
    rng.shuffle(events)
    frame = pd.DataFrame(events, columns=[*funnel.COLUMNS])
    frame["event_at"] = frame["event_at"].astype("datetime64[us]")
    for number in range(3):
        part = tmp_path / "raw" / "events" / f"part={number}"
        part.mkdir(parents=True)
        frame.iloc[number::3].to_parquet(part / "events.parquet", index=False)
    place = Place(tmp_path / "raw", tmp_path)
    (tmp_path / "until").write_text(str(UNTIL))
    expected = counted_one_by_one(events)
    assert sum(row[5] for row in expected.values()) > 0
    alone: list[Callable[[Place], Counts]] = [
        *(funnel.buckets, funnel.windows, funnel.tables, funnel.pandas, funnel.polars)
    ]
    for formulation in alone:
        found = formulation(place)
        assert found == expected, formulation.__name__

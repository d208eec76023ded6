"""The report of a bench: Markdown with tables, and a plot; only what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from statistics import median

from benchmarks import refresh
from benchmarks.costs import Cost, Lap
from benchmarks.dbt_nodes import Node
from benchmarks.funnel import Contest
from benchmarks.lifecycle import LifecycleRun
from benchmarks.storage import Growth

SHOWN = 20  # models, the costliest first
PLOTTED = 15


@dataclass(frozen=True)
class SizeRun:
    """The part build for one folder: scan, dbt's parsing, the build, its plain SQL by hand."""

    events: int
    raw_bytes: int
    file_bytes: int
    scan: Cost
    cold_parse: Cost
    warm_parse: Cost
    whole: Cost
    nodes: Mapping[str, Node]
    hands: Mapping[str, Lap]

    @property
    def all_nodes(self) -> Lap:
        """All nodes one after the other: the build without what dbt does for itself."""
        return total(node.lap for node in self.nodes.values())

    @property
    def models(self) -> Lap:
        """All models one after the other: no seeds, no hooks."""
        return total(node.lap for node in self.nodes.values() if node.is_model)

    @property
    def web(self) -> Lap:
        """The nodes that are made of events."""
        return total(node.lap for node in self.nodes.values() if node.is_web)

    @property
    def by_hand(self) -> Lap:
        """The plain SQL of all models."""
        return total(self.hands.values())


@dataclass
class Bench:
    """What a run has measured so far; parts that were not run are empty."""

    command: str
    machine: str
    begun: str
    load: float
    memory_limit: str
    sizes: list[SizeRun] = field(default_factory=list)
    funnel: list[Contest] = field(default_factory=list)
    refreshes: list[refresh.Shop] = field(default_factory=list)
    lifecycle: list[LifecycleRun] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """A target and what was measured of it: by wall and, where that differs, processor seconds."""

    title: str
    limit: float
    wall: float
    cpu: float | None = None
    is_at_least: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the worse of the two meets it."""
        found = [value for value in (self.wall, self.cpu) if value is not None]
        if self.is_at_least:
            return min(found) >= self.limit
        return max(found) <= self.limit


def total(laps: Iterable[Lap]) -> Lap:
    """Steps one after the other."""
    return sum(laps, start=Lap())


def targets(bench: Bench) -> Iterator[Target]:
    """The targets that this run says something of."""
    for size in bench.sizes:
        of = f"{size.events:,} events"
        yield Target(
            f"{of}: the web part / a bare scan and aggregate of the columns of events",
            6,
            size.web.wall / size.scan.wall,
            size.web.cpu / size.scan.cpu,
        )
        if size.hands:
            yield Target(
                f"{of}: the whole `dbt build` / the plain SQL of its models by hand",
                1.5,
                size.whole.wall / size.by_hand.wall,
                size.whole.cpu / size.by_hand.cpu,
            )
    if len(bench.sizes) > 1:
        first, last = bench.sizes[0], bench.sizes[-1]
        times = last.events / first.events
        yield Target(
            f"cost per event, {last.events:,} / {first.events:,} events, without dbt itself",
            1.3,
            last.all_nodes.wall / first.all_nodes.wall / times,
            last.all_nodes.cpu / first.all_nodes.cpu / times,
        )
    for contest in bench.funnel:
        of = f"{contest.events:,} events: sessions and funnel"
        for ours in ("models", "buckets"):
            for other, times in (
                *(("polars", 1), ("pandas", 1)),
                *(("windows", 4), ("tables", 4)),
            ):
                ratios = contest.ratio(other, ours)
                yield Target(f"{of}, {other} / {ours}", times, *ratios, is_at_least=True)
    if bench.refreshes:
        short, long = bench.refreshes[0], bench.refreshes[-1]
        walls, cpus = (lambda run: run.nodes_wall), (lambda run: run.nodes_cpu)
        yield Target(
            f"a day's refresh after {long.days} / after {short.days} days, without dbt itself",
            1.2,
            refresh.growth(bench.refreshes, walls),
            refresh.growth(bench.refreshes, cpus),
        )
        yield Target(
            f"a day's refresh after {long.days} days / its full build, without dbt itself",
            0.03,
            refresh.share(long, walls),
            refresh.share(long, cpus),
        )
    for run in bench.lifecycle[:1]:
        customers = run.nodes["dim_customers"].rows or 0
        wall = total(node.lap for node in run.models).wall
        yield Target(f"lifecycle of {customers:,} customers, {run.title}", 60, wall, unit=" s")
    for growth in bench.growth:
        times = len(growth.refreshed) - 1
        yield Target(f"work file after {times} refreshes / freshly built", 1.3, growth.ratio)


def write(bench: Bench, folder: Path) -> None:
    """Write bench.md and, where a build was measured, images/bench.svg into the folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "bench.md").write_text("\n".join(page(bench)) + "\n", encoding="utf-8")
    if bench.sizes:
        (folder / "images" / "bench.svg").write_text(plot(bench.sizes[-1]), encoding="utf-8")


def summary(bench: Bench) -> str:
    """The table of targets, for a terminal."""
    lines = [f"{'target':<88}{'wall':>9}{'cpu':>9}{'aim':>9}"]
    for target in targets(bench):
        aim = f"{'>=' if target.is_at_least else '<='} {target.limit:g}{target.unit}"
        lines.append(
            f"{target.title:<88}{number(target.wall):>9}{number(target.cpu):>9}{aim:>9}"
            f"  {'met' if target.is_met else 'MISSED'}"
        )
    return "\n".join(lines)


def page(bench: Bench) -> Iterator[str]:
    """The lines of the page."""
    busy = (
        f"Busy processes, on average over a minute: {bench.load:.1f} before the run,"
        f" {os.getloadavg()[0]:.1f} at its end; ratios hold where nothing else runs."
    )
    yield from (
        "# Bench",
        "",
        f"Written by `{bench.command}` on {bench.begun}; do not edit.",
        "",
        f"Machine: {bench.machine}. DuckDB's memory_limit: {bench.memory_limit}. {busy} "
        "One run; where a part repeats, medians.",
        "",
        "## Targets",
        "",
        "Met where both wall and processor seconds meet it.",
        "",
    )
    yield from table(
        ["", "by wall", "by processor", "target", ""],
        (
            [
                target.title,
                number(target.wall) + target.unit,
                number(target.cpu) or "-",
                f"{'at least' if target.is_at_least else 'at most'} {target.limit:g}{target.unit}",
                "met" if target.is_met else "**missed**",
            ]
            for target in targets(bench)
        ),
    )
    if bench.sizes:
        yield from sizes_section(bench.sizes)
        yield from models_section(bench.sizes[-1])
    if bench.funnel:
        yield from funnel_section(bench.funnel[0])
    if bench.refreshes:
        yield from refresh_section(bench.refreshes)
    if bench.lifecycle:
        yield from lifecycle_section(bench.lifecycle[0])
    if bench.growth:
        yield from growth_section(bench.growth[0])


def sizes_section(sizes: Sequence[SizeRun]) -> Iterator[str]:
    """Whole builds, a column a size."""
    yield from ("", "## Builds", "")
    rows: list[list[str]] = []

    def row(title: str, values: Iterable[str]) -> None:
        rows.append([title, *values])

    def costs(title: str, laps: Sequence[Cost | Lap]) -> None:
        row(title, (f"{lap.wall:,.1f} / {lap.cpu:,.1f}" for lap in laps))

    costs("bare scan and aggregate of the events, wall s / processor s", [s.scan for s in sizes])
    costs("whole `dbt build`, without tests", [s.whole for s in sizes])
    costs("- models of events", [s.web for s in sizes])
    costs("- all models", [s.models for s in sizes])
    costs("- all nodes: models, seeds, hooks", [s.all_nodes for s in sizes])
    if any(s.hands for s in sizes):
        costs(
            "plain SQL of the models by hand, models in Python run as well",
            [s.by_hand for s in sizes],
        )
    row(
        "events per second of the whole build",
        (f"{s.events / s.whole.wall:,.0f}" for s in sizes),
    )
    row("peak memory, MB", (f"{s.whole.peak:,.0f}" for s in sizes))
    row("most spilled at a time, MB", (f"{s.all_nodes.spill:,.0f}" for s in sizes))
    row("bytes written, MB", (f"{s.all_nodes.written:,.0f}" for s in sizes))
    row("work file, MB", (f"{s.file_bytes / 2**20:,.0f}" for s in sizes))
    row("raw files, MB", (f"{s.raw_bytes / 2**20:,.0f}" for s in sizes))
    yield from table(["", *(f"{s.events:,} events" for s in sizes)], rows)
    yield from ("", "What dbt itself costs (wall s / processor s):", "")
    rows.clear()
    costs("parsing from nothing", [s.cold_parse for s in sizes])
    costs("start, when nothing is to be parsed again", [s.warm_parse for s in sizes])
    costs(
        "outside of nodes: start, artifacts",
        [Lap(s.whole.wall - s.all_nodes.wall, s.whole.cpu - s.all_nodes.cpu) for s in sizes],
    )
    if all(s.hands for s in sizes):
        row(
            "per model, milliseconds more than its SQL by hand",
            (
                " / ".join(
                    f"{(in_dbt - by_hand) / len(s.hands) * 1000:,.0f}"
                    for in_dbt, by_hand in (
                        (s.models.wall, s.by_hand.wall),
                        (s.models.cpu, s.by_hand.cpu),
                    )
                )
                for s in sizes
            ),
        )
    yield from table(["", *(f"{s.events:,} events" for s in sizes)], rows)


def models_section(size: SizeRun) -> Iterator[str]:
    """Every model of the largest build; the costliest first, the others folded away."""
    nodes = sorted(size.nodes.values(), key=lambda node: -node.cpu)
    header = [
        *("model", "wall s", "processor s", "by hand", "rows", "rows per s"),
        *("peak MB", "spill MB", "written MB"),
    ]
    yield from (
        "",
        f"## Models, {size.events:,} events",
        "",
        "Rows are those of the table, rows per second by wall. By hand: processor seconds of the "
        "plain SQL. Peak memory is the process's while the model ran, what dbt holds included. "
        "Bytes written fall on the model at which the engine writes its log into the file.",
        "",
        "![The costliest models](images/bench.svg)",
        "",
    )
    yield from table(header, (model_row(size, node) for node in nodes[:SHOWN]))
    yield from ("", f"<details><summary>The other {len(nodes) - SHOWN}</summary>", "")
    yield from table(header, (model_row(size, node) for node in nodes[SHOWN:]))
    yield from ("", "</details>")


def model_row(size: SizeRun, node: Node) -> list[str]:
    """One model's row of the table."""
    lap, hand = node.lap, size.hands.get(node.name)
    return [
        f"`{node.name}`",
        f"{lap.wall:,.2f}",
        f"{lap.cpu:,.2f}",
        f"{hand.cpu:,.2f}" if hand else "-",
        "-" if node.rows is None else f"{node.rows:,}",
        "-" if node.rows is None else f"{node.rows / lap.wall:,.0f}",
        f"{lap.peak:,.0f}",
        f"{lap.spill:,.0f}",
        f"{lap.written:,.1f}",
    ]


def funnel_section(contest: Contest) -> Iterator[str]:
    """Every formulation, and what it costs beside a bare scan."""
    yield from ("", f"## Sessions and a funnel, {contest.events:,} events", "")
    yield from table(
        ["", "wall s", "processor s", "peak MB", "wall / scan", "processor / scan"],
        (
            [
                name,
                *(f"{value:,.1f}" for value in contest.cost(name)[:2]),
                f"{contest.cost(name)[2]:,.0f}",
                *(number(value) for value in contest.ratio(name, "scan")),
            ]
            for name in contest.names
        ),
    )


def refresh_section(shops: Sequence[refresh.Shop]) -> Iterator[str]:
    """A day's refresh by days of history."""
    yield from ("", "## A day's refresh", "")
    costs: dict[str, Callable[[refresh.Run], tuple[float, float]]] = {
        "all nodes": lambda run: (run.nodes_wall, run.nodes_cpu),
        "- models of events": lambda run: (run.web_wall, run.web_cpu),
        "whole process": lambda run: (run.whole.wall, run.whole.cpu),
    }
    rows = []
    for title, cost in costs.items():
        for kind, part in (("full build", slice(0, 1)), ("refresh", slice(1, None))):
            pairs = [[cost(run) for run in shop.builds[part]] for shop in shops]
            cells = (
                " / ".join(f"{median(each):,.1f}" for each in zip(*pair, strict=True))
                for pair in pairs
            )
            rows.append([f"{title}, {kind}", *cells])
    yield from table(["wall s / processor s", *(f"{s.days} days" for s in shops)], rows)


def lifecycle_section(run: LifecycleRun) -> Iterator[str]:
    """The models of the group lifecycle, the costliest first."""
    yield from ("", f"## Lifecycle, {run.title}", "")
    laps = [total(node.lap for node in run.models)]
    nodes = sorted(run.models, key=lambda node: -node.cpu)[:SHOWN]
    rows = [["all lifecycle models", "", *lap_cells(lap)] for lap in laps]
    rows += [[f"`{node.name}`", f"{node.rows or 0:,}", *lap_cells(node.lap)] for node in nodes]
    yield from table(["", "rows", "wall s", "processor s", "peak MB"], rows)


def lap_cells(lap: Lap) -> list[str]:
    """Seconds and memory of a step."""
    return [f"{lap.wall:,.1f}", f"{lap.cpu:,.1f}", f"{lap.peak:,.0f}"]


def growth_section(growth: Growth) -> Iterator[str]:
    """The work file on its way."""
    yield from ("", "## The work file", "")
    last = len(growth.refreshed) - 1
    shown = sorted({*range(0, last + 1, max(1, last // 10)), last})
    sizes = [(f"after {number} refreshes", growth.refreshed[number]) for number in shown]
    sizes.append(("all the days in one build from nothing", growth.fresh))
    yield from table(
        ["", "MB", "of it free, MB"],
        (
            [title, f"{size.total / 2**20:,.1f}", f"{size.free / 2**20:,.1f}"]
            for title, size in sizes
        ),
    )
    yield from ("", f"It was written anew {growth.compacted} times, as publication does.")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of Markdown; all columns but the first are set to the right."""
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" + "---:|" * (len(header) - 1)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def number(value: float | None) -> str:
    """Three figures that mean something; nothing for nothing."""
    return "" if value is None else f"{value:.3g}" if value < 1 else f"{value:,.2f}"


def plot(size: SizeRun) -> str:
    """The costliest models as bars of processor seconds: in dbt, and their plain SQL by hand."""
    nodes = [node for node in size.nodes.values() if node.is_model]
    nodes = sorted(nodes, key=lambda node: -node.cpu)[:PLOTTED]
    by_hand = {node.name: size.hands.get(node.name, Lap()).cpu for node in nodes}
    longest = max(max(node.cpu, by_hand[node.name]) for node in nodes)
    left, width, step = 270, 430, 30
    bars = []
    for place, node in enumerate(nodes):
        top = 52 + place * step
        bars.append(f'<text x="{left - 8}" y="{top + 15}" class="name">{escape(node.name)}</text>')
        for offset, kind, cpu in ((0, "dbt", node.cpu), (11, "hand", by_hand[node.name])):
            length = cpu / longest * width
            bars.append(
                f'<rect x="{left}" y="{top + offset}" width="{length:.1f}" height="10" '
                f'class="{kind}"/><text x="{left + length + 5:.1f}" y="{top + offset + 9}">'
                f"{cpu:,.1f}</text>"
            )
    height = 60 + len(nodes) * step
    title = f"Processor seconds of the costliest models, {size.events:,} events"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" role="img"
  aria-label="{title}">
<style>
  text {{ font: 11px sans-serif; fill: #333 }} .name {{ text-anchor: end }}
  .title {{ font-size: 13px; font-weight: bold }} .dbt {{ fill: #2b6ca3 }} .hand {{ fill: #e0a84c }}
</style>
<rect width="760" height="{height}" fill="#fff"/>
<text x="8" y="18" class="title">{title}</text>
<rect x="8" y="30" width="10" height="10" class="dbt"/><text x="23" y="39">in dbt</text>
<rect x="73" y="30" width="10" height="10" class="hand"/>
<text x="88" y="39">plain SQL by hand</text>
{chr(10).join(bars)}
</svg>
"""

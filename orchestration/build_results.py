"""What dbt's artifacts say of the last build: its marts, its checks, whether all passed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.history import CheckResult

GOOD = ("success", "pass", "no-op")
CHECK_KINDS = {"test": "data_test", "unit_test": "unit_test"}
SHOWN_CHECKS = 3
SHOWN_ROWS = 3
SHOWN_CHARACTERS = 300


class PublishError(Exception):
    """The build cannot be published; the message says why and what to do."""


@dataclass(frozen=True)
class Mart:
    """A public mart of the dbt project, as its manifest describes it."""

    unique_id: str
    name: str
    relation: str
    description: str
    column_descriptions: dict[str, str]
    order_by: list[str]


@dataclass(frozen=True)
class Build:
    """The last `dbt build`: what it made and what it said of each step."""

    target: Path
    invocation_id: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    steps: list[dict[str, Any]]
    nodes: dict[str, dict[str, Any]]
    marts: list[Mart]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The steps that failed, warned or were skipped."""
        return [step for step in self.steps if step["status"] not in GOOD]

    @property
    def made_count(self) -> int:
        """How many models and seeds were built."""
        return sum(_kind(step) in ("model", "seed") for step in self.steps)

    def checks(self, run_id: str) -> list[CheckResult]:
        """The outcome of each test, as history keeps it."""
        return [
            CheckResult(
                run_id=run_id,
                check_id=step["unique_id"],
                check_name=self.nodes[step["unique_id"]]["name"],
                check_kind=CHECK_KINDS[_kind(step)],
                model_name=self.subject_of(step["unique_id"]),
                status=step["status"],
                failure_count=step["failures"],
                seconds=step["execution_time"],
                # A unit test's rows are made up; what DuckDB says of an error may quote a value.
                message=None
                if step["status"] in GOOD
                else f"{step['failures']} rows"
                if step["failures"]
                else step["status"],
            )
            for step in self.steps
            if _kind(step) in CHECK_KINDS
        ]

    def subject_of(self, test: str) -> str | None:
        """The model that a test is of; of several, the one built last."""
        attached = self.nodes[test].get("attached_node")
        if attached:
            return _name(attached)
        parents = set(self.nodes[test]["depends_on"]["nodes"])
        built = [step["unique_id"] for step in self.steps if step["unique_id"] in parents]
        return _name(built[-1]) if built else None

    def complaint(self, warehouse: Path) -> str:
        """Which checks failed, and by which rows: a line each, the first few."""
        tests = [step for step in self.failed if _kind(step) in CHECK_KINDS]
        told = [step for step in tests if step["status"] != "skipped"]
        errors = [step for step in self.failed if step["status"] == "error" and step not in tests]
        lines = [f"  {_name(step['unique_id'])}: {_first_line(step)}" for step in errors]
        lines += [self._complaint_of(step, warehouse) for step in told]
        more = len(lines) - SHOWN_CHECKS
        return "\n".join(lines[:SHOWN_CHECKS] + [f"  ... and {more} more"] * (more > 0))

    def _complaint_of(self, step: dict[str, Any], warehouse: Path) -> str:
        rows = f"{step['failures']:,} rows" if step["failures"] else step["status"]
        sample = self._sample(step, warehouse)
        query = self._query_file(step["unique_id"])
        return (
            f"  {_name(step['unique_id'])}: {rows}"
            + (f", such as {sample}" if sample else "")
            + (f"; all of them: {query}" if query else "")
        )

    def _sample(self, step: dict[str, Any], warehouse: Path) -> str:
        """A few of the rows that break a test, where all that it reads is published anyway."""
        parents = self.nodes[step["unique_id"]]["depends_on"]["nodes"]
        public = {mart.unique_id for mart in self.marts}
        if not step["failures"] or not step.get("compiled_code") or not public.issuperset(parents):
            return ""
        try:
            with duckdb.connect(str(warehouse), read_only=True) as connection:
                relation = connection.sql(step["compiled_code"]).limit(SHOWN_ROWS)
                names = relation.columns
                rows = [dict(zip(names, map(str, row), strict=True)) for row in relation.fetchall()]
        except duckdb.Error:
            return ""
        return json.dumps(rows, ensure_ascii=False)[:SHOWN_CHARACTERS]

    def _query_file(self, test: str) -> Path | None:
        node = self.nodes[test]
        folder = self.target / "compiled" / str(node["package_name"])
        file: Path = folder / str(node["original_file_path"])
        for path in (file, file / str(node["path"])):
            if path.is_file():
                return path
        return None


def read_build(target: Path) -> Build:
    """The last build whose artifacts are in `target`; PublishError unless it was of everything."""
    manifest = _read(target / "manifest.json")
    results = _read(target / "run_results.json")
    if results["args"]["which"] != "build":
        raise PublishError(
            f"The last dbt command was `dbt {results['args']['which']}`, which does not show that "
            "the marts are sound: run `dbt build`, then publish."
        )
    metadata = results["metadata"]
    build = Build(
        target=target,
        invocation_id=metadata["invocation_id"],
        started_at=_utc(metadata["invocation_started_at"]),
        finished_at=_utc(metadata["generated_at"]),
        seconds=results["elapsed_time"],
        steps=results["results"],
        nodes={**manifest["nodes"], **manifest["unit_tests"]},
        marts=sorted(_marts(manifest), key=lambda mart: mart.name),
    )
    built = {step["unique_id"] for step in build.steps}
    left_out = [mart.unique_id for mart in build.marts if mart.unique_id not in built]
    if left_out:
        raise PublishError(
            f"The last build left out {len(left_out)} of {len(build.marts)} marts "
            f"({names_of(left_out)}), so nothing was published: run `dbt build` without a "
            "selection."
        )
    return build


def names_of(unique_ids: Sequence[str]) -> str:
    """The first few of some nodes, by name."""
    names = [_name(unique_id) for unique_id in unique_ids]
    return ", ".join(names[:5] + ["..."] * (len(names) > 5))


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise PublishError("There is no build to publish: run `make build` or `dbt build` first.")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _kind(step: dict[str, Any]) -> str:
    return str(step["unique_id"]).split(".", maxsplit=1)[0]


def _name(unique_id: str) -> str:
    """The node's name; of a unit test, with its model."""
    parts = unique_id.split(".")
    return ".".join(parts[2:]) if parts[0] == "unit_test" else parts[2]


def _first_line(step: dict[str, Any]) -> str:
    """What kind of error a model ended with: what follows may quote the shop's values."""
    lines = [line.strip() for line in (step["message"] or "").splitlines() if line.strip()]
    return lines[0] if lines else str(step["status"])


def _marts(manifest: dict[str, Any]) -> Iterator[Mart]:
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["config"]["access"] != "public":
            continue
        columns = node["columns"]
        dates = [name for name, column in columns.items() if column["data_type"] == "date"]
        yield Mart(
            unique_id=node["unique_id"],
            name=node["name"],
            relation=f'"{node["schema"]}"."{node["alias"]}"',
            description=node["description"],
            column_descriptions={name: c["description"] for name, c in columns.items()},
            # By date first, so that a query on some days reads few blocks; then the grain, so that
            # the same rows are the same bytes.
            order_by=list(dict.fromkeys(dates[:1] + node["config"]["meta"]["grain"])),
        )

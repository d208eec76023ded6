"""The folder that BI tools read: one build is shown, the last ones are kept to go back to.

What readers find (marts.duckdb, manifest.json) are further names of a kept build's files. To show
another build is to rename two names; what was killed between them is ended by the next command.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orchestration import history
from orchestration.build_results import PublishError
from orchestration.history import BuildRun
from orchestration.lock import WriterLock

MARTS, MANIFEST = "marts.duckdb", "manifest.json"


def switch(folder: Path, work: Path, manifest: dict[str, Any]) -> None:
    """Give readers the build that was written into the work folder: a rename a part."""
    build_id = manifest["build_id"]
    kept = folder / "builds" / build_id
    kept.parent.mkdir(exist_ok=True)
    (folder / "parquet").mkdir(exist_ok=True)
    (work / "kept").mkdir()
    for name in (MARTS, MANIFEST):
        os.replace(work / name, work / "kept" / name)
    os.replace(work / "parquet", folder / "parquet" / build_id)
    os.replace(work / "kept", kept)
    for path in (folder / "parquet", kept, kept.parent):
        flush(path)
    show(folder, build_id)


def show(folder: Path, build_id: str) -> None:
    """Make a kept build the one that readers find: its file, then its manifest."""
    for name in (MARTS, MANIFEST):
        new = folder / f".{name}.new"
        new.unlink(missing_ok=True)
        try:
            os.link(folder / "builds" / build_id / name, new)
        except OSError:  # a file system without hard links
            shutil.copyfile(folder / "builds" / build_id / name, new)
            flush(new)
        os.replace(new, folder / name)
    flush(folder)


def rollback(folder: Path, build_id: str | None = None) -> dict[str, Any]:
    """Give readers a build that was published before; gives its manifest.

    `build_id`: a kept build; without it, the last one before the one that readers have. Raises
    PublishError where there is none, or its file is not what was published.
    """
    started_at = datetime.now(UTC)
    with WriterLock(folder / MARTS):
        tidy(folder)
        manifests = kept_builds(folder)
        now = current(folder)
        older = [name for name in manifests if now and name < now["build_id"]]
        wanted = build_id or (older[-1] if older else None)
        if wanted not in manifests:
            raise PublishError(
                f"There is no build {wanted or 'before this one'} to roll back to: kept are "
                f"{', '.join(manifests) or 'none'}."
            )
        manifest = manifests[wanted]
        if sha256(folder / "builds" / wanted / MARTS) != manifest["marts_sha256"]:
            raise PublishError(
                f"The kept file of build {wanted} is not what was published: choose another."
            )
        show(folder, wanted)
        run_id = new_id(started_at)
        work = folder / f".{run_id}"
        work.mkdir()
        run = BuildRun(
            run_id=run_id,
            run_kind="rollback",
            launched_by="command",
            invocation_id=None,
            started_at=started_at.replace(tzinfo=None),
            build_seconds=None,
            finished_at=datetime.now(UTC).replace(tzinfo=None),
            is_published=True,
            published_build_id=wanted,
            refusal=None,
            as_of_date=date.fromisoformat(manifest["as_of_date"])
            if manifest["as_of_date"]
            else None,
            model_count=0,
            check_count=0,
            failed_check_count=0,
            mart_row_count=sum(mart["rows"] for mart in manifest["marts"]),
            schema_version=manifest["schema_version"],
        )
        try:
            history.note(folder, work, run, [])
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return manifest


def current(folder: Path) -> dict[str, Any] | None:
    """The manifest of the build that readers have; None where nothing was published yet."""
    path = folder / MANIFEST
    return json.loads(path.read_text()) if path.exists() else None


def kept_builds(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifests of the builds that can be rolled back to, by build id, oldest first."""
    paths = sorted((folder / "builds").glob(f"2*/{MANIFEST}"))
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


def tidy(folder: Path) -> None:
    """Take away what a killed publication left, and end a switch that it began."""
    for path in folder.glob(".2*"):
        shutil.rmtree(path)
    for name in (MARTS, MANIFEST):
        (folder / f".{name}.new").unlink(missing_ok=True)
    kept = kept_builds(folder)
    now = current(folder)
    seen = next((name for name, manifest in kept.items() if _is_same(folder, name, manifest)), None)
    if seen and (now is None or now["build_id"] != seen):
        show(folder, seen)
    named = {*kept, now["build_id"] if now else ""}
    for path in (folder / "parquet").glob("2*"):
        if path.name not in named:
            shutil.rmtree(path)


def _is_same(folder: Path, build_id: str, manifest: dict[str, Any]) -> bool:
    """Whether the file that readers find is that of a kept build."""
    file, kept = folder / MARTS, folder / "builds" / build_id / MARTS
    if not file.exists() or not kept.exists():
        return False
    if file.samefile(kept):
        return True
    is_alike = file.stat().st_size == kept.stat().st_size
    return is_alike and sha256(file) == manifest["marts_sha256"]


def forget_old_builds(folder: Path, keep: int) -> None:
    """Keep the last builds, and the one that readers have."""
    now = current(folder)
    builds = sorted(
        {path.name for name in ("builds", "parquet") for path in (folder / name).glob("2*")}
    )
    for build_id in builds[:-keep]:
        if not now or build_id != now["build_id"]:
            for name in ("builds", "parquet"):
                shutil.rmtree(folder / name / build_id, ignore_errors=True)


def new_id(at: datetime) -> str:
    """The id of a build or run that begins at a time: ids sort by time."""
    return at.strftime("%Y%m%dT%H%M%S%fZ")


def sha256(file: Path) -> str:
    """The checksum of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Make a written file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

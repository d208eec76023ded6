"""What is left when a refresh or a publication is killed, or has no room, or may not write.

    python -m benchmarks.crashes                         10 kills of each, 5 days one by one
    python -m benchmarks.crashes --kills 50 --days 30    50 kills of each, 30 days
    python -m benchmarks.crashes --only publish          a publication alone

Every time: what readers have opens, is a whole build of one number, and its Parquet is what its
manifest says; and the next run, without anything being cleaned by hand, ends in the tables of a run
that nobody disturbed. So do days that are loaded one by one, and those after a week without a
refresh. Small file systems (tmpfs, full or read-only) are mounted by root alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from benchmarks.handmade import MARTS, HandmadeBuild

PROJECT = Path(__file__).resolve().parent.parent
# A refresh without dbt's tests, which write nothing.
DBT = (
    *(str(Path(sys.executable).with_name("dbt")), "--quiet", "build"),
    *("--exclude-resource-type", "test", "unit_test"),
)
# So many refreshes are killed, one after the other, before one is left alone.
KILLS_IN_A_ROW = 5


class Broken(Exception):
    """Something that must not be; the message says what."""


def publication(build: HandmadeBuild) -> list[str]:
    """The command that publishes a build."""
    return [
        *(sys.executable, "-m", "orchestration.publish"),
        *("--warehouse", str(build.warehouse), "--target", str(build.target)),
        *("--folder", str(build.published)),
    ]


def finish(command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def must(command: Sequence[str], **environment: str) -> float:
    """Run a command that must succeed; gives its seconds."""
    begun = time.perf_counter()
    done = finish(command, **environment)
    if done.returncode:
        raise Broken(f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:]}")
    return time.perf_counter() - begun


def kill_after(command: Sequence[str], seconds: float, **environment: str) -> bool:
    """Start a command and kill -9 its whole group; whether it was still running."""
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return True
    return False


def whole_build(folder: Path) -> int:
    """The number of the build that readers have; Broken where it is not a whole one."""
    file, manifest = folder / "marts.duckdb", json.loads((folder / "manifest.json").read_text())
    with duckdb.connect(str(file), read_only=True) as connection:
        numbers = {
            number
            for mart in MARTS
            for number in connection.execute(
                f"select min(build_number), max(build_number) from {mart}"
            ).fetchone()
            or ()
        }
    if len(numbers) != 1:
        raise Broken(f"the published file is of several builds: {numbers}")
    for mart in manifest["marts"]:
        parquet = folder / mart["parquet"]
        if hashlib.sha256(parquet.read_bytes()).hexdigest() != mart["sha256"]:
            raise Broken(f"{parquet} is not what the manifest says")
    return int(numbers.pop())


def kill_publications(scratch: Path, kills: int, rng: random.Random) -> None:
    """Kill publications at random moments of their whole length."""
    build = HandmadeBuild(scratch / "publish")
    build.make(0)
    must(publication(build))
    build.make(1)
    seconds = must(publication(build))
    killed, seen = 0, {"old": 0, "new": 0}
    for number in range(2, 2 + kills):
        build.make(number)
        before = whole_build(build.published)
        killed += kill_after(publication(build), rng.uniform(0.1, seconds))
        found = whole_build(build.published)
        if found not in (before, number):
            raise Broken(f"readers have build {found}, neither {before} nor {number}")
        seen["new" if found == number else "old"] += 1
        if rng.random() < 0.3:
            must(publication(build))
            check_published(build, number)
    build.make(2 + kills)
    must(publication(build))
    check_published(build, 2 + kills)
    print(
        f"publication: {killed} killed within {seconds:.1f} s; afterwards readers had the build "
        f"before {seen['old']} times, the new one {seen['new']} times, always a whole one; the "
        "next one left nothing of it"
    )


def check_published(build: HandmadeBuild, number: int) -> None:
    """What a publication that nobody disturbed leaves: the build, and no trace of others."""
    folder = build.published
    if whole_build(folder) != number:
        raise Broken(f"readers have build {whole_build(folder)}, not {number}")
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256((folder / "marts.duckdb").read_bytes()).hexdigest()
    if digest != manifest["marts_sha256"]:
        raise Broken("the published file is not the manifest's")
    left = [path.name for path in folder.glob(".*")]
    kept = {name: {p.name for p in (folder / name).iterdir()} for name in ("builds", "parquet")}
    if left or kept["builds"] != kept["parquet"] or len(kept["builds"]) > 3:
        raise Broken(f"left behind: {left}, {kept}")


def kill_refreshes(scratch: Path, kills: int, rng: random.Random) -> None:
    """Kill refreshes at random moments, some in a row; then let one end, and compare."""
    sys.path[:0] = [str(PROJECT / "tests")]
    from refresh.months import DAY_COUNT, make_month  # noqa: PLC0415 - of the tests' folder

    month, raw = make_month(60, seed=6), scratch / "raw"
    places = {name: place(scratch, name) for name in ("killed", "left alone")}
    publish = [sys.executable, "-m", "orchestration.publish"]
    day, killed, compared = DAY_COUNT // 3, 0, 0
    month.write(raw, day)
    for environment in places.values():
        must(DBT, **environment)
    must(publish, **places["killed"])
    while killed < kills:
        # When the days are used up, the last one comes again: a refresh that has nothing to do.
        day = min(day + 1, DAY_COUNT - 1)
        month.write(raw, day)
        seconds = must(DBT, **places["left alone"])
        for _ in range(min(KILLS_IN_A_ROW, kills - killed)):
            if not kill_after(DBT, rng.uniform(0.2, 0.95) * seconds, **places["killed"]):
                break  # it was quicker, and has loaded the day
            killed += 1
            refused = finish(publish, **places["killed"])
            if not refused.returncode and not _is_complete(places["killed"]):
                raise Broken("a refresh that was killed was published")
            _open_published(Path(places["killed"]["CARTWRIGHT_PUBLISH_DIR"]))
        must(DBT, **places["killed"])
        must(publish, **places["killed"])
        compared += 1
        found = differences(*(Path(places[n]["CARTWRIGHT_WAREHOUSE"]) for n in places))
        if found:
            raise Broken(f"after kills, tables differ: {found[:5]}")
        print(f"  {killed} refreshes killed so far, {compared} compared ...", file=sys.stderr)
    print(
        f"refresh: {killed} killed within {seconds:.0f} s, up to {KILLS_IN_A_ROW} in a row, none "
        f"published; {compared} times the next one ended in the same tables as one never killed"
    )


def place(scratch: Path, name: str) -> dict[str, str]:
    """The environment of a warehouse in a folder of its own, built from the one raw folder."""
    return {
        "CARTWRIGHT_WAREHOUSE": str(scratch / name / "cartwright.duckdb"),
        "CARTWRIGHT_RAW_PATH": str(scratch / "raw"),
        "DBT_TARGET_PATH": str(scratch / name / "target"),
        "DBT_LOG_PATH": str(scratch / name / "logs"),
        "CARTWRIGHT_PUBLISH_DIR": str(scratch / name / "published"),
    }


def refresh_day_by_day(scratch: Path, days: int) -> None:
    """Load days one by one, and again with a week missed; compare with one load of all of them."""
    sys.path[:0] = [str(PROJECT / "tests")]
    from refresh.months import DAY_COUNT, make_month  # noqa: PLC0415 - of the tests' folder

    month, folder = make_month(60, seed=7), scratch / "days"
    missed = range(DAY_COUNT - 8, DAY_COUNT - 1)
    for number in range(DAY_COUNT - days, DAY_COUNT):
        month.write(folder / "raw", number)
        must(DBT, **place(folder, "each day"))
        if number not in missed:
            must(DBT, **place(folder, "a week missed"))
        print(f"  day {number + 1} of {DAY_COUNT} ...", file=sys.stderr)
    must(DBT, **place(folder, "at once"))
    at_once = Path(place(folder, "at once")["CARTWRIGHT_WAREHOUSE"])
    for name in ("each day", "a week missed"):
        found = differences(Path(place(folder, name)["CARTWRIGHT_WAREHOUSE"]), at_once)
        if found:
            raise Broken(f"{name}: tables differ from one load: {found[:5]}")
    print(f"{days} days one by one, and with a week missed, end in the tables of one load")


def _is_complete(environment: dict[str, str]) -> bool:
    with duckdb.connect(environment["CARTWRIGHT_WAREHOUSE"], read_only=True) as connection:
        rows = connection.execute("select bool_and(is_complete) from raw.refreshes").fetchone()
    return bool(rows and rows[0])


def _open_published(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as connection:
        for mart in manifest["marts"]:
            found = connection.execute(f"select count(*) from {mart['name']}").fetchone()
            if found != (mart["rows"],):
                raise Broken(f"{mart['name']} has {found} rows, {mart['rows']} by the manifest")


def differences(ours: Path, theirs: Path) -> list[str]:
    """The tables of marts and intermediates whose rows are not the same in two warehouses."""
    with duckdb.connect() as connection:
        for name, path in (("ours", ours), ("theirs", theirs)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        tables = connection.execute(
            "select distinct schema_name, table_name from duckdb_tables()"
            " where schema_name in ('intermediate', 'marts')"
            " and table_name <> 'int_traffic_sources_classified' order by all"
        ).fetchall()
        return [
            table
            for schema, table in tables
            if connection.execute(
                f"(from ours.{schema}.{table} except all from theirs.{schema}.{table}) union all"
                f" (from theirs.{schema}.{table} except all from ours.{schema}.{table}) limit 1"
            ).fetchall()
        ]


@contextmanager
def file_system(folder: Path, options: str) -> Iterator[Callable[[str], float]]:
    """A small file system of its own; what is given mounts it anew with other options."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield lambda other: must(["mount", "-o", f"remount,{other}", str(folder)])
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def deny_room_and_writing(scratch: Path) -> None:
    """Publish to a file system that is full, then to one that is read-only, then to a sound one."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        print("full disk, read-only folder: not tried, as only root mounts file systems")
        return
    build = HandmadeBuild(scratch / "small")
    build.make(0)
    with file_system(build.published, "size=60m") as remount:
        must(publication(build))
        size = sum(p.stat().st_size for p in (build.published / "builds").rglob("*.duckdb"))
        filler = build.published / "filler"
        for share in (0.0, 0.3, 0.8, 1.2):
            room = shutil.disk_usage(build.published).free - int(size * share)
            filler.write_bytes(b"x" * max(room, 0))
            build.make(1)
            refused = finish(publication(build))
            if not refused.returncode or whole_build(build.published) != 0:
                raise Broken(f"a full disk: {refused.stdout}")
            if len(refused.stderr.strip().splitlines()) != 1:
                raise Broken(f"a full disk is told by more than a sentence: {refused.stderr}")
            filler.unlink()
        print(
            f"full disk: nothing published, nothing left; it says: {refused.stderr.strip()[:150]}"
        )
        remount("ro")
        refused = finish(publication(build))
        if not refused.returncode or whole_build(build.published) != 0:
            raise Broken(f"a read-only folder: {refused.stdout}")
        print(f"read-only folder: nothing published; it says: {refused.stderr.strip()[:150]}")
        remount("rw")
        must(publication(build))
        check_published(build, 1)
        print("with room again: published")


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and compare; exit 1 where something is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.crashes",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=10, help="of each kind (default 10)")
    parser.add_argument("--seed", type=int, default=6, help="of the random moments")
    parser.add_argument("--days", type=int, default=5, help="loaded one by one (default 5, to 35)")
    parser.add_argument(
        "--only", choices=("publish", "disk", "refresh", "days"), help="one of the four"
    )
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        try:
            if options.only in (None, "publish"):
                kill_publications(scratch, options.kills, rng)
            if options.only in (None, "disk"):
                deny_room_and_writing(scratch)
            if options.only in (None, "refresh"):
                kill_refreshes(scratch, options.kills, rng)
            if options.only in (None, "days"):
                refresh_day_by_day(scratch, options.days)
        except (Broken, subprocess.CalledProcessError) as error:
            print(f"broken: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

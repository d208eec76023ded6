"""A standalone cluster of Spark on this machine: a master and workers, processes on loopback.

`PYTHONPATH=.:tests python -m engine.cluster` builds the shop on one with two workers, the way that
`python -m orchestration.spark build` does, and compares every mart with DuckDB's (after
`make build`). With --kill-worker one worker is killed, and an executor lost, in the middle of it.
With --through connect or thrift the driver is a server on the cluster, which the build asks.
Options that it does not know itself are those of the build.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.engines import places_in
from engine.parity import compare
from warehouses import PROJECT

HOST = "127.0.0.1"
START_SECONDS = 60
SHOWN_MODELS = 30
# The servers that a build may ask in the place of a driver of its own.
CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
THRIFT_SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
# What a session or a Connect client asks for by itself, and a client of a Thrift server cannot.
SESSION_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "spark.sql.legacy.allowNonEmptyLocationInCTAS": "true",
}


def spark_home() -> Path:
    """Where the pyspark of this Python is, with the scripts that start Spark's processes."""
    import pyspark

    return Path(pyspark.__file__).parent


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Cluster:
    """A running cluster: its address, and its processes."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        """What CARTWRIGHT_SPARK_MASTER is set to."""
        return f"spark://{HOST}:{self.port}"

    def start(self, name: str, *arguments: str, conf: Path | None = None) -> None:
        """Start a process of Spark, in a group of its own; its log is <name>.log."""
        home = spark_home()
        environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST}
        if conf:
            environment["SPARK_CONF_DIR"] = str(conf)
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(home / "bin/spark-class"), *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process

    def add_worker(self, name: str, memory: str) -> None:
        """Start a worker with one core."""
        self.start(
            name,
            "org.apache.spark.deploy.worker.Worker",
            *("--host", HOST, "--port", str(free_port()), "--webui-port", str(free_port())),
            *("--cores", "1", "--memory", memory, "--work-dir", str(self.folder / name)),
            self.master,
        )

    def wait_for(self, name: str, words: str) -> None:
        """Wait until a process has said so in its log."""
        log = self.folder / f"{name}.log"
        deadline = time.monotonic() + START_SECONDS
        while words not in log.read_text(errors="replace"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not start: see {log}")
            time.sleep(0.5)

    def kill(self, name: str) -> None:
        """Kill a process and what it has started, as a machine that goes dark does."""
        os.killpg(self.processes[name].pid, 9)


@contextmanager
def cluster(folder: Path, memory: str) -> Iterator[Cluster]:
    """A master and two workers, `worker1` and `worker2`, ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Cluster(folder, free_port())
    try:
        started.start(
            "master",
            "org.apache.spark.deploy.master.Master",
            *("--host", HOST, "--port", str(started.port), "--webui-port", str(free_port())),
        )
        started.wait_for("master", "I have been elected leader")
        for name in ("worker1", "worker2"):
            started.add_worker(name, memory)
        for name in ("worker1", "worker2"):
            started.wait_for(name, "Successfully registered with master")
        yield started
    finally:
        for process in started.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


def write_settings(folder: Path, memory: str, through: str) -> Path:
    """Spark's settings of a build with tables in `folder`, whose driver may be a server.

    Gives the folder for SPARK_CONF_DIR.
    """
    conf = folder / "conf"
    for place in (conf, folder / "events"):
        place.mkdir(parents=True, exist_ok=True)
    derby = f"jdbc:derby:;databaseName={folder / 'catalog'};create=true"
    settings = {
        "spark.executor.memory": memory,
        "spark.executor.cores": "1",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file:{folder / 'events'}",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": derby,
        "spark.driver.extraJavaOptions": f"-Duser.timezone=UTC -Dderby.system.home={folder}",
        "spark.sql.shuffle.partitions": os.environ.get("CARTWRIGHT_SPARK_PARTITIONS", "4"),
        **(SESSION_SETTINGS if through == "thrift" else {}),
    }
    (conf / "spark-defaults.conf").write_text(
        "".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8"
    )
    return conf


def serve(running: Cluster, through: str, conf: Path) -> dict[str, str]:
    """Start a server on the cluster; gives the environment of a build that asks it."""
    port = str(free_port())
    memory = os.environ.get("CARTWRIGHT_SPARK_MEMORY", "2g")
    submit = ["org.apache.spark.deploy.SparkSubmit", "--master", running.master]
    submit += ["--driver-memory", memory]
    if through == "connect":
        submit += ["--class", CONNECT_SERVER, "--conf", f"spark.connect.grpc.binding.port={port}"]
        running.start("connect", *submit, "spark-internal", conf=conf)
        running.wait_for("connect", "Spark Connect server started")
        return {"CARTWRIGHT_TARGET": "spark_connect", "SPARK_REMOTE": f"sc://{HOST}:{port}"}
    submit += ["--class", THRIFT_SERVER, "spark-internal"]
    submit += ["--hiveconf", f"hive.server2.thrift.port={port}"]
    submit += ["--hiveconf", f"hive.server2.thrift.bind.host={HOST}"]
    running.start("thrift", *submit, conf=conf)
    running.wait_for("thrift", "HiveThriftServer2 started")
    return {"CARTWRIGHT_SPARK_METHOD": "thrift", "CARTWRIGHT_SPARK_PORT": port}


def build(running: Cluster, folder: Path, memory: str, through: str, *arguments: str) -> int:
    """Build on the cluster, with tables in `folder`; gives the exit code."""
    conf = write_settings(folder, memory, through)
    where = {
        **places_in(folder),
        "CARTWRIGHT_SPARK_MASTER": running.master,
        "SPARK_CONF_DIR": str(conf),
    }
    if through != "session":
        where |= serve(running, through, conf)
    return subprocess.run(
        [sys.executable, "-m", "orchestration.spark", "build", *arguments],
        cwd=PROJECT,
        env={**os.environ, **where},
        check=False,
    ).returncode


@dataclass
class ModelCost:
    """What a seed or model cost: seconds, and bytes that went through shuffles and spilled."""

    seconds: float = 0
    shuffled: int = 0
    spilled: int = 0


def costs_of(report: Path, event_logs: Path | None = None) -> dict[str, ModelCost]:
    """The costs of each seed and model in a report of dbt, one after the other.

    Spark's event logs tell of stages: those that ended while a model was built are its own.
    """
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    built = [result for result in results if result["unique_id"].startswith(("model.", "seed."))]
    costs = {
        result["unique_id"].split(".")[2]: ModelCost(result["execution_time"]) for result in built
    }
    spans = [
        (span["started_at"], span["completed_at"], result["unique_id"].split(".")[2])
        for result in built
        for span in result.get("timing", ())
        if span["name"] == "execute"
    ]
    for at, shuffled, spilled in _stages(event_logs) if event_logs else ():
        for started_at, completed_at, name in spans:
            if started_at <= at <= completed_at:
                costs[name].shuffled += shuffled
                costs[name].spilled += spilled
    return costs


def _stages(event_logs: Path) -> Iterator[tuple[str, int, int]]:
    """When each stage ended (UTC, as dbt writes it), and its bytes shuffled and spilled."""
    names = ("internal.metrics.shuffle.write.bytesWritten", "internal.metrics.diskBytesSpilled")
    for file in sorted(path for path in event_logs.rglob("*") if path.is_file()):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"SparkListenerStageCompleted"' not in line:
                    continue
                stage = json.loads(line)["Stage Info"]
                found = {each["Name"]: each["Value"] for each in stage["Accumulables"]}
                ended = dt.datetime.fromtimestamp(stage["Completion Time"] / 1000, dt.UTC)
                shuffled, spilled = (int(found.get(name, 0)) for name in names)
                yield ended.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), shuffled, spilled


def print_costs(folder: Path, duckdb_report: Path) -> None:
    """The costs of all, and of the slowest models, on Spark and on DuckDB."""
    spark = costs_of(folder / "target/run_results.json", folder / "events")
    duck = costs_of(duckdb_report)
    slowest = sorted(spark, key=lambda name: -spark[name].seconds)[:SHOWN_MODELS]
    total = ModelCost(
        sum(cost.seconds for cost in spark.values()),
        sum(cost.shuffled for cost in spark.values()),
        sum(cost.spilled for cost in spark.values()),
    )
    here = sum(cost.seconds for cost in duck.values())
    print("| | Spark, s | DuckDB, s | ratio | shuffled, MB | spilled, MB |")
    print("|---|---|---|---|---|---|")
    for name, cost, seconds in [
        ("all", total, here),
        *((f"`{name}`", spark[name], duck.get(name, ModelCost()).seconds) for name in slowest),
    ]:
        print(
            f"| {name} | {cost.seconds:.1f} | {seconds:.1f} "
            f"| {cost.seconds / max(seconds, 0.01):.1f} "
            f"| {cost.shuffled / 1e6:,.0f} | {cost.spilled / 1e6:,.0f} |"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and compare; exit 1 where the build fails or a mart differs."""
    parser = argparse.ArgumentParser(prog="python -m engine.cluster", description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / "warehouse/cluster")
    parser.add_argument(
        "--memory", default="2g", help="of each worker's executor (default: %(default)s)"
    )
    parser.add_argument(
        "--kill-worker",
        type=float,
        metavar="SECONDS",
        help="kill a worker so long after the build began",
    )
    parser.add_argument(
        "--through",
        choices=("session", "connect", "thrift"),
        default="session",
        help="what runs the statements: a driver of the build's own, or a server on the cluster",
    )
    parser.add_argument(
        "--warehouse",
        type=Path,
        default=PROJECT / "warehouse/cartwright.duckdb",
        help="DuckDB's work file, to compare with (default: %(default)s)",
    )
    parser.add_argument(
        "--times",
        type=Path,
        metavar="FILE",
        help="run_results.json of the build on DuckDB: print what each model cost on both",
    )
    options, more = parser.parse_known_args(arguments)
    started = time.monotonic()
    with cluster(options.folder / "processes", options.memory) as running:
        if options.kill_worker:
            timer = threading.Timer(options.kill_worker, running.kill, ["worker2"])
            timer.daemon = True
            timer.start()
        code = build(running, options.folder, options.memory, options.through, *more)
    print(f"The build ended with {code} after {time.monotonic() - started:.0f} seconds.")
    if code:
        return 1
    if options.times:
        print_costs(options.folder, options.times)
    return int(compare(options.warehouse, options.folder / "tables") > 0)


if __name__ == "__main__":
    sys.exit(main())

"""What needs people reaches them, once, and holds no secret."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import dagster as dg
import duckdb
import pytest

from benchmarks.handmade import HandmadeBuild
from orchestration import alerts
from orchestration.publish import publish
from orchestration.settings import alert_file

NEWS = alerts.Alert("kpi/1", "kpi", "high", "A KPI is not as expected", "orders is 3, expected 9")


class Webhook:
    """A server on this machine that answers with `status`, and what was posted to it."""

    def __init__(self) -> None:
        self.status = 200
        self.posted: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.posted.append(json.loads(body))
                self.send_response(webhook.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the test's output."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/secret-token"


@pytest.fixture
def webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """The only channel beside the file."""
    hook = Webhook()
    Thread(target=hook.server.serve_forever, daemon=True).start()
    monkeypatch.setenv("CARTWRIGHT_ALERT_WEBHOOK", hook.address)
    monkeypatch.setenv("CARTWRIGHT_PUBLISH_DIR", str(tmp_path / "published"))
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in alert_file().read_text().splitlines()]


def test_an_alert_is_told_once_by_webhook_and_file(webhook: Webhook) -> None:
    """The second time that a KPI is out of its band is no news."""
    assert alerts.tell(NEWS) == {"webhook": "ok", "file": "ok"}
    assert alerts.tell(NEWS) == {}
    (posted,) = webhook.posted
    assert posted["text"] == f"{NEWS.title}\n{NEWS.text}"
    assert posted["severity"] == "high"
    (line,) = lines()
    assert line["key"] == "kpi/1"
    assert "secret-token" not in alert_file().read_text()


def test_what_a_channel_did_not_take_is_sent_again(webhook: Webhook) -> None:
    """Nor does a channel that is out of order stop a run."""
    webhook.status = 500
    assert alerts.tell(NEWS)["webhook"] == "HTTP 500"
    webhook.status = 200
    assert alerts.tell(NEWS)["webhook"] == "ok"
    assert alerts.tell(NEWS) == {}
    assert len(webhook.posted) == 2


def test_mail_is_sent_encrypted_where_there_is_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password goes over no line that others read, and stands in no file."""
    done: list[object] = []

    class Server:
        def __init__(self, host: str, port: int, timeout: float) -> None:
            done.append((host, port))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            done.append("closed")

        def has_extn(self, _: str) -> bool:
            return False

        def starttls(self) -> None:
            done.append("encrypted")

        def login(self, user: str, password: str) -> None:
            done.append((user, password))

        def send_message(self, message: EmailMessage) -> None:
            done.append((message["To"], message["Subject"], message.get_content().strip()))

    monkeypatch.setattr(smtplib, "SMTP", Server)
    monkeypatch.setenv("CARTWRIGHT_ALERT_FILE", str(tmp_path / "alerts.jsonl"))
    for name, value in (
        ("ALERT_EMAIL", "ops@example.com"),
        ("SMTP_HOST", "mail.example.com"),
        ("SMTP_PORT", "587"),
        ("SMTP_USER", "robot"),
        ("SMTP_PASSWORD", "hunter2"),
    ):
        monkeypatch.setenv(f"CARTWRIGHT_{name}", value)
    assert alerts.tell(NEWS) == {"mail": "ok", "file": "ok"}
    assert done == [
        ("mail.example.com", 587),
        "encrypted",
        ("robot", "hunter2"),
        ("ops@example.com", f"[cartwright] {NEWS.title}", NEWS.text),
        "closed",
    ]
    assert "hunter2" not in (tmp_path / "alerts.jsonl").read_text()


def test_stale_data_and_missing_publications_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old data that are published on time are stale, and so are new ones that are not published."""
    build = HandmadeBuild(tmp_path, rows=10)
    build.make(0)  # of 1 January 2026
    publish(build.warehouse, build.target, build.published)
    now = datetime.now(UTC)
    monkeypatch.delenv("CARTWRIGHT_RAW_PATH", raising=False)  # of a build in this process
    assert alerts.stale_alerts(build.published, now) == []  # the demo shop's days do not go on
    monkeypatch.setenv("CARTWRIGHT_RAW_PATH", str(tmp_path))
    (stale,) = alerts.stale_alerts(build.published, now)
    assert "the last day known is 2026-01-01" in stale.text
    kinds = [each.key for each in alerts.stale_alerts(build.published, now + timedelta(hours=31))]
    assert [key.split("/")[1] for key in kinds] == ["data", "published"]


def test_kpi_alerts_of_readers_are_told(webhook: Webhook, tmp_path: Path) -> None:
    """Those that are open and to the worse, with what is known of them."""
    build = HandmadeBuild(tmp_path, rows=10)
    build.make(0)
    with duckdb.connect(str(build.warehouse)) as connection:
        connection.execute(
            "insert into marts.fct_kpi_alerts values"
            " ('a', 'orders', 'day', 'total', 'all', 3, 'band', 9, '2026-01-01',"
            " 'channel', 'email', 'high', true),"
            " ('b', 'orders', 'day', 'total', 'all', 3, 'band', 9, '2026-01-01',"
            " null, null, 'high', false)"
        )
    assert publish(build.warehouse, build.target, build.published)["warnings"]
    alerts.tell_kpis(build.published)
    alerts.tell_kpis(build.published)
    (posted,) = webhook.posted
    assert (
        "orders by day is 3, expected 9, since 2026-01-01, mostly by channel email"
        in (posted["text"])
    )


def test_a_failed_run_is_told(webhook: Webhook, definitions: Any) -> None:
    """In our own words: what another library says of an error may quote a customer's data."""

    @dg.op
    def careful() -> None:
        raise dg.Failure("fct_orders: 3 rows")

    @dg.op
    def careless() -> None:
        raise ValueError("cannot convert 'ann@example.com'")

    @dg.job(executor_def=dg.in_process_executor)
    def failing() -> None:
        careful()
        careless()

    sensor = definitions.resolve_sensor_def("failed_runs_are_told")
    with dg.DagsterInstance.ephemeral() as instance:
        run = failing.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs_are_told",
            dagster_event=run.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=run.dagster_run,
        ).for_run_failure()
        sensor(context)
    (posted,) = webhook.posted
    assert posted["title"] == "failing failed"
    assert "careful: fct_orders: 3 rows" in posted["text"]
    assert "careless" in posted["text"]
    assert "ann@" not in posted["text"]


def test_command_tries_the_channels(webhook: Webhook, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator knows before the night that the address is right; exit 1 where it is not."""
    assert alerts.main(["--test"]) == 0
    assert "webhook ok" in capsys.readouterr().out
    webhook.status = 403
    assert alerts.main(["--test"]) == 1
    assert "webhook HTTP 403" in capsys.readouterr().out

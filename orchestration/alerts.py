"""Tells people what needs them: a run failed, the data are stale, a KPI left its band.

Each alert goes once to a file of JSON lines, and to a webhook and by mail where the environment
says so; what could not be reached is tried again the next time that there is the same to tell.
Secrets (the webhook's address, the mail server's password) are read from the environment alone, and
written nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
import smtplib
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

import duckdb

from orchestration.judgement import open_alerts, stale_sentence
from orchestration.published_folder import MARTS, current
from orchestration.settings import alert_file, published_folder, stale_hours

TIMEOUT_SECONDS = 10
# Of a failure's message; what is longer is in Dagster's log.
LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Alert:
    """What is told: `key` is the same for the same matter, which is told once."""

    key: str
    kind: str
    severity: str
    title: str
    text: str


def tell(alert: Alert) -> dict[str, str]:
    """Tell of an alert by every channel that has not told of it yet; gives what each one said."""
    told = _told(alert.key)
    outcome = {name: _try(send, alert) for name, send in _channels().items() if name not in told}
    if outcome or not told:
        file = alert_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"at": at, **asdict(alert), "sent": outcome}) + "\n")
        outcome["file"] = "ok"
    return outcome


def _told(key: str) -> set[str]:
    """The channels that have told of it."""
    if not alert_file().exists():
        return set()
    found: set[str] = set()
    for line in alert_file().read_text(encoding="utf-8").splitlines():
        try:
            said = json.loads(line)
        except ValueError:  # a line that a full disk cut short
            continue
        if said["key"] == key:
            found |= {"file", *(name for name, end in said["sent"].items() if end == "ok")}
    return found


def _channels() -> dict[str, Callable[[Alert], None]]:
    channels: dict[str, Callable[[Alert], None]] = {}
    if os.environ.get("CARTWRIGHT_ALERT_WEBHOOK"):
        channels["webhook"] = _post
    if os.environ.get("CARTWRIGHT_SMTP_HOST") and os.environ.get("CARTWRIGHT_ALERT_EMAIL"):
        channels["mail"] = _mail
    return channels


def _try(send: Callable[[Alert], None], alert: Alert) -> str:
    """Ok, or the kind of error: its words could hold the address, which is a secret."""
    try:
        send(alert)
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return type(error).__name__
    return "ok"


def _post(alert: Alert) -> None:
    """Slack, Mattermost, Teams and the like show `text`; others find the fields beside it."""
    body = {**asdict(alert), "text": f"{alert.title}\n{alert.text}"}
    request = urllib.request.Request(
        os.environ["CARTWRIGHT_ALERT_WEBHOOK"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


def _mail(alert: Alert) -> None:
    environment = os.environ.get
    message = EmailMessage()
    message["Subject"] = f"[cartwright] {alert.title}"
    message["To"] = os.environ["CARTWRIGHT_ALERT_EMAIL"]
    message["From"] = environment("CARTWRIGHT_SMTP_FROM", os.environ["CARTWRIGHT_ALERT_EMAIL"])
    message.set_content(alert.text)
    port = int(environment("CARTWRIGHT_SMTP_PORT", "25"))
    with smtplib.SMTP(os.environ["CARTWRIGHT_SMTP_HOST"], port, timeout=TIMEOUT_SECONDS) as server:
        if server.has_extn("starttls") or environment("CARTWRIGHT_SMTP_USER"):
            server.starttls()  # no password goes over a line that others read
        if environment("CARTWRIGHT_SMTP_USER"):
            password = environment("CARTWRIGHT_SMTP_PASSWORD", "")
            server.login(os.environ["CARTWRIGHT_SMTP_USER"], password)
        server.send_message(message)


def failure(job: str, run_id: str, reasons: Iterable[str]) -> Alert:
    """A run that failed."""
    text = "\n".join(reasons)[:LONGEST_TEXT]
    return Alert(
        f"failure/{run_id}",
        "failure",
        "high",
        f"{job} failed",
        f"{text}\nReaders keep the build they had. Run {run_id}.",
    )


def kpi_alerts(folder: Path) -> list[Alert]:
    """The KPI alerts that are open in the published file."""
    with duckdb.connect(str(folder / MARTS), read_only=True) as connection:
        return [
            Alert(f"kpi/{alert_id}", "kpi", "medium", "A KPI is not as expected", sentence)
            for alert_id, sentence in open_alerts(connection, "fct_kpi_alerts")
        ]


def stale_alerts(folder: Path, now: datetime) -> list[Alert]:
    """Data that are too old, and publications that do not come."""
    manifest = current(folder)
    if manifest is None:
        return []
    alerts = []
    as_of = date.fromisoformat(manifest["as_of_date"]) if manifest["as_of_date"] else None
    sentence = stale_sentence(as_of, now.date())
    if sentence:
        alerts.append(Alert(f"stale/data/{as_of}", "stale", "high", "The data are stale", sentence))
    hours = (now - datetime.fromisoformat(manifest["published_at"])).total_seconds() / 3600
    if hours > stale_hours():
        alerts.append(
            Alert(
                f"stale/published/{manifest['build_id']}",
                "stale",
                "high",
                "Nothing is published any more",
                f"The last build was published {hours:.0f} hours ago; {stale_hours()} may pass "
                "(CARTWRIGHT_STALE_HOURS). See whether the schedule is on, and how its runs end.",
            )
        )
    return alerts


def tell_kpis(folder: Path) -> None:
    """Tell of each KPI alert that was not told of before."""
    for alert in kpi_alerts(folder):
        tell(alert)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell what there is to tell, or try the channels; exit 1 where one of them fails."""
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.alerts",
        description="Tell of stale data and KPI alerts by the channels that the environment names: "
        "CARTWRIGHT_ALERT_FILE (default published/alerts.jsonl), CARTWRIGHT_ALERT_WEBHOOK, "
        "CARTWRIGHT_ALERT_EMAIL with CARTWRIGHT_SMTP_HOST, _PORT, _USER, _PASSWORD, _FROM.",
    )
    parser.add_argument("--test", action="store_true", help="send an alert that says it is a test")
    options = parser.parse_args(arguments)
    now = datetime.now(UTC)
    folder = published_folder()
    try:
        if options.test:
            text = "This is a test: alerts of Cartwright reach you."
            found = [Alert(f"test/{now.isoformat()}", "test", "low", "A test", text)]
        else:
            found = stale_alerts(folder, now)
            found += kpi_alerts(folder) if current(folder) else []
        outcomes = [(alert, tell(alert)) for alert in found]
    except (OSError, duckdb.Error) as error:
        print(f"No alert was sent: {error}", file=sys.stderr)
        return 1
    for alert, outcome in outcomes:
        ends = ", ".join(f"{name} {end}" for name, end in outcome.items()) or "told before"
        print(f"{alert.kind}: {alert.text} ({ends})")
    return int(any(end != "ok" for _, outcome in outcomes for end in outcome.values()))


if __name__ == "__main__":
    sys.exit(main())

"""What is looked at all day: the raw folder, runs that fail, data that grow old."""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from orchestration import alerts
from orchestration.defs.jobs import daily_refresh
from orchestration.defs.warehouse import RAW_FILES_TAG
from orchestration.landing import digest, stamps
from orchestration.settings import published_folder, raw_path

ON = dg.DefaultSensorStatus.RUNNING


@dg.sensor(job=daily_refresh, minimum_interval_seconds=30, default_status=ON)
def raw_files_landed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Refresh when the raw folder has other files than any run has read, and they are whole.

    Whole is what is as it was at the tick before. A folder that a run failed on is not tried again
    until it changes: the failure is told, and the next day's refresh tries anyway.
    """
    folder = raw_path()
    if folder is None:
        return dg.SkipReason("The demo shop is built, whose files do not change.")
    if not folder.is_dir():
        return dg.SkipReason(f"{folder} is not there.")
    found = stamps(folder)
    now, before = digest(found), context.cursor
    context.update_cursor(now)
    if not found:
        return dg.SkipReason(f"{folder} is empty.")
    if now != before:
        return dg.SkipReason(
            f"{len(found)} files have changed: waiting until they stay as they are."
        )
    filters = dg.RunsFilter(tags={RAW_FILES_TAG: now})
    if context.instance.get_runs(filters, limit=1):
        return dg.SkipReason("Nothing new since the last refresh.")
    return dg.RunRequest(run_key=now, tags={RAW_FILES_TAG: now})


@dg.run_failure_sensor(default_status=ON, minimum_interval_seconds=30)
def failed_runs_are_told(context: dg.RunFailureSensorContext) -> None:
    """An alert for each run that failed, whatever launched it."""
    run = context.dagster_run
    tell = alerts.tell(alerts.failure(run.job_name, run.run_id, reasons(context)))
    context.log.info(f"told by {tell}")


def reasons(context: dg.RunFailureSensorContext) -> Iterable[str]:
    """What the failed steps said, in our own words: those of others may quote a customer's data."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data:
            yield f"{event.step_key}: {data.user_failure_data.description}"
        elif data.error:
            yield f"{event.step_key}: {data.error.cls_name}"
    if not context.get_step_failure_events():
        yield context.failure_event.message or "The run's process ended."


@dg.sensor(minimum_interval_seconds=900, default_status=ON)
def stale_data_are_told() -> dg.SkipReason:
    """An alert where the data, or the last publication, are too old."""
    found = alerts.stale_alerts(published_folder(), datetime.now(UTC))
    for alert in found:
        alerts.tell(alert)
    return dg.SkipReason("; ".join(alert.text for alert in found) or "Nothing is stale.")


defs = dg.Definitions(sensors=[raw_files_landed, failed_runs_are_told, stale_data_are_told])

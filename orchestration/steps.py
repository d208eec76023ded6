"""What the steps of a run have in common: one writer, and what is worth a second try."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from orchestration.build_results import PublishError
from orchestration.landing import NotLanded
from orchestration.lock import Busy
from orchestration.run_launcher import hold

# Its limit, 1, is set on the instance (orchestration/dagster_home.py).
POOL = "warehouse"
# Unit tests look at code, not at data: `make build` and CI run them. dbt's log of everything, as
# JSON, would cost as much as the build of a small shop.
BUILD = ("build", "--exclude-resource-type", "unit_test", "--log-level-file", "info")
RETRIES, RETRY_SECONDS = 3, 30
PASSING = re.compile(r"is being written by|IO Error|Could not set lock|No space left")


class BuildFailed(Exception):
    """`dbt build` did not end well; the message is what it said."""


@contextmanager
def step(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Run a step: what may pass (a lock, the disk) is tried again, ever later; the rest is not.

    Dagster's own retry policy would also begin again what somebody has ended.
    """
    hold(context.instance, context.run.run_id)
    try:
        yield
    except (BuildFailed, PublishError, Busy, NotLanded, duckdb.Error, OSError) as error:
        raise outcome_of(error, context.op_execution_context.retry_number) from error


def outcome_of(error: Exception, retry_number: int) -> dg.RetryRequested | dg.Failure:
    """What Dagster is told of an error in the first try (0) or a later one."""
    may_pass = isinstance(error, Busy | NotLanded | OSError) or PASSING.search(str(error))
    if may_pass and retry_number < RETRIES:
        seconds = RETRY_SECONDS * 2**retry_number
        return dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=seconds)
    return dg.Failure(str(error), allow_retries=False)

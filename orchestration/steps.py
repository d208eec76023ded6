"""What the steps of a run have in common: one writer, and what is worth a second try."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb

from orchestration.build_results import PublishError
from orchestration.run_launcher import hold

# Its limit, 1, is set on the instance (make dagster).
POOL = "warehouse"
RETRIES = dg.RetryPolicy(
    max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
PASSING = re.compile(r"is being written by|IO Error|Could not set lock|No space left")


@contextmanager
def step(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Run a step: what may pass (a lock, the disk) is tried again by RETRIES, the rest is not."""
    hold(context.instance, context.run.run_id)
    try:
        yield
    except dg.Failure:
        raise
    except (PublishError, duckdb.Error) as error:
        raise error_of(str(error)) from error


def error_of(message: str) -> Exception:
    """The error to raise for a message: one that is tried again if what it tells of may pass."""
    if PASSING.search(message):
        return RuntimeError(message)
    return dg.Failure(message, allow_retries=False)

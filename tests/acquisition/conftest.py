"""One build of many small households for all tests of acquisition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from acquisition.attribution_ledger import Path, paths
from acquisition.households import LAST, make_raw
from shops import Row, dicts, write_tables
from warehouses import Build

SEED, HOUSEHOLD_COUNT = 20240430, 900
MARTS = (
    "agg_channel_performance", "agg_channel_ltv_cac", "fct_spend_allocations",
    "agg_message_performance", "agg_promotion_performance",
)  # fmt: skip


@dataclass
class Households:
    """The raw rows, the warehouse built of them, and the touches of its orders, by hand."""

    raw: dict[str, list[Row]]
    connection: duckdb.DuckDBPyConnection
    sessions: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    paths: list[Path]

    def rows(self, mart: str) -> list[dict[str, Any]]:
        """The rows of a mart."""
        return dicts(self.connection, f"from marts.{mart}")


@pytest.fixture(scope="session")
def households(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Households:
    """The households, built from raw rows to the marts."""
    raw = make_raw(HOUSEHOLD_COUNT, SEED)
    connection = build(
        tests=False,
        select=" ".join(f"+{mart}" for mart in MARTS),
        raw_path=str(write_tables(tmp_path_factory.mktemp("acquisition"), raw)),
        load_date="2024-12-31",
        as_of_date=str(LAST),
    )
    sessions = dicts(connection, "from marts.fct_sessions")
    orders = dicts(connection, "from marts.fct_orders")
    return Households(raw, connection, sessions, orders, paths(orders, sessions))

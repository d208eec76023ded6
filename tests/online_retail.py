"""Online Retail II as a shop: imported by the command that its README gives, and built."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from warehouses import PROJECT

IMPORTER = PROJECT / "docs/examples/online-retail-ii/import.py"
SETTINGS = {
    "reporting_currency": "GBP",
    "reporting_timezone": "Europe/London",
    "as_of_date": "2011-12-09",
}


@dataclass(frozen=True)
class RetailShop:
    """The files, the raw folder made of them, what the importer printed, and DuckDB's warehouse."""

    source: Path
    raw: Path
    printed: str
    connection: duckdb.DuckDBPyConnection


def import_sheets(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Import the two sheets in `source` as a raw folder `out`."""
    command = [sys.executable, str(IMPORTER), str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)

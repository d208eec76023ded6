"""A column that a table of customers' orders reads is part of the fingerprint that touches them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from warehouses import PROJECT

LIFECYCLE = PROJECT / "models" / "intermediate" / "lifecycle"
FINGERPRINT = LIFECYCLE / "int_customer_purchases_fingerprinted.sql"
BY_CUSTOMER = [
    path for path in sorted(LIFECYCLE.glob("*.sql")) if "touched('customer_id')" in path.read_text()
]


def columns_read(model: Path, mart: str) -> set[str]:
    """The columns of a mart of core that a model names where it reads it."""
    file = PROJECT / "models" / "marts" / "core" / f"{mart}.yml"
    (described,) = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    parts = re.findall(
        r"^\w+ as \(\n(.*?)^\)", model.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    words = {
        word
        for part in parts
        if f"ref('{mart}')" in part
        for word in re.findall(r"\w+", part.split("{% if is_incremental()")[0])
    }
    return words & {column["name"] for column in described["columns"]}


def test_tables_are_found() -> None:
    """Else nothing would be compared."""
    assert len(BY_CUSTOMER) == 4
    assert all(columns_read(path, "fct_orders") for path in BY_CUSTOMER)


@pytest.mark.parametrize("mart", ["fct_orders", "fct_order_lines", "fct_refunds", "dim_products"])
@pytest.mark.parametrize("model", BY_CUSTOMER, ids=lambda path: path.stem)
def test_what_is_read_is_in_the_fingerprint(model: Path, mart: str) -> None:
    """Else a change of that column alone would touch nobody, and the table would be stale.

    An order that is cancelled is left out by all of them, the fingerprint too.
    """
    made_of = FINGERPRINT.read_text(encoding="utf-8").split("facts as (")[1]
    hashed = columns_read(FINGERPRINT, mart) & set(re.findall(r"\w+", made_of))
    assert columns_read(model, mart) - {"status"} <= hashed

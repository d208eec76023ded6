# Grain: one row per state_date, repeat_count and age_days that some customer has, where BG/NBD was
# fitted.
"""Tabulates the one part of BG/NBD's expectations that has no closed form.

E[purchases to come] = P(alive) x what a customer who is alive will buy. The latter depends on x and
T alone, so that some thousands of rows serve a million customers; the engine scores by a join.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from orchestration.purchase_models import PurchaseParameters, expected_purchases_if_alive

HORIZONS = (90, 365)
DAYS_A_MONTH = 365.25 / 12


def model(dbt: Any, session: Any) -> pa.Table:
    """The table of all state_dates, or of those that this refresh has touched."""
    dbt.config(
        materialized="incremental",
        incremental_strategy="changed_rows",
        unique_key="state_date, repeat_count, age_days",
        on_schema_change="fail",
    )
    yearly_rate = float(dbt.config.meta_get("yearly_discount_rate"))
    states = dbt.ref("int_state_dates_judged")
    fits = dbt.ref("int_purchase_models_fitted")
    histories = dbt.ref("int_purchase_histories_grouped")
    if dbt.is_incremental:
        states = states.filter("is_touched")
    touched = {date for (date,) in states.project("state_date").fetchall()}
    fits = fits.filter("model = 'bg_nbd' and ineligible_reason is null").order("state_date")
    tables = [TABLE_OF_NONE]
    for date, r, alpha, a, b in fits.project("state_date, r, alpha, a, b").fetchall():
        if date in touched:
            ages = histories.filter(f"state_date = date '{date}'").project("repeat_count, age_days")
            ages = ages.distinct().order("repeat_count, age_days").fetchnumpy()
            tables.append(tabulated(date, PurchaseParameters(r, alpha, a, b), ages, yearly_rate))
    return pa.concat_tables(tables)


def tabulated(date: Any, parameters: PurchaseParameters, ages: Any, yearly_rate: float) -> pa.Table:
    """What customers of some x and T (in weeks) buy within each horizon, if they are alive."""
    ends = {days: month_ends(days) for days in HORIZONS}
    days = np.unique(np.concatenate(list(ends.values())))
    x, age_days = ages["repeat_count"], ages["age_days"]
    expected = expected_purchases_if_alive("bg_nbd", parameters, x, age_days / 7, days / 7)
    columns = [pa.array([date] * len(x), pa.date32()), pa.array(x), pa.array(age_days)]
    discounted = []
    for horizon, month_end in ends.items():
        until = expected[:, np.searchsorted(days, month_end)]
        in_month = np.diff(until, axis=1, prepend=0.0)
        factors = (1 + yearly_rate) ** -(np.arange(1, len(month_end) + 1) / 12)
        columns.append(pa.array(expected[:, np.searchsorted(days, horizon)]))
        discounted.append(pa.array((in_month * factors).sum(axis=1)))
    return pa.Table.from_arrays([*columns, *discounted], schema=COLUMNS)


def month_ends(horizon: int) -> Any:
    """The ends of months up to a horizon, in days; the last month ends with it."""
    months = int(np.ceil(horizon / DAYS_A_MONTH))
    return np.append(np.arange(1, months) * DAYS_A_MONTH, horizon)


COLUMNS = pa.schema(
    [
        ("state_date", pa.date32()),
        ("repeat_count", pa.int64()),
        ("age_days", pa.int64()),
        *((f"expected_orders_{days}d_if_alive", pa.float64()) for days in HORIZONS),
        *((f"discounted_orders_{days}d_if_alive", pa.float64()) for days in HORIZONS),
    ]
)
TABLE_OF_NONE = COLUMNS.empty_table()

# Grain: one row per state_date and model (bg_nbd, mbg_nbd, gamma_gamma), fitted or with the reason
# why not.
"""Fits the models of orchestration/purchase_models.py to the histories of each state_date."""

from typing import Any

import pyarrow as pa

from orchestration.purchase_models import (
    Fit,
    PurchaseParameters,
    ValueParameters,
    fit_purchases,
    fit_values,
)

COLUMNS = pa.schema(
    [
        ("state_date", pa.date32()),
        ("model", pa.string()),
        *((name, pa.float64()) for name in (*PurchaseParameters._fields, *ValueParameters._fields)),
        ("log_likelihood", pa.float64()),
        ("gradient_norm", pa.float64()),
        ("start_count", pa.int64()),
        ("is_converged", pa.bool_()),
        ("fitted_customer_count", pa.int64()),
        ("customer_count", pa.int64()),
        ("first_order_date", pa.date32()),
        ("last_order_date", pa.date32()),
        ("ineligible_reason", pa.string()),
    ]
)


def model(dbt: Any, session: Any) -> pa.Table:
    """The fits of all state_dates, or of those that this refresh has touched."""
    dbt.config(
        materialized="incremental",
        incremental_strategy="changed_rows",
        unique_key="state_date, model",
        on_schema_change="fail",
    )
    states = dbt.ref("int_state_dates_judged")
    histories = dbt.ref("int_purchase_histories_grouped")
    values = dbt.ref("int_purchase_values_grouped")
    if dbt.is_incremental:
        states = states.filter("is_touched")
    rows: list[dict[str, Any]] = []
    for values_of_state in states.order("state_date").fetchall():
        state = dict(zip(states.columns, values_of_state, strict=True))
        day = f"state_date = date '{state['state_date']}'"
        rows.extend(fitted(state, histories.filter(day), values.filter(day)))
    return pa.Table.from_pylist(rows, COLUMNS)


def fitted(state: dict[str, Any], histories: Any, values: Any) -> list[dict[str, Any]]:
    """The rows of one state_date, a model each."""
    names = ("bg_nbd", "mbg_nbd", "gamma_gamma")
    if state["ineligible_reason"]:
        return [fit_row(state, name, None, state["ineligible_reason"]) for name in names]
    # In an order of their own: sums of floating-point numbers must not hang on the engine's.
    groups = histories.order("repeat_count, recency_days, age_days").fetchnumpy()
    weeks = {name: groups[f"{name}_days"] / 7 for name in ("recency", "age")}
    rows = []
    for name in names[:2]:
        fit = fit_purchases(
            name, groups["repeat_count"], weeks["recency"], weeks["age"], groups["customer_count"]
        )
        rows.append(fit_row(state, name, fit, None if fit.is_converged else NOT_CONVERGED))
    groups = values.order("repeat_count, repeat_net_amount").fetchnumpy()
    if not len(groups["repeat_count"]):
        return [*rows, fit_row(state, names[2], None, "No repeat purchase was worth anything.")]
    means = groups["repeat_net_amount"].astype("float64") / groups["repeat_count"]
    fit = fit_values(groups["repeat_count"], means, groups["customer_count"])
    return [*rows, fit_row(state, names[2], fit, fault_of_values(fit))]


NOT_CONVERGED = "The likelihood has no maximum that the fit could find."


def fault_of_values(fit: Fit) -> str | None:
    """Why Gamma-Gamma cannot be used, if so."""
    if not fit.is_converged:
        return NOT_CONVERGED
    if ValueParameters(*fit.parameters).q <= 1:
        return "The value of purchases has no mean (q is not above 1)."
    return None


def fit_row(
    state: dict[str, Any], name: str, fit: Fit | None, ineligible_reason: str | None
) -> dict[str, Any]:
    """One row; a model that was not fitted has no parameters."""
    row = {
        "state_date": state["state_date"],
        "model": name,
        "customer_count": state["customer_count"],
        "first_order_date": state["first_order_date"],
        "last_order_date": state["last_order_date"],
        "ineligible_reason": ineligible_reason,
    }
    if fit:
        kind = ValueParameters if name == "gamma_gamma" else PurchaseParameters
        row |= kind(*fit.parameters)._asdict()
        row |= {
            "log_likelihood": fit.log_likelihood,
            "gradient_norm": fit.gradient_norm,
            "start_count": fit.starts_tried,
            "is_converged": fit.is_converged,
            "fitted_customer_count": fit.customer_count,
        }
    return row

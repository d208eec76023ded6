"""Fits and scores BG/NBD by PyMC-Marketing: run by an environment of its own.

    .venv-pymc/bin/python benchmarks/pymc_scores.py FOLDER HORIZON_WEEKS

Reads x.npy, t_x.npy and T.npy of FOLDER and prints JSON: the parameters that its maximum a
posteriori ends at, by its own priors, the processor seconds of the fit and of the scoring (P(alive)
and the purchases expected of each customer), and the purchases expected of all. A fit to some
hundreds of customers goes before, so that what PyTensor compiles once and keeps is not counted.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WARM_UP = 500


def fitted_and_scored(data: pd.DataFrame, horizon: float) -> dict[str, Any]:
    """What main() prints, of customers with the columns that PyMC-Marketing reads."""
    clv: Any = importlib.import_module("pymc_marketing.clv")
    started = time.process_time()
    model = clv.BetaGeoModel(data=data)
    model.fit(method="map", progressbar=False)
    fitted = time.process_time()
    model.expected_probability_alive(data)
    expected = model.expected_purchases(data, future_t=horizon)
    scored = time.process_time()
    found = model.fit_result
    return {
        "parameters": {name: float(found[name].mean()) for name in ("r", "alpha", "a", "b")},
        "fit_seconds": fitted - started,
        "score_seconds": scored - fitted,
        "expected": float(expected.sum()),
    }


def main(arguments: list[str]) -> None:
    """Fit and score the arrays of the folder."""
    folder, horizon = Path(arguments[0]), float(arguments[1])
    names = {"frequency": "x", "recency": "t_x", "T": "T"}
    data = pd.DataFrame({name: np.load(folder / f"{file}.npy") for name, file in names.items()})
    data.insert(0, "customer_id", np.arange(len(data)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fitted_and_scored(data.head(WARM_UP), horizon)
        print(json.dumps(fitted_and_scored(data, horizon)))


if __name__ == "__main__":
    main(sys.argv[1:])

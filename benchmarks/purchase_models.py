"""Purchase models against lifetimes, and PyMC-Marketing where it is installed, on the same arrays.

    python benchmarks/purchase_models.py [--customers 1000000]

Simulates customers, then in one run and process fits BG/NBD and scores every customer (P(alive),
and the purchases expected in 52 weeks) with each implementation, and tells processor seconds, ratios and the
log-likelihood that each ended at. Ours starts from the plain arrays too: grouping is in its time.

PyMC-Marketing (a MAP fit) brings hundreds of packages; give it an environment of its own, and run
this by that one's Python:

    python3.11 -m venv /tmp/pymc && /tmp/pymc/bin/pip install pymc-marketing lifetimes
    /tmp/pymc/bin/python benchmarks/purchase_models.py
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orchestration.purchase_models import (
    PurchaseParameters,
    expected_purchases,
    fit_purchases,
    log_likelihood,
    p_alive,
)

Floats = NDArray[np.float64]
Arrays = tuple[Floats, Floats, Floats]
TRUTH = PurchaseParameters(r=0.8, alpha=8.0, a=0.8, b=2.5)
HORIZON_WEEKS = 52.0
# Parameters, processor seconds (other work on the machine is not in them) of the fit and of the
# scoring, and the purchases expected of all customers.
Result = tuple[PurchaseParameters, float, float, float]


def simulated(count: int, days: int = 1000, seed: int = 1) -> Arrays:
    """x, t_x and T in weeks of whole days, of customers who live as BG/NBD says."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(TRUTH.r, 1 / TRUTH.alpha, count)
    gone = generator.beta(TRUTH.a, TRUTH.b, count)
    age = generator.integers(1, days, count) / 7
    x, t_x, at = np.zeros(count), np.zeros(count), np.zeros(count)
    rows = np.arange(count)
    while len(rows):
        at[rows] += generator.exponential(1 / rate[rows])
        rows = rows[at[rows] < age[rows]]
        x[rows] += 1
        t_x[rows] = at[rows]
        rows = rows[generator.random(len(rows)) >= gone[rows]]
    return x, np.minimum(np.ceil(t_x * 7), age * 7) / 7, age


def ours(arrays: Arrays) -> Result:
    """This project's fit, and its scores of each customer."""
    started = time.process_time()
    fit = fit_purchases("bg_nbd", *arrays)
    fitted = time.process_time()
    parameters = PurchaseParameters(*fit.parameters)
    p_alive("bg_nbd", parameters, *arrays)
    # As the warehouse does: what depends on x and T alone is tabulated once.
    expected = expected_purchases("bg_nbd", parameters, *arrays, HORIZON_WEEKS).sum()
    return parameters, fitted - started, time.process_time() - fitted, float(expected)


def of_lifetimes(arrays: Arrays) -> Result:
    """The fitter most projects use."""
    lifetimes: Any = importlib.import_module("lifetimes")
    started = time.process_time()
    fitter = lifetimes.BetaGeoFitter()
    fitter.fit(*arrays)
    fitted = time.process_time()
    fitter.conditional_probability_alive(*arrays)
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(HORIZON_WEEKS, *arrays)
    parameters = PurchaseParameters(**fitter.params_.astype(float).to_dict())
    return parameters, fitted - started, time.process_time() - fitted, float(np.sum(expected))


def of_pymc_marketing(arrays: Arrays) -> Result:
    """Its maximum a posteriori, with its own priors: another aim, of which the likelihood tells."""
    clv: Any = importlib.import_module("pymc_marketing.clv")
    names = ("frequency", "recency", "T")
    data = pd.DataFrame(dict(zip(names, arrays, strict=True)))
    data.insert(0, "customer_id", np.arange(len(data)))
    started = time.process_time()
    model = clv.BetaGeoModel(data=data)
    model.fit(method="map")
    fitted = time.process_time()
    model.expected_probability_alive(data)
    expected = model.expected_purchases(data, future_t=HORIZON_WEEKS)
    found = model.fit_result
    parameters = PurchaseParameters(
        *(float(found[name].to_numpy().mean()) for name in PurchaseParameters._fields)
    )
    return parameters, fitted - started, time.process_time() - fitted, float(expected.sum())


def main() -> None:
    """Run what is installed and print a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="how many to simulate")
    arrays = simulated(parser.parse_args().customers)
    contenders: dict[str, tuple[str, Callable[[Arrays], Any]]] = {
        "this project": ("numpy", ours),
        "lifetimes": ("lifetimes", of_lifetimes),
        "pymc-marketing MAP": ("pymc_marketing", of_pymc_marketing),
    }
    print(f"{len(arrays[0]):,} customers, of parameters {tuple(TRUTH)}")
    print(f"{'':<20}{'fit s':>8}{'score s':>9}{'ratio':>7}{'log-likelihood':>20}{'expected':>14}")
    first = None
    for name, (module, run) in contenders.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name:<20} not installed (--help says how)")
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            parameters, fit_seconds, score_seconds, expected = run(arrays)
        first = first or fit_seconds + score_seconds
        likelihood = log_likelihood("bg_nbd", parameters, *arrays).sum()
        print(
            f"{name:<20}{fit_seconds:>8.2f}{score_seconds:>9.2f}"
            f"{(fit_seconds + score_seconds) / first:>7.1f}{likelihood:>20,.3f}{expected:>14,.1f}"
        )


if __name__ == "__main__":
    main()

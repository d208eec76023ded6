"""Purchase models against lifetimes and PyMC-Marketing, on the same arrays.

    python -m benchmarks.purchase_models                 against lifetimes, a million customers
    python -m benchmarks.purchase_models --pymc          and against PyMC-Marketing's MAP
    python -m benchmarks.purchase_models --customers 100000

Simulates customers, then in one run fits BG/NBD and scores every customer (P(alive), and the
purchases expected in 52 weeks) with each implementation, and tells processor seconds, how many
times as long as ours each took, and the log-likelihood that each ended at. Ours starts from the
plain arrays too: grouping is in its time.

PyMC-Marketing needs other versions of what this project pins: --pymc makes it an environment of its
own once (.venv-pymc, by pymc_requirements.txt) and hands it the arrays as files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orchestration.purchase_models import (
    PurchaseParameters,
    expected_purchases_if_alive,
    fit_purchases,
    log_likelihood,
    p_alive,
)

Floats = NDArray[np.float64]
Arrays = tuple[Floats, Floats, Floats]
TRUTH = PurchaseParameters(r=0.8, alpha=8.0, a=0.8, b=2.5)
HORIZON_WEEKS = 52.0
BENCHMARKS = Path(__file__).resolve().parent
PYMC = BENCHMARKS.parent / ".venv-pymc"


class Result(NamedTuple):
    """What an implementation found and cost, in processor seconds."""

    parameters: PurchaseParameters
    fit_seconds: float
    score_seconds: float
    # The purchases expected of all customers together.
    expected: float


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
    alive = p_alive("bg_nbd", parameters, *arrays)
    # As the warehouse does: what depends on x and T alone is tabulated, and customers look it up.
    x, _, age = arrays
    if_alive = expected_purchases_if_alive("bg_nbd", parameters, x, age, [HORIZON_WEEKS])[:, 0]
    expected = float((alive * if_alive).sum())
    return Result(parameters, fitted - started, time.process_time() - fitted, expected)


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
    seconds = fitted - started, time.process_time() - fitted
    return Result(parameters, *seconds, float(np.sum(expected)))


def of_pymc_marketing(arrays: Arrays) -> Result:
    """Its maximum a posteriori, with its own priors: another aim, of which the likelihood tells."""
    python = PYMC / "bin" / "python"
    if not python.exists():
        print(f"setting up {PYMC.name} (once; about a minute) ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", PYMC], check=True)
    requirements = ["-r", str(BENCHMARKS / "pymc_requirements.txt")]
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *requirements], check=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, values in zip(("x", "t_x", "T"), arrays, strict=True):
            np.save(Path(folder) / f"{name}.npy", values)
        command = [str(python), str(BENCHMARKS / "pymc_scores.py"), folder, str(HORIZON_WEEKS)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(output.splitlines()[-1])
    return Result(**found | {"parameters": PurchaseParameters(**found["parameters"])})


def main() -> None:
    """Run each and print a row for it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000, help="how many to simulate")
    parser.add_argument("--pymc", action="store_true", help="against PyMC-Marketing as well")
    options = parser.parse_args()
    arrays = simulated(options.customers)
    contenders = {"this project": ours, "lifetimes": of_lifetimes}
    if options.pymc:
        contenders["pymc-marketing MAP"] = of_pymc_marketing
    print(f"{len(arrays[0]):,} customers, of parameters {tuple(TRUTH)}")
    print(
        f"{'':<20}{'fit s':>8}{'ratio':>7}{'score s':>9}{'ratio':>7}{'both':>7}"
        f"{'log-likelihood':>20}{'expected':>14}"
    )
    first: Result | None = None
    for name, run in contenders.items():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = run(arrays)
        first = first or result
        fit, score = result.fit_seconds, result.score_seconds
        likelihood = log_likelihood("bg_nbd", result.parameters, *arrays).sum()
        print(
            f"{name:<20}{fit:>8.2f}{fit / first.fit_seconds:>7.1f}"
            f"{score:>9.2f}{score / first.score_seconds:>7.1f}"
            f"{(fit + score) / (first.fit_seconds + first.score_seconds):>7.1f}"
            f"{likelihood:>20,.3f}{result.expected:>14,.1f}"
        )


if __name__ == "__main__":
    main()

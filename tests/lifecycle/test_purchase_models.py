"""The purchase models by themselves, against what others published, lifetimes, and integrals."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, logsumexp

from orchestration import purchase_models
from orchestration.purchase_models import (
    PURCHASE_MODELS,
    PurchaseParameters,
    ValueParameters,
    expected_purchases,
    expected_purchases_if_alive,
    expected_purchases_of_new,
    expected_value,
    fit_purchases,
    fit_values,
    log_likelihood,
    p_active,
    p_alive,
    value_log_likelihood,
)

Floats = NDArray[np.float64]
# CDNOW's, as BTYD prints them.
CDNOW = PurchaseParameters(0.2425945, 4.4136019, 0.7929199, 2.4258881)
MODELS = sorted(PURCHASE_MODELS)

PARAMETERS = st.builds(
    PurchaseParameters,
    r=st.floats(0.05, 10),
    alpha=st.floats(0.5, 50),
    a=st.floats(0.05, 5),
    b=st.floats(0.1, 20),
)


@st.composite
def histories(draw: st.DrawFn, largest: int, weeks: int) -> tuple[int, float, float]:
    """Some x, t_x, T that can be: whole days, one purchase a day at most."""
    x = draw(st.integers(0, largest))
    t_x = draw(st.integers(x, weeks * 7)) if x else 0
    age = draw(st.integers(t_x, weeks * 7))
    return x, t_x / 7, age / 7


# What others published


def test_customers_of_the_papers() -> None:
    """Fader, Hardie and Lee's customer of CDNOW, and the one of BTYD's vignette."""
    customer = ("bg_nbd", CDNOW, 2, 30.43, 38.86)
    assert float(p_alive(*customer)) == pytest.approx(0.7266, abs=5e-5)
    assert float(expected_purchases(*customer, 39)) == pytest.approx(1.226, abs=5e-4)
    customer = ("bg_nbd", CDNOW, 26, 30.857, 31)
    assert float(p_alive(*customer)) == pytest.approx(0.9688523, rel=1e-5)
    assert float(expected_purchases(*customer, 52)) == pytest.approx(25.75659, rel=1e-4)


def test_new_customers_of_the_papers() -> None:
    """E[X(t)] of a new customer, the papers' printed digits."""
    found = expected_purchases_of_new("bg_nbd", CDNOW, [1, 32, 78])
    assert found == pytest.approx([0.0532, 1.0437, 1.8576], abs=5e-4)
    assert float(expected_purchases_of_new("bg_nbd", CDNOW, 52)[0]) == pytest.approx(
        1.444004, rel=1e-5
    )


def test_more_purchases_long_ago_expect_less() -> None:
    """The increasing-frequency paradox: BTYD prints what 52 weeks bring, t_x being 20 and T 39."""
    found = expected_purchases("bg_nbd", CDNOW, [10, 15, 20, 25], 20, 39, 52)
    assert found == pytest.approx([0.3474606, 0.0428339, 0.0041590, 0.00035837], rel=1e-4)


# Another implementation


@pytest.fixture(scope="module")
def fitters() -> dict[str, Any]:
    """Those of lifetimes; it is old, and today's NumPy warns at it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes
    return {
        "bg_nbd": lifetimes.BetaGeoFitter,
        "mbg_nbd": lifetimes.ModifiedBetaGeoFitter,
        "gamma_gamma": lifetimes.GammaGammaFitter,
    }


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=100)
@given(parameters=PARAMETERS, history=histories(60, 260), t=st.floats(1, 60))
def test_lifetimes_agrees(
    fitters: dict[str, Any],
    model: str,
    parameters: PurchaseParameters,
    history: tuple[int, float, float],
    t: float,
) -> None:
    """Likelihood, P(alive) and expectation agree to a millionth, where lifetimes gives a number."""
    fitter = fitters[model]()
    fitter.params_ = pd.Series(parameters._asdict())
    x, t_x, age = (np.array([float(value)]) for value in history)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        negative = fitter._negative_log_likelihood(  # noqa: SLF001
            np.log(np.array(parameters)), x, t_x, age, np.ones(1), 0.0
        )
        alive = np.atleast_1d(fitter.conditional_probability_alive(x, t_x, age))
        expected = np.atleast_1d(
            fitter.conditional_expected_number_of_purchases_up_to_time(t, x, t_x, age)
        )
    assert log_likelihood(model, parameters, *history) == pytest.approx(-negative, rel=1e-6)
    assert p_alive(model, parameters, *history) == pytest.approx(alive[0], rel=1e-6, abs=1e-9)
    # lifetimes divides by a - 1 what nearly cancels, and its 2F1 overflows: an integral judges.
    is_sound = abs(parameters.a - 1) > 0.01 and np.isfinite(expected[0])
    if is_sound and _integral_agrees_with(expected[0], model, parameters, history, t):
        ours = float(expected_purchases(model, parameters, *history, t))
        assert ours == pytest.approx(expected[0], rel=1e-6, abs=1e-9)


def _integral_agrees_with(
    found: float,
    model: str,
    parameters: PurchaseParameters,
    history: tuple[int, float, float],
    t: float,
) -> bool:
    integral = _integrated(model, parameters, *history, t)[1]
    return abs(found - integral) < 1e-5 * max(integral, 1e-6)


@settings(max_examples=50)
@given(
    parameters=st.builds(
        ValueParameters, p=st.floats(0.5, 20), q=st.floats(1.1, 20), gamma=st.floats(0.5, 500)
    ),
    x=st.integers(1, 300),
    m=st.floats(0.01, 5000),
)
def test_lifetimes_agrees_on_values(
    fitters: dict[str, Any], parameters: ValueParameters, x: int, m: float
) -> None:
    """Gamma-Gamma's likelihood and conditional mean agree to a millionth."""
    fitter = fitters["gamma_gamma"]()
    fitter.params_ = pd.Series([*parameters], index=["p", "q", "v"])
    theirs = fitter.conditional_expected_average_profit(np.array([x]), np.array([m]))
    assert expected_value(parameters, [x], [m]) == pytest.approx(np.asarray(theirs), rel=1e-6)
    negative = fitter._negative_log_likelihood(  # noqa: SLF001
        np.log(np.array(parameters)), np.array([x]), np.array([m]), np.ones(1), 0.0
    )
    assert value_log_likelihood(parameters, x, m) == pytest.approx(-negative, rel=1e-6, abs=1e-6)


# Integrals


def _integrated(
    model: str, parameters: PurchaseParameters, x: float, t_x: float, age: float, t: float
) -> tuple[float, float]:
    """P(alive) and the expectation, as integrals over p of what is known of a customer with that p.

    Trapezoids over ln(p / (1 - p)): of functions as smooth as these they give all digits.
    """
    k = PURCHASE_MODELS[model]
    r, alpha, a, b = parameters
    width = 0.05
    logits = np.arange(-40 / min(a, 1), 40 / min(b, 1), width)
    log_p, log_rest = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
    log_prior = a * log_p + b * log_rest - betaln(a, b)
    stays = log_prior + (x + k) * log_rest
    log_alive = logsumexp(stays) - (r + x) * np.log(alpha + age)
    log_gone = -np.inf
    if x + k > 0:
        leaves = log_prior + log_p + (x + k - 1) * log_rest
        log_gone = logsumexp(leaves) - (r + x) * np.log(alpha + t_x)
    alive = np.exp(-np.logaddexp(0, log_gone - log_alive))
    p = np.exp(np.maximum(log_p, -600))
    buys = -np.expm1(-(r + x) * np.log1p(p * t / (alpha + age))) / p
    return float(alive), float(alive * (np.exp(stays - logsumexp(stays)) * buys).sum())


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=100)
@given(parameters=PARAMETERS, history=histories(1000, 260), t=st.floats(0.1, 60))
def test_integrals_agree_on_extreme_histories(
    model: str, parameters: PurchaseParameters, history: tuple[int, float, float], t: float
) -> None:
    """A thousand purchases, five years, none at all: as the integrals, finite, in range."""
    alive, expected = _integrated(model, parameters, *history, t)
    found = float(p_alive(model, parameters, *history))
    assert 0 <= found <= 1
    assert found == pytest.approx(alive, rel=1e-6, abs=1e-300)
    count = float(expected_purchases(model, parameters, *history, t))
    assert count >= 0
    assert count == pytest.approx(expected, rel=1e-6, abs=1e-300)
    active = float(p_active(model, parameters, *history, t))
    assert 0 <= active <= found + 1e-15
    assert active <= count + 1e-12, "whoever buys at all buys at least once"
    assert np.isfinite(log_likelihood(model, parameters, *history))


@pytest.mark.parametrize("history", [(1000, 10, 100), (300, 200, 200), (133, 200, 200)])
@pytest.mark.parametrize("model", MODELS)
def test_histories_that_broke_others_give_numbers(
    model: str, history: tuple[float, float, float]
) -> None:
    """Each of them gave NaN or an overflow somewhere."""
    alive = float(p_alive(model, CDNOW, *history))
    assert alive == pytest.approx(0 if history[0] == 1000 else 1, abs=0.01)
    assert np.isfinite(float(expected_purchases(model, CDNOW, *history, 52)))


@pytest.mark.parametrize("model", MODELS)
def test_longer_silence_makes_less_alive_and_longer_horizons_more_purchases(model: str) -> None:
    """Monotone where the models are, over five years and a thousand purchases."""
    ages = np.arange(0, 261, 0.5) + 150
    for x in (0, 1, 5, 100, 1000):
        alive = p_alive(model, CDNOW, x, 150 if x else 0, ages)
        assert (np.diff(alive) <= 0).all()
        table = expected_purchases_if_alive(model, CDNOW, x, 150.0, np.arange(1, 261))[0]
        assert (np.diff(table) > 0).all()


# Fits


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=25)
@given(parameters=PARAMETERS, some=st.lists(histories(40, 100), min_size=1, max_size=8))
def test_derivatives_of_purchases_are_those_of_the_likelihood(
    model: str, parameters: PurchaseParameters, some: list[tuple[int, float, float]]
) -> None:
    """A wrong derivative would stop the fit beside the maximum."""
    columns = tuple(np.array(column, dtype=float) for column in zip(*some, strict=True))
    groups = purchase_models._grouped(columns, None)  # noqa: SLF001
    derivatives = partial(
        purchase_models._purchase_derivatives,  # noqa: SLF001
        PURCHASE_MODELS[model],
        groups,
    )
    _expect_derivatives(
        derivatives,
        lambda values: log_likelihood(model, PurchaseParameters(*values), *columns).sum(),
        np.array(parameters),
    )


@settings(max_examples=25)
@given(
    p=st.floats(0.5, 20),
    q=st.floats(0.5, 10),
    gamma=st.floats(1, 100),
    some=st.lists(st.tuples(st.integers(1, 40), st.floats(0.5, 500)), min_size=1, max_size=8),
)
def test_derivatives_of_values_are_those_of_the_likelihood(
    p: float, q: float, gamma: float, some: list[tuple[int, float]]
) -> None:
    """The same for Gamma-Gamma."""
    columns = tuple(np.array(column, dtype=float) for column in zip(*some, strict=True))
    groups = purchase_models._grouped(columns, None)  # noqa: SLF001
    _expect_derivatives(
        partial(purchase_models._value_derivatives, groups),  # noqa: SLF001
        lambda values: value_log_likelihood(ValueParameters(*values), *columns).sum(),
        np.array([p, q, gamma]),
    )


def _expect_derivatives(
    derivatives: Callable[[Floats], Any], likelihood: Callable[[Floats], float], at: Floats
) -> None:
    """Value, gradient and second derivatives as differences give them."""
    value, gradient, hessian = derivatives(at)
    assert value == pytest.approx(likelihood(at), rel=1e-9)
    for index in range(len(at)):
        step = np.zeros(len(at))
        step[index] = 1e-5 * at[index]
        above, below = derivatives(at + step), derivatives(at - step)
        slope = (above[0] - below[0]) / (2 * step[index])
        scale = np.abs(gradient).max() + abs(value) / at[index] + 1
        assert gradient[index] == pytest.approx(slope, rel=1e-4, abs=1e-6 * scale)
        bend = (above[1] - below[1]) / (2 * step[index])
        scale = np.abs(hessian).max() + np.abs(gradient).max() / at[index] + 1
        assert hessian[index] == pytest.approx(bend, rel=1e-4, abs=1e-6 * scale)


def _simulated(
    model: str, parameters: PurchaseParameters, count: int, weeks: float, holdout: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """x, t_x, T and the purchases of the holdout, of customers who live as the model says."""
    generator = np.random.default_rng(20240229)
    r, alpha, a, b = parameters
    rate, gone = generator.gamma(r, 1 / alpha, count), generator.beta(a, b, count)
    age = generator.uniform(weeks / 3, weeks, count)
    x, t_x, later, at = (np.zeros(count) for _ in range(4))
    alive = np.ones(count, dtype=bool)
    if PURCHASE_MODELS[model]:
        alive = generator.random(count) >= gone
    while alive.any():
        rows = np.flatnonzero(alive)
        at[rows] += generator.exponential(1 / rate[rows])
        known, held = rows[at[rows] <= age[rows]], rows[at[rows] > age[rows]]
        x[known] += 1
        t_x[known] = at[known]
        later[held[at[held] <= age[held] + holdout]] += 1
        alive[rows[at[rows] > age[rows] + holdout]] = False
        alive[rows[generator.random(len(rows)) < gone[rows]]] = False
    return x, t_x, age, later


@pytest.mark.parametrize("model", MODELS)
def test_simulated_customers_give_their_parameters_back_and_a_calibrated_holdout(
    model: str,
) -> None:
    """Within three standard errors; and in every decile as many purchases as are expected."""
    truth = PurchaseParameters(0.6, 6.0, 0.9, 2.2)
    x, t_x, age, later = _simulated(model, truth, 30_000, 78.0, 26.0)
    fit = fit_purchases(model, x, t_x, age)
    assert fit.is_converged
    found = PurchaseParameters(*fit.parameters)
    errors = _standard_errors(
        lambda logs: log_likelihood(model, PurchaseParameters(*np.exp(logs)), x, t_x, age).sum(),
        np.log(found),
    )
    assert (np.abs(np.log(found) - np.log(truth)) < 3 * errors).all()
    expected = expected_purchases(model, found, x, t_x, age, 26.0)
    for rows in np.array_split(np.argsort(expected, kind="stable"), 10):
        error = later[rows].std() * np.sqrt(len(rows))
        assert abs(later[rows].sum() - expected[rows].sum()) < 4 * error


def test_simulated_values_give_their_parameters_back() -> None:
    """Within three standard errors, of customers with one to twenty repeat purchases."""
    generator = np.random.default_rng(7)
    truth = ValueParameters(4.0, 3.5, 20.0)
    x = generator.integers(1, 21, 10_000)
    scale = generator.gamma(truth.q, 1 / truth.gamma, len(x))
    m = generator.gamma(truth.p * x, 1 / (scale * x))
    fit = fit_values(x, m)
    assert fit.is_converged
    errors = _standard_errors(
        lambda logs: value_log_likelihood(ValueParameters(*np.exp(logs)), x, m).sum(),
        np.log(fit.parameters),
    )
    assert (np.abs(np.log(fit.parameters) - np.log(truth)) < 3 * errors).all()


def _standard_errors(likelihood: Callable[[Floats], float], at: Floats) -> Floats:
    """By differences of the likelihood alone: none of the fit's own derivatives."""
    steps = np.eye(len(at)) * 1e-3
    hessian = np.array(
        [
            [
                likelihood(at + one + other)
                - likelihood(at + one - other)
                - likelihood(at - one + other)
                + likelihood(at - one - other)
                for other in steps
            ]
            for one in steps
        ]
    ) / (4 * 1e-6)
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(-hessian))))


def test_fit_is_the_same_whatever_the_order_and_the_grouping() -> None:
    """Same rows in any order: same bytes out; and a weight is as good as repeating a row."""
    x, t_x, age, _ = _simulated("bg_nbd", PurchaseParameters(0.5, 5.0, 0.8, 2.5), 4000, 52, 1)
    t_x, age = np.ceil(t_x * 7) / 7, np.ceil(age * 7) / 7
    fit = fit_purchases("bg_nbd", x, t_x, age)
    order = np.random.default_rng(1).permutation(len(x))
    assert fit_purchases("bg_nbd", x[order], t_x[order], age[order]) == fit
    rows = pd.DataFrame({"x": x, "t_x": t_x, "age": age})[::-1]
    groups = rows.groupby(["x", "t_x", "age"], sort=False).size().reset_index(name="customers")
    assert fit_purchases("bg_nbd", *(groups[name] for name in groups)) == fit


def test_start_from_a_sample_ends_where_all_customers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample says where to begin, never where to end."""
    x, t_x, age, _ = _simulated("mbg_nbd", PurchaseParameters(0.5, 5.0, 0.8, 2.5), 9000, 52, 1)
    by_sample = fit_purchases("mbg_nbd", x, t_x, age)
    monkeypatch.setattr(purchase_models, "SAMPLE_SIZE", 10**9)
    directly = fit_purchases("mbg_nbd", x, t_x, age)
    assert by_sample.parameters == pytest.approx(directly.parameters, rel=1e-8)
    assert by_sample.log_likelihood == pytest.approx(directly.log_likelihood, abs=1e-6)


@settings(max_examples=10)
@given(some=st.lists(histories(3, 20), min_size=1, max_size=6), model=st.sampled_from(MODELS))
def test_handful_of_customers_gives_numbers_or_no_convergence(
    some: list[tuple[int, float, float]], model: str
) -> None:
    """Without a maximum the parameters run off: they must end as numbers, and say what they are."""
    fit = fit_purchases(model, *zip(*some, strict=True))
    assert np.isfinite([*fit.parameters, fit.log_likelihood, fit.gradient_norm]).all()
    assert fit.customer_count == len(some)
    values = [(x, 10.0 + index) for index, (x, _, _) in enumerate(some) if x]
    if values:
        assert np.isfinite(fit_values(*zip(*values, strict=True)).parameters).all()


@pytest.mark.parametrize(
    "history", [([-1], [0], [1]), ([1], [3], [2]), ([1], [-1], [2]), ([], [], [])]
)
def test_histories_that_cannot_be_are_refused(history: Any) -> None:
    """A wrong column would else be fitted without a word."""
    with pytest.raises(ValueError, match="Histories must have"):
        fit_purchases("bg_nbd", *history)
    with pytest.raises(ValueError, match="Values must have"):
        fit_values([1, 1], [3.0, 0.0])


def test_gamma_gamma_is_the_integral_over_customers() -> None:
    """The likelihood of a mean value, as an integral over the scales that customers may have."""
    p, q, gamma = parameters = ValueParameters(6.25, 3.74, 15.44)
    for x, m in ((1, 20.0), (7, 3.5), (200, 61.0)):
        logs = np.linspace(-30, 15, 20_001)
        scale = np.exp(logs)
        prior = q * np.log(gamma) + q * logs - gamma * scale - gammaln(q)
        mean = p * x * np.log(x * scale) + (p * x - 1) * np.log(m) - x * m * scale - gammaln(p * x)
        integral = logsumexp(prior + mean) + np.log(logs[1] - logs[0])
        assert float(value_log_likelihood(parameters, x, m)) == pytest.approx(integral, rel=1e-9)

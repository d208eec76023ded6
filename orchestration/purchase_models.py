"""Models of when customers buy again, and for how much, fitted by maximum likelihood.

A purchase history is x, t_x, T: how many repeat purchases a customer made, when the last one was
and how long the customer has been watched, both since the first purchase (in weeks, but any unit
will do: a model's alpha is in the same one). Customers with equal histories are alike to the
models, so they are grouped.

- BG/NBD (`bg_nbd`): Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing
  Science 24. While alive a customer buys at a rate lambda ~ gamma(r, alpha), and after each repeat
  purchase is gone with probability p ~ beta(a, b).
- MBG/NBD (`mbg_nbd`): Batislam, Denizel & Filiztekin (2007), Int. J. Research in Marketing 24. The
  same, but customers may be gone after their first purchase too.
- Gamma-Gamma: Fader & Hardie (2013), "The Gamma-Gamma model of monetary value". A purchase is worth
  gamma(p, nu), and nu ~ gamma(q, gamma).

The two purchase models differ in one number, `k`, the first purchases that a customer may be gone
after (0 or 1): every equation of BG/NBD holds for MBG/NBD with b + k in the place of b behind the
purchases. All is reckoned in logarithms: x may be in the thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, digamma, gammaln, polygamma

Floats = NDArray[np.float64]
# The sum over all customers, its gradient and its matrix of second derivatives, at some parameters.
Derivatives = tuple[float, Floats, Floats]

# How many first purchases a customer may be gone after.
PURCHASE_MODELS = {"bg_nbd": 0, "mbg_nbd": 1}
# A fit has converged where the gradient by the parameters' logarithms, per customer, is this short.
GRADIENT_TOLERANCE = 1e-9
# Where steps end: well below it, which the last Newton step reaches by itself.
GRADIENT_AIM = 1e-12
SAMPLE_SIZE = 5_000
# Groups reckoned at a time, so that the numbers in between stay in the processor's cache.
PART_SIZE = 16_384
MAX_STEPS, MAX_HALVINGS = 100, 30


class PurchaseParameters(NamedTuple):
    """Of BG/NBD and MBG/NBD; alpha is in the unit of the histories' times."""

    r: float
    alpha: float
    a: float
    b: float


class ValueParameters(NamedTuple):
    """Of Gamma-Gamma; gamma is in the currency of the values."""

    p: float
    q: float
    gamma: float


@dataclass(frozen=True)
class Fit:
    """What a fit found; `gradient_norm` is of a customer's mean, by the parameters' logarithms."""

    parameters: tuple[float, ...]
    log_likelihood: float
    gradient_norm: float
    starts_tried: int
    is_converged: bool
    customer_count: int


# How likely histories are, and what they let expect


def log_likelihood(
    model: str,
    parameters: PurchaseParameters,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
) -> Floats:
    """The log-likelihood of each history (2005, equation 6; 2007, equation 5)."""
    r, alpha, a, b = parameters
    x, t_x, T = _as_floats(x, t_x, T)
    after = b + x + PURCHASE_MODELS[model]
    return np.asarray(
        gammaln(r + x)
        - gammaln(r)
        + r * np.log(alpha)
        + betaln(a, after)
        - betaln(a, b)
        - (r + x) * np.log(alpha + T)
        + np.logaddexp(0, _log_odds_gone(model, parameters, x, t_x, T))
    )


def p_alive(
    model: str,
    parameters: PurchaseParameters,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
) -> Floats:
    """P(alive) at T. BG/NBD's is 1 for every customer with one purchase; MBG/NBD's is not."""
    log_odds = _log_odds_gone(model, parameters, *_as_floats(x, t_x, T))
    return np.asarray(np.exp(-np.logaddexp(0, log_odds)))


def _log_odds_gone(
    model: str,
    parameters: PurchaseParameters,
    x: Floats,
    t_x: Floats,
    T: Floats,
) -> Floats:
    """ln((1 - P(alive)) / P(alive)); nobody is gone before they may be (x + k = 0)."""
    r, alpha, a, b = parameters
    deaths = x + PURCHASE_MODELS[model]
    # Where x + k = 0 the logarithm is of something that does not count.
    before = np.log(a) - np.log(np.where(deaths > 0, b + deaths - 1, 1.0))
    return np.where(
        deaths > 0, before + (r + x) * (np.log(alpha + T) - np.log(alpha + t_x)), -np.inf
    )


def p_active(
    model: str,
    parameters: PurchaseParameters,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    t: float,
) -> Floats:
    """P(a purchase in (T, T + t]): who is alive buys once more, and can be gone after it alone."""
    r, alpha, _, _ = parameters
    x, t_x, T = _as_floats(x, t_x, T)
    if_alive = -np.expm1(-(r + x) * np.log1p(t / (alpha + T)))
    return np.asarray(p_alive(model, parameters, x, t_x, T) * if_alive)


def expected_purchases(
    model: str,
    parameters: PurchaseParameters,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    t: float,
) -> Floats:
    """E[purchases in (T, T + t]] of each history (2005, equation 10)."""
    x, t_x, T = _as_floats(x, t_x, T)
    if_alive = expected_purchases_if_alive(model, parameters, x.ravel(), T.ravel(), [t])
    return np.asarray(p_alive(model, parameters, x, t_x, T) * if_alive.reshape(x.shape))


def expected_purchases_of_new(model: str, parameters: PurchaseParameters, t: ArrayLike) -> Floats:
    """E[X(t)], the repeat purchases of a new customer up to each time `t` (2005, equation 9)."""
    if_alive = expected_purchases_if_alive(model, parameters, [0.0], [0.0], np.atleast_1d(t))[0]
    return np.asarray(p_alive(model, parameters, 0.0, 0.0, 0.0) * if_alive)


def expected_purchases_if_alive(
    model: str,
    parameters: PurchaseParameters,
    x: ArrayLike,
    T: ArrayLike,
    t: ArrayLike,
) -> Floats:
    """E[purchases in (T, T + t] | alive at T], which depends on x and T alone.

    The papers write it with Gauss's 2F1, which overflows for large x. It is the mean, over the
    beta(a, b + k + x) that p has by then, of (1 - (1 + p t / (alpha + T))^-(r + x)) / p, what a
    customer with that p will buy. That function of p is smooth, so a Gauss-Jacobi rule gives the
    mean to all digits.

    Args:
        model: bg_nbd or mbg_nbd.
        parameters: The model's.
        x: Repeat purchases, shape (n,).
        T: Time watched, shape (n,).
        t: Horizons in the same unit, shape (h,).

    Returns:
        Shape (n, h).
    """
    r, alpha, a, b = parameters
    horizons = np.atleast_1d(np.asarray(t, dtype=np.float64))
    # Customers share their x and T with many others.
    (x_places, counts), (T_places, ages) = (
        pd.factorize(np.atleast_1d(values), sort=True) for values in _as_floats(x, T)
    )
    places, pairs = pd.factorize(x_places * len(ages) + T_places, sort=True)
    starts = np.searchsorted(pairs, np.arange(len(counts) + 1) * len(ages))
    expected = np.empty((len(pairs), len(horizons)))
    for number, count in enumerate(counts):
        rows = slice(starts[number], starts[number + 1])
        scales = 1 / (alpha + ages[pairs[rows] % len(ages)])
        size = _rule_size(scales.max() * horizons.max(initial=0.0))
        p, weights = _beta_rule(a, b + PURCHASE_MODELS[model] + count, size)
        for column, horizon in enumerate(horizons):
            steps = np.multiply.outer(scales * horizon, p)
            steps = -np.expm1(-(r + count) * np.log1p(steps)) / p
            expected[rows, column] = (steps * weights).sum(axis=1)
    return np.asarray(expected[places])


def _rule_size(ratio: float) -> int:
    """Nodes for 17 digits: the nearest pole, p = -1 / ratio, says how fast the rule converges."""
    place = 1 + 2 / max(ratio, 1e-3)
    digits_per_node = 2 * np.log10(place + np.sqrt(place**2 - 1))
    return int(np.clip(np.ceil(17 / digits_per_node) + 8, 24, 400))


def _beta_rule(a: float, b: float, size: int) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights, of sum 1, of the Gauss rule for means over beta(a, b).

    Golub & Welsch (1969): the eigenvalues of the Jacobi polynomials' recurrence, which is written
    here for (0, 1) so that small nodes keep their digits, and the squares of the eigenvectors'
    first items.
    """
    n = np.arange(1.0, size)
    s = a + b - 2
    diagonal = np.append(
        a / (a + b), (2 * n * (n + s + 1) + s * a) / ((2 * n + s) * (2 * n + s + 2))
    )
    first = a * b / ((a + b) ** 2 * (a + b + 1))
    m = n[1:]
    others = m * (m + b - 1) * (m + a - 1) * (m + s) / (
        (2 * m + s) ** 2 * (2 * m + s + 1) * (2 * m + s - 1)
    )  # fmt: skip
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(np.append(first, others)))
    tiny = np.finfo(np.float64).tiny
    return np.maximum(nodes, tiny), vectors[0] ** 2


def value_log_likelihood(parameters: ValueParameters, x: ArrayLike, m: ArrayLike) -> Floats:
    """The log-likelihood of the mean value m > 0 of x >= 1 repeat purchases (2013, equation 1a)."""
    p, q, gamma = parameters
    x, m = _as_floats(x, m)
    return np.asarray(
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(gamma)
        + (p * x - 1) * np.log(m)
        + p * x * np.log(x)
        - (p * x + q) * np.log(gamma + x * m)
    )


def expected_value(parameters: ValueParameters, x: ArrayLike, m: ArrayLike) -> Floats:
    """E[value of a purchase] of who made x repeat purchases of the mean m (2013, equation 5).

    With x = 0 it is the population's; q must be above 1, else that has no mean.
    """
    p, q, gamma = parameters
    x, m = _as_floats(x, m)
    return np.asarray(p * (gamma + x * m) / (p * x + q - 1))


# Fits


def fit_purchases(
    model: str,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    customers: ArrayLike | None = None,
) -> Fit:
    """Fit bg_nbd or mbg_nbd.

    Args:
        model: Which of the two.
        x: Repeat purchases, shape (n,).
        t_x: Time of the last purchase, shape (n,); 0 where there is no repeat purchase.
        T: Time watched, shape (n,).
        customers: How many customers have each history, shape (n,); one each unless told.

    Raises:
        ValueError: Histories that cannot be: not 0 <= t_x <= T, x < 0, none at all.
    """
    x, t_x, T = (np.atleast_1d(values) for values in _as_floats(x, t_x, T))
    if not len(x) or (x < 0).any() or (t_x < 0).any() or (t_x > T).any():
        raise ValueError("Histories must have x >= 0 and 0 <= t_x <= T, and there must be some.")
    histories = _grouped((x, t_x, T), customers)
    count, weeks = histories.sum_of(0), histories.sum_of(2)
    rate = max(count, 1.0) / max(weeks, 1e-9)
    starts = [
        np.log([r, r / rate, a, b]) for r in (0.25, 1.0, 4.0) for a, b in ((0.8, 2.5), (0.2, 4.0))
    ]
    return _fit(partial(_purchase_derivatives, PURCHASE_MODELS[model]), histories, starts)


def fit_values(x: ArrayLike, m: ArrayLike, customers: ArrayLike | None = None) -> Fit:
    """Fit Gamma-Gamma to the mean values m > 0 of x >= 1 repeat purchases, shapes (n,).

    Raises:
        ValueError: A value that is not positive, a customer without a repeat purchase, nobody.
    """
    x, m = (np.atleast_1d(values) for values in _as_floats(x, m))
    if not len(x) or (x < 1).any() or (m <= 0).any():
        raise ValueError("Values must have x >= 1 and m > 0, and there must be some.")
    values = _grouped((x, m), customers)
    mean = values.sum_of(1) / values.customer_count
    starts = [np.log([p, q, mean * (q - 1) / p]) for p in (1.0, 6.0, 30.0) for q in (1.5, 4.0)]
    return _fit(_value_derivatives, values, starts)


@dataclass(frozen=True)
class _Groups:
    """Distinct rows of some columns, sorted, each of so many customers.

    Functions of one column are reckoned on its distinct values: `levels[i][places[i]]` is column i.
    """

    levels: tuple[Floats, ...]
    places: tuple[NDArray[np.int64], ...]
    customers: Floats

    @property
    def customer_count(self) -> float:
        return float(self.customers.sum())

    def sum_of(self, column: int) -> float:
        """The sum of a column over all customers."""
        return float((self.by(column) * self.levels[column]).sum())

    def by(self, column: int, values: Floats | None = None) -> Floats:
        """The sums of some values (else of customers) by the distinct values of a column."""
        weights = self.customers if values is None else values
        sums = np.bincount(self.places[column], weights, len(self.levels[column]))
        return np.asarray(sums, dtype=np.float64)

    def parts(self) -> list[_Groups]:
        """The groups in parts of PART_SIZE."""
        starts = range(0, len(self.customers), PART_SIZE)
        slices = [slice(start, start + PART_SIZE) for start in starts]
        return [
            _Groups(self.levels, tuple(place[part] for place in self.places), self.customers[part])
            for part in slices
        ]

    def sample(self) -> _Groups:
        """About SAMPLE_SIZE of the customers, evenly from the sorted ones."""
        if len(self.customers) <= SAMPLE_SIZE:
            return self
        until = self.customers.cumsum()
        positions = (np.arange(SAMPLE_SIZE) + 0.5) / SAMPLE_SIZE * until[-1]
        rows, customers = np.unique(np.searchsorted(until, positions), return_counts=True)
        columns = tuple(
            level[place[rows]] for level, place in zip(self.levels, self.places, strict=True)
        )
        return _grouped(columns, customers)


def _grouped(columns: tuple[Floats, ...], customers: ArrayLike | None) -> _Groups:
    """Group equal rows, in an order that does not depend on that of the rows."""
    factors = [pd.factorize(column, sort=True) for column in columns]
    keys = np.zeros(len(columns[0]), dtype=np.int64)
    for place, level in factors:
        keys = keys * len(level) + place
    if customers is None:
        keys.sort()
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        sizes = np.diff(np.append(starts, len(keys))).astype(np.float64)
        keys = keys[starts]
    else:
        keys, group = np.unique(keys, return_inverse=True)
        # Whole numbers add up exactly, in any order.
        sizes = np.asarray(np.bincount(group, np.asarray(customers)), dtype=np.float64)
    places = []
    for _, level in reversed(factors):
        places.append(keys % len(level))
        keys = keys // len(level)
    return _Groups(tuple(np.asarray(level) for _, level in factors), tuple(reversed(places)), sizes)


def _fit(
    derivatives: Callable[[_Groups, Floats], Derivatives], groups: _Groups, starts: list[Floats]
) -> Fit:
    """Find the best start on a sample, then the maximum on all groups from there."""
    sample = groups.sample()
    found = [_maximised(derivatives, sample, start) for start in starts]
    best = max(value for value, _, _ in found)
    # Other maxima of the sample that may be the better ones of all customers.
    tops: list[Floats] = []
    for value, logs, _ in found:
        if value > best - 2 and all(np.abs(logs - top).max() > 0.5 for top in tops):
            tops.append(logs)
    if sample is not groups:
        found = [_maximised(derivatives, groups, top) for top in tops]
    value, logs, gradient = max(found, key=lambda one: one[0])
    norm = _norm(gradient) / groups.customer_count
    return Fit(
        parameters=tuple(float(parameter) for parameter in np.exp(logs)),
        log_likelihood=value,
        gradient_norm=norm,
        starts_tried=len(starts),
        is_converged=bool(np.isfinite(value) and norm < GRADIENT_TOLERANCE),
        customer_count=int(groups.customer_count),
    )


def _maximised(
    derivatives: Callable[[_Groups, Floats], Derivatives], groups: _Groups, start: Floats
) -> tuple[float, Floats, Floats]:
    """Newton's method in the parameters' logarithms: the value, those, and the gradient by them.

    Where the surface is not concave the eigenvalues' signs are turned, so that a step always leads
    upwards; a step is at most 1 long in each parameter's logarithm, and halved until it leads
    higher.
    """
    objective = partial(_by_logs, derivatives, groups.parts())
    logs = start
    value, gradient, hessian = objective(logs)
    for _ in range(MAX_STEPS):
        if _norm(gradient) < GRADIENT_AIM * groups.customer_count:
            break
        sizes, axes = np.linalg.eigh(-hessian)
        sizes = np.maximum(np.abs(sizes), 1e-12 * np.abs(sizes).max(initial=1e-300))
        step = (axes * ((axes * gradient[:, None]).sum(axis=0) / sizes)).sum(axis=1)
        step /= max(1.0, float(np.abs(step).max()))
        # The value's own digits end before the gradient's: near the top only the latter tells.
        rounding = 1e-13 * abs(value)
        for _ in range(MAX_HALVINGS):
            following = objective(logs + step)
            rise = following[0] - value
            if rise > rounding or (
                rise >= -rounding and _norm(following[1]) < 0.9 * _norm(gradient)
            ):
                break
            step = step / 2
        else:
            break
        logs = logs + step
        value, gradient, hessian = following
    return value, logs, gradient


def _norm(vector: Floats) -> float:
    return float(np.sqrt((vector**2).sum()))


def _by_logs(
    derivatives: Callable[[_Groups, Floats], Derivatives], parts: list[_Groups], logs: Floats
) -> Derivatives:
    """The sum over all parts, with derivatives by the parameters' logarithms."""
    parameters = np.exp(logs)
    value, gradient, hessian = 0.0, np.zeros(len(logs)), np.zeros((len(logs), len(logs)))
    for part in parts:
        more = derivatives(part, parameters)
        value, gradient, hessian = value + more[0], gradient + more[1], hessian + more[2]
    slopes = parameters * gradient
    return value, slopes, hessian * np.multiply.outer(parameters, parameters) + np.diag(slopes)


def _purchase_derivatives(k: int, histories: _Groups, parameters: Floats) -> Derivatives:
    """The log-likelihood of a purchase model and its derivatives.

    It is a part that depends on x and T alone, plus ln(1 + odds) with the odds that a customer is
    gone, whose derivatives are q and q (1 - q), where q = 1 - P(alive), times those of ln(odds).
    """
    r, alpha, a, b = parameters
    (x, t_x, T), (at_x, at_t, at_T) = histories.levels, histories.places
    customers, by_x = histories.customers, histories.by(0)
    n = (r + x)[at_x]
    log_T, share_T = np.log(alpha + T)[at_T], (1 / (alpha + T))[at_T]
    share_t = (1 / (alpha + t_x))[at_t]
    # The derivatives of ln(odds) by r and alpha; by a and b they are 1 / a and -1 / before.
    may_be_gone = x + k > 0
    before = np.where(may_be_gone, b + x + k - 1, np.inf)
    d_r = log_T - np.log(alpha + t_x)[at_t]
    d_share = share_T - share_t
    d_alpha = n * d_share
    log_odds = np.log(a) - np.log(before)[at_x] + n * d_r
    tail = np.exp(-np.abs(log_odds))
    gone = np.where(log_odds > 0, 1.0, tail) / (1 + tail)
    w_gone = customers * gone
    w_curve = w_gone * (1 - gone)

    gone_by_x = histories.by(0, w_gone)
    curve_by_x, curve_r_by_x, curve_alpha_by_x = (
        histories.by(0, weights) for weights in (w_curve, w_curve * d_r, w_curve * d_alpha)
    )
    total = by_x.sum()
    after = b + x + k
    value = (
        (by_x * (gammaln(r + x) - gammaln(r) + betaln(a, after) - betaln(a, b))).sum()
        + total * r * np.log(alpha)
        + (customers * (np.maximum(log_odds, 0) + np.log1p(tail) - n * log_T)).sum()
    )
    d_a = by_x * (digamma(a + b) - digamma(a + after))
    d_b = d_a + by_x * (digamma(after) - digamma(b))
    gradient = np.array([
        (by_x * (digamma(r + x) - digamma(r))).sum()
        + total * np.log(alpha)
        + (w_gone * d_r - customers * log_T).sum(),
        total * r / alpha + (w_gone * d_alpha - customers * n * share_T).sum(),
        d_a.sum() + gone_by_x.sum() / a,
        d_b.sum() - (gone_by_x / before).sum(),
    ])  # fmt: skip
    dd_a = by_x * (_trigamma(a + b) - _trigamma(a + after))
    dd_b = dd_a + by_x * (_trigamma(after) - _trigamma(b))
    rr = (by_x * (_trigamma(r + x) - _trigamma(r))).sum() + (w_curve * d_r**2).sum()
    r_alpha = (
        total / alpha + (w_curve * d_r * d_alpha + w_gone * d_share - customers * share_T).sum()
    )
    alpha_alpha = (
        -total * r / alpha**2
        + (
            w_curve * d_alpha**2
            - w_gone * d_alpha * (share_T + share_t)
            + customers * n * share_T**2
        ).sum()
    )
    ra, rb = curve_r_by_x.sum() / a, -(curve_r_by_x / before).sum()
    alpha_a, alpha_b = curve_alpha_by_x.sum() / a, -(curve_alpha_by_x / before).sum()
    aa = dd_a.sum() + (curve_by_x - gone_by_x).sum() / a**2
    ab = dd_a.sum() - (curve_by_x / before).sum() / a
    bb = dd_b.sum() + ((curve_by_x + gone_by_x) / before**2).sum()
    hessian = np.array([
        [rr, r_alpha, ra, rb],
        [r_alpha, alpha_alpha, alpha_a, alpha_b],
        [ra, alpha_a, aa, ab],
        [rb, alpha_b, ab, bb],
    ])  # fmt: skip
    return float(value), gradient, hessian


def _value_derivatives(values: _Groups, parameters: Floats) -> Derivatives:
    """The log-likelihood of Gamma-Gamma and its derivatives."""
    p, q, gamma = parameters
    (x, m), (at_x, at_m) = values.levels, values.places
    customers, by_x = values.customers, values.by(0)
    total = gamma + x[at_x] * m[at_m]
    log_by_x, share_by_x, square_by_x = (
        values.by(0, customers * numbers) for numbers in (np.log(total), 1 / total, 1 / total**2)
    )
    log_m_by_x = values.by(0, customers * np.log(m)[at_m])
    px, s, n = p * x, p * x + q, by_x.sum()
    value = (
        by_x * (gammaln(s) - gammaln(px) - gammaln(q) + q * np.log(gamma) + px * np.log(x))
        + (px - 1) * log_m_by_x
        - s * log_by_x
    ).sum()
    gradient = np.array([
        (x * (by_x * (digamma(s) - digamma(px) + np.log(x)) + log_m_by_x - log_by_x)).sum(),
        (by_x * (digamma(s) - digamma(q) + np.log(gamma)) - log_by_x).sum(),
        n * q / gamma - (s * share_by_x).sum(),
    ])  # fmt: skip
    pp = (by_x * x**2 * (_trigamma(s) - _trigamma(px))).sum()
    pq = (by_x * x * _trigamma(s)).sum()
    qq = (by_x * (_trigamma(s) - _trigamma(q))).sum()
    p_gamma, q_gamma = -(x * share_by_x).sum(), n / gamma - share_by_x.sum()
    gamma_gamma = -n * q / gamma**2 + (s * square_by_x).sum()
    hessian = np.array([[pp, pq, p_gamma], [pq, qq, q_gamma], [p_gamma, q_gamma, gamma_gamma]])
    return float(value), gradient, hessian


def _trigamma(values: Floats | float) -> Floats:
    return np.asarray(polygamma(1, values))


def _as_floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """The values as arrays of one shape."""
    return np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values))

"""The rule for risks too small to count: a model of the tail of the errors."""

from __future__ import annotations

from math import ceil
from numbers import Real

import numpy as np
from scipy.optimize import brentq

from skae._validation import Interval
from skae.thresholds._base import ThresholdRule
from skae.thresholds._conformal import Conformal

# Errors above the start of the tail that its two parameters are learned from, at least.
_FEWEST_EXCESSES = 10
# The prior of the shape: normal around 0, an exponential tail; -1/2 is the lightest.
_SHAPE_SPREAD = 0.5
_SHAPES, _LOG_SCALES = (-0.5, 2.0), (-3.0, 3.0)
# The posterior is computed on a grid that closes in on where it is not negligible.
_GRID, _ZOOMS, _NEGLIGIBLE = 25, 4, 12.0


class PeaksOverThreshold(ThresholdRule):
    r"""A threshold for a small risk, from a model of the largest errors.

    The right rule when alarms should be rarer than can be counted in the errors at
    hand: at most about a share `risk` of fresh normal rows is flagged. With 1 / risk
    errors, `Conformal` promises that without a model. It needs the errors of normal
    rows that did not train the network, and a detector passes it no others.

    Read more in the :doc:`User Guide </guide/thresholds>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    risk : float, default=0.001
        Probability that a fresh normal row is flagged, 0 < risk < tail_fraction.
    tail_fraction : float, default=0.1
        Share of the errors that is the tail, 0 < tail_fraction <= 0.5; at least 10.

    Attributes
    ----------
    threshold_ : float
        The value that a fresh error exceeds with probability `risk` by the model, but
        at least that of ``Conformal(risk)``, or, with fewer than 1 / risk - 1 errors,
        the largest error.

    Notes
    -----
    Above a high value u, excesses :math:`x = e - u` follow nearly a generalised Pareto
    distribution, for most distributions of the errors [1]_:

    .. math:: P(e > u + x) \approx \zeta \, (1 + \xi x / \sigma)^{-1 / \xi} .

    With k of n errors above u, the (k + 1)-th largest one, :math:`\zeta` is
    :math:`(k + 1) / (n + 1)`, its expected value. Estimates of :math:`\xi` and
    :math:`\sigma` put in here, as in [2]_, give thresholds that are too low on average.
    So the right-hand side is averaged over what the excesses say about both: their
    posterior with the prior :math:`\xi \sim N(0, 0.5^2)`, :math:`\xi \ge -0.5`, and a
    flat one of :math:`\log \sigma`; the threshold is where the mean is `risk` [3]_.

    The risk is a mean over draws of the errors. With 1 / risk - 1 errors or more, it is
    at most `risk`, whatever their distribution, as with `Conformal`. With fewer, it is
    as good as the model: of bounded errors and of light tails fewer are flagged, and of
    heavy ones more; in simulations with 100 errors and ``risk=0.001``, twice as many
    where the variance is just infinite, and seven times where the mean is, too.

    References
    ----------
    .. [1] Pickands, J. (1975). Statistical inference using extreme order statistics.
       The Annals of Statistics 3(1). :doi:`10.1214/aos/1176343003`
    .. [2] Siffer, A., Fouque, P.-A., Termier, A. and Largouet, C. (2017). Anomaly
       detection in streams with extreme value theory. KDD.
       :doi:`10.1145/3097983.3098144`
    .. [3] Northrop, P. J., Attalides, N. and Jonathan, P. (2017). Cross-validatory
       extreme value threshold selection and uncertainty with application to ocean
       storm severity. Applied Statistics 66(1). :doi:`10.1111/rssc.12159`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.thresholds import PeaksOverThreshold
    >>> errors = np.random.default_rng(0).exponential(size=1000)
    >>> threshold = PeaksOverThreshold(risk=0.001).fit(errors).threshold_
    >>> bool(5 < threshold < 10)  # exp(-6.9) = 0.001
    True
    """

    _parameter_constraints = {
        "risk": [Interval(Real, 0, 1, closed="neither")],
        "tail_fraction": [Interval(Real, 0, 0.5, closed="right")],
    }

    needs_held_out = True
    _why_errors = " (10 of them in the tail)"
    _fewer_errors = "raise tail_fraction (now {tail_fraction!r})"

    def __init__(self, risk: float = 1e-3, tail_fraction: float = 0.1) -> None:
        self.risk = risk
        self.tail_fraction = tail_fraction

    @property
    def min_errors(self) -> int:  # type: ignore[override]
        """Fewest errors that ``fit`` takes, in copies: 10 / tail_fraction."""
        return ceil(_FEWEST_EXCESSES / self.tail_fraction * (1 - 1e-9))

    def check(self) -> None:
        """Raise a ValueError where the risk is no part of the tail."""
        if self.risk >= self.tail_fraction:
            raise ValueError(
                "PeaksOverThreshold needs a risk below tail_fraction, but risk is "
                f"{self.risk!r} and tail_fraction {self.tail_fraction!r}. Raise "
                f"tail_fraction, or use Conformal({self.risk!r})."
            )

    def _compute_threshold(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the threshold of the model, but no less than the counted one."""
        self.check()
        # What can be counted needs no model, which is too light for bounded errors.
        countable = max(self.risk, 1 / (weights.sum() + 1))
        counted = Conformal(countable)._compute_threshold(errors, weights)
        return max(counted, self._modelled(errors, weights))

    def _modelled(self, errors: np.ndarray, weights: np.ndarray) -> float:
        """Return the start of the tail plus the excess of the risk."""
        order = np.argsort(errors)
        ends = np.cumsum(weights[order])
        cut = ends[-1] - round(self.tail_fraction * float(ends[-1]))
        # Sums of fractional weights are rounded.
        place = np.searchsorted(ends, cut - min(1e-9 * ends[-1], 0.25))
        start = errors[order][place]
        above = errors > start
        n_above = weights[above].sum()
        share = (n_above + 1) / (weights.sum() + 1)
        if n_above == 0 or share <= self.risk:
            return start
        excesses, copies = errors[above] - start, weights[above]
        unit = np.average(excesses, weights=copies)
        return start + unit * _tail_quantile(excesses / unit, copies, self.risk / share)


def _tail_quantile(
    excesses: np.ndarray, weights: np.ndarray, probability: float
) -> float:
    """Return what a further excess exceeds with a probability; their mean is 1."""
    shape, scale, mass = _posterior(excesses, weights)

    def too_likely(x: float) -> float:
        """Return by how much the probability of exceeding x is too high."""
        with np.errstate(divide="ignore"):  # past the end of a bounded tail
            log_survival = -np.log1p(np.maximum(shape * x / scale, -1.0)) / shape
        return mass @ np.exp(np.minimum(log_survival, 0.0)) - probability

    upper = 1.0
    while too_likely(upper) > 0:
        upper *= 2
    return brentq(too_likely, 0.0, upper, xtol=1e-13, rtol=1e-13)


def _posterior(
    excesses: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shapes, scales and their probabilities, arrays of one length."""
    shapes, log_scales = _SHAPES, _LOG_SCALES
    for _ in range(_ZOOMS):
        # The shift keeps every shape from being exactly 0.
        shape = np.linspace(*shapes, _GRID) + 1e-9
        log_scale = np.linspace(*log_scales, _GRID)
        log_mass = _log_posterior(shape, log_scale, excesses, weights)
        likely = log_mass > log_mass.max() - _NEGLIGIBLE
        shapes = _around(shape, likely.any(axis=1), _SHAPES)
        log_scales = _around(log_scale, likely.any(axis=0), _LOG_SCALES)
    mass = np.exp(log_mass - log_mass.max())
    grid = np.meshgrid(shape, np.exp(log_scale), indexing="ij")
    return *(values.ravel() for values in grid), (mass / mass.sum()).ravel()


def _log_posterior(
    shape: np.ndarray, log_scale: np.ndarray, excesses: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the unnormalised log posterior on a grid of shapes and scales."""
    log_mass = np.empty((len(shape), len(log_scale)))
    relative = excesses / np.exp(log_scale)[:, np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        for place, xi in enumerate(shape):  # one by one: little memory
            logs = np.log1p(np.maximum(xi * relative, -1.0)) @ weights
            log_mass[place] = -weights.sum() * log_scale - (1 + 1 / xi) * logs
            log_mass[place] -= (xi / _SHAPE_SPREAD) ** 2 / 2
    # With a shape of at least -1/2, an impossible excess has the log -inf.
    return np.where(np.isfinite(log_mass), log_mass, -np.inf)


def _around(
    values: np.ndarray, likely: np.ndarray, limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the range of the likely values, and one step to each side."""
    step = values[1] - values[0]
    inside = values[likely]
    return max(limits[0], inside[0] - step), min(limits[1], inside[-1] + step)

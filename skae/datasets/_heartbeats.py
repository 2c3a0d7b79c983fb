"""Generated heartbeats: an outlier task that needs no download.

A beat is a table of waves: angle, height and width of each. Normal variability and
every kind of outlier change the table; only `voltage` turns tables into voltages.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from skae._validation import Interval, validate_params

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    # A row per beat, a column per wave, and the fields angle, height and width.
    Beats = np.recarray[Any, Any]

FIELDS = [("angle", float), ("height", float), ("width", float)]
WAVES = ("P", "Q", "R", "notch", "S", "ST", "T")
P, Q, R, NOTCH, S, ST, T = range(len(WAVES))
VENTRICLES = [Q, R, NOTCH, S]  # the waves of the QRS complex

# Table I of McSharry et al. (2003), with two silent waves added, which some kinds of
# outlier wake up: a second peak of the QRS complex, and the segment between S and T.
ANGLE = np.array([-1 / 3, -1 / 12, 0, 1 / 9, 1 / 12, 1 / 4, 1 / 2]) * np.pi
STRENGTH = np.array([1.2, -5.0, 30.0, 0.0, -7.5, 0.0, 0.75])
WIDTH = np.array([0.25, 0.1, 0.1, 0.1, 0.1, 0.22, 0.4])
# The integral of the model's Gaussian derivative has this height; R is 1 mV.
HEIGHT = STRENGTH * WIDTH**2 / (STRENGTH[R] * WIDTH[R] ** 2)

# With the heart rate, intervals change less than the cycle does: the exponents of
# sqrt(rate / 60 per minute) by which ECGSYN multiplies the angles.
ANGLE_EXPONENT = np.array([0.5, 1, 0, 1, 1, 0.5, 0.5])

# Beat-to-beat variability of a healthy recording.
RATE, RATE_SPREAD, RATE_LIMITS = 75.0, 0.2, (45.0, 130.0)  # per minute
GAIN_SPREAD = 0.15  # all waves together: breathing, electrodes
HEIGHT_SPREAD, WIDTH_SPREAD = 0.12, 0.07  # each wave by itself
ANGLE_SPREAD = 0.03 * np.array([1, 0.3, 0, 0.3, 0.3, 1, 1])
TRIGGER_SPREAD = 0.02  # seconds by which the window misses R
WANDER, BREATHING = 0.1, 0.25  # mV and Hz of the baseline
WINDOW = (-0.3, 0.45)  # seconds around R


def _widen_qrs(beats: Beats, factor: Floats) -> None:
    """Stretch the QRS complex about R."""
    beats.width[:, VENTRICLES] *= factor[:, None]
    beats.angle[:, VENTRICLES] *= factor[:, None]


def _premature_ventricular(beats: Beats, severity: Floats) -> None:
    """No P, a wide and tall QRS, a T of the other sign."""
    _widen_qrs(beats, 1.6 + 0.9 * severity)
    beats.height[:, P] = 0.0
    beats.height[:, R] *= 1.0 + 0.3 * severity
    beats.height[:, T] *= -(0.6 + 0.6 * severity)


def _bundle_branch_block(beats: Beats, severity: Floats) -> None:
    """One ventricle late: a QRS with two peaks, wider, S after the second."""
    _widen_qrs(beats, 1.1 + 0.4 * severity)
    beats.height[:, NOTCH] = (0.4 + 0.3 * severity) * beats.height[:, R]
    beats.height[:, R] *= 0.8
    beats.angle[:, S] += beats.angle[:, NOTCH]


def _junctional(beats: Beats, severity: Floats) -> None:
    """Beats that did not start in the atria: P absent or upside down."""
    beats.height[:, P] *= -0.5 * severity


def _st_elevation(beats: Beats, severity: Floats) -> None:
    """Injury current: the segment between S and T above the baseline."""
    beats.height[:, ST] = (0.12 + 0.18 * severity) * beats.height[:, R]


def _st_depression(beats: Beats, severity: Floats) -> None:
    """Ischaemia: the segment between S and T below the baseline."""
    beats.height[:, ST] = -(0.12 + 0.18 * severity) * beats.height[:, R]


def _t_inversion(beats: Beats, severity: Floats) -> None:
    """T upside down."""
    beats.height[:, T] *= -(0.3 + 0.7 * severity)


def _long_qt(beats: Beats, severity: Floats) -> None:
    """Late repolarisation: T comes later than the heart rate explains."""
    beats.angle[:, T] += 0.25 + 0.35 * severity


KINDS = {
    "premature_ventricular": _premature_ventricular,
    "bundle_branch_block": _bundle_branch_block,
    "junctional": _junctional,
    "st_elevation": _st_elevation,
    "st_depression": _st_depression,
    "t_inversion": _t_inversion,
    "long_qt": _long_qt,
}


def _log_normal(
    rng: np.random.Generator, spread: float, shape: int | tuple[int, int]
) -> Floats:
    """Draw factors around 1."""
    return np.exp(spread * rng.standard_normal(shape))


def voltage(beats: Beats, rate: Floats, time: Floats) -> Floats:
    """Return the voltages in mV of beats with heart rates, each at its own times."""
    factor = np.sqrt(rate / 60.0)[:, None]
    angle = beats.angle * factor**ANGLE_EXPONENT
    width = beats.width * factor
    phase = 2 * np.pi * rate[:, None] / 60.0 * time
    total = np.zeros_like(phase)
    # One by one: an array of beats by waves by times does not fit into a CPU's cache.
    for wave in range(len(WAVES)):
        height = beats.height[:, wave]
        rows = np.flatnonzero(height)  # silent waves cost nothing
        scaled = (phase[rows] - angle[rows, wave, None]) / width[rows, wave, None]
        total[rows] += height[rows, None] * np.exp(-0.5 * scaled**2)
    return total


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_timesteps": [Interval(Integral, 2, None, closed="left")],
        "outlier_fraction": [Interval(Real, 0, 1, closed="left")],
        "kinds": ["array-like", None],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
        "return_kinds": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_heartbeats(
    n_samples: int = 5000,
    *,
    n_timesteps: int = 140,
    outlier_fraction: float = 0.2,
    kinds: Iterable[str] | None = None,
    noise: float = 0.025,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
    return_kinds: bool = False,
) -> tuple[Floats, NDArray[np.int64], *tuple[NDArray[Any], ...]]:
    r"""Generate heartbeats of an electrocardiogram, some of them abnormal.

    Every row is one beat, cut out around its R wave. Normal beats differ in heart
    rate, in the sizes and places of their waves, in how well R was found, in baseline
    and noise; abnormal beats in one thing that a cardiologist would name. The normal
    rows lie on a curved surface: a detector which follows it beats one which lays a
    plane through it. The beats serve software, not medicine.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of beats.
    n_timesteps : int, default=140
        Number of equally spaced times from 0.3 s before R to 0.45 s after it.
    outlier_fraction : float, default=0.2
        Share of abnormal beats, in [0, 1). Exactly ``round(outlier_fraction *
        n_samples)`` beats are abnormal.
    kinds : array-like of str, default=None
        Kinds of abnormal beat, in equal shares; None means all of them.

        - `"premature_ventricular"`: no P, wide QRS, T of the other sign.
        - `"bundle_branch_block"`: QRS with two peaks.
        - `"junctional"`: P absent or upside down.
        - `"st_elevation"`, `"st_depression"`: the segment from S to T is above, or
          below, the baseline.
        - `"t_inversion"`: T upside down.
        - `"long_qt"`: T late for the heart rate.
    noise : float, default=0.025
        Standard deviation of the white measurement noise, in mV.
    random_state : int, RandomState instance, Generator or None, default=None
        Pass an int for the same beats at every call. None draws fresh entropy; the
        global random state is never used.
    return_kinds : bool, default=False
        Whether to return each beat's kind, too.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps)
        Voltages in mV; the R wave of a typical beat is 1 mV high.
    y : ndarray of shape (n_samples,)
        +1 for normal beats, -1 for abnormal ones, in random order.
    kinds : ndarray of shape (n_samples,)
        Each beat's kind, `"normal"` included. Only with `return_kinds=True`.

    Raises
    ------
    ValueError
        If `kinds` is empty or holds an unknown name.

    Notes
    -----
    McSharry et al. [1]_ let the voltage :math:`z` follow a phase :math:`\theta`:

    .. math::

        \dot z = -\sum_i a_i \omega \Delta\theta_i
        \exp\left(-\frac{\Delta\theta_i^2}{2 b_i^2}\right) - (z - z_0),
        \qquad \Delta\theta_i = \theta - \theta_i .

    Without the slow term :math:`z - z_0` the integral is a sum of Gaussians with
    heights :math:`a_i b_i^2`, which is evaluated directly and scaled so that R is 1 mV
    high; the baseline :math:`z_0`, a sine at the rate of breathing, is added to it.
    Angles and widths follow the heart rate as in ECGSYN [2]_: with :math:`h` beats per
    minute the widths, and the angles of Q and S, grow with :math:`\sqrt{h / 60}`, the
    angles of P and T with its square root, while the time of a cycle shrinks with
    :math:`1 / h`. So waves move and stretch in time, which no linear model of voltages
    can follow with few components.

    References
    ----------
    .. [1] P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith, "A dynamical
       model for generating synthetic electrocardiogram signals", IEEE Transactions on
       Biomedical Engineering 50(3), 2003, :doi:`10.1109/TBME.2003.808805`.
    .. [2] P. E. McSharry, G. D. Clifford, "ECGSYN: a realistic ECG waveform
       generator", PhysioNet, 2003.

    Examples
    --------
    >>> from skae.datasets import make_heartbeats
    >>> X, y = make_heartbeats(n_samples=100, random_state=0)
    >>> X.shape
    (100, 140)
    >>> int((y == -1).sum())
    20
    """
    names = list(KINDS) if kinds is None else list(dict.fromkeys(map(str, kinds)))
    if not names or not set(names) <= set(KINDS):
        raise ValueError(
            f"kinds must name at least one kind of outlier, each one of {list(KINDS)},"
            f" but it is {names!r}. Leave it None for all of them."
        )
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state._bit_generator  # as NumPy does from 2.2 on
    rng = np.random.default_rng(random_state)
    n_outliers = round(outlier_fraction * n_samples)
    outliers = np.resize(np.array(names, dtype=object), n_outliers)
    normals = np.full(n_samples - n_outliers, "normal", dtype=object)
    drawn = rng.permutation(np.concatenate([outliers, normals])).astype(str)

    shape = (n_samples, len(WAVES))
    gain = _log_normal(rng, GAIN_SPREAD, (n_samples, 1))
    # Healthy beats: the published table with each beat's own variability.
    angle = ANGLE + ANGLE_SPREAD * rng.standard_normal(shape)
    height = HEIGHT * gain * _log_normal(rng, HEIGHT_SPREAD, shape)
    width = WIDTH * _log_normal(rng, WIDTH_SPREAD, shape)
    beats: Beats = np.rec.fromarrays([angle, height, width], dtype=FIELDS)
    for name in names:
        rows = np.flatnonzero(drawn == name)
        changed: Any = beats[rows]
        KINDS[name](changed, rng.uniform(0.0, 1.0, len(rows)))
        beats[rows] = changed

    missed = TRIGGER_SPREAD * rng.standard_normal((n_samples, 1))
    time = np.linspace(*WINDOW, n_timesteps) - missed  # of each beat, in s from R
    rate = (RATE * _log_normal(rng, RATE_SPREAD, n_samples)).clip(*RATE_LIMITS)
    X = voltage(beats, rate, time)
    # The baseline moves with breathing.
    size = WANDER * np.abs(rng.standard_normal((n_samples, 1)))
    start = rng.uniform(0.0, 1.0, (n_samples, 1))
    X += size * np.sin(2 * np.pi * (BREATHING * time + start))
    X += noise * rng.standard_normal(X.shape)
    y = np.where(drawn == "normal", 1, -1)
    return (X, y, drawn) if return_kinds else (X, y)

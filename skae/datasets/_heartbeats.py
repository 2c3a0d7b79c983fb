"""Generated heartbeats: an outlier task that needs no download."""

from numbers import Integral, Real

import numpy as np

from skae._validation import Interval, validate_params
from skae.datasets._beats import (
    KINDS,
    baseline,
    draw_rates,
    draw_times,
    normal_beats,
    trace,
)


def _check_kinds(kinds):
    """Return the names of the kinds of outlier to make."""
    names = list(KINDS) if kinds is None else list(dict.fromkeys(map(str, kinds)))
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        raise ValueError(
            f"kinds must name at least one kind of outlier, each one of {list(KINDS)},"
            f" but it is {names!r}. Leave it None for all of them."
        )
    return names


def _draw_kinds(n_samples, n_outliers, kinds, rng):
    """Draw which beat is of which kind; the kinds are as even as they can be."""
    outliers = np.resize(np.array(kinds, dtype=object), n_outliers)
    normals = np.full(n_samples - n_outliers, "normal", dtype=object)
    return rng.permutation(np.concatenate([outliers, normals])).astype(str)


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
    n_samples=5000,
    *,
    n_timesteps=140,
    outlier_fraction=0.2,
    kinds=None,
    noise=0.025,
    random_state=None,
    return_kinds=False,
):
    r"""Generate heartbeats of an electrocardiogram, some of them abnormal.

    Every row is one beat, cut out around its R wave. Normal beats differ in heart
    rate, in the sizes and places of their waves, in how well R was found, in baseline
    and noise; abnormal beats differ in one thing that a cardiologist would name. Use it
    to try an outlier detector where the normal rows lie on a curved surface: a detector
    which follows the surface beats one which lays a plane through it. The beats serve
    software, not medicine.

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

    See Also
    --------
    fetch_ecg5000 : Recorded heartbeats.

    Notes
    -----
    McSharry et al. [1]_ let the voltage :math:`z` follow a phase :math:`\theta`:

    .. math::

        \dot z = -\sum_i a_i \omega \Delta\theta_i
        \exp\left(-\frac{\Delta\theta_i^2}{2 b_i^2}\right) - (z - z_0),
        \qquad \Delta\theta_i = \theta - \theta_i .

    Here :math:`z` is not integrated step by step. Without the slow term
    :math:`z - z_0` the integral is known, a sum of Gaussians with heights
    :math:`a_i b_i^2`, which is evaluated directly and scaled so that R is 1 mV high;
    the baseline :math:`z_0`, a sine at the rate of breathing, is added to it. Angles
    and widths follow the heart rate as in ECGSYN [2]_: with :math:`h` beats per minute
    the widths, and the angles of Q and S, grow with :math:`\sqrt{h / 60}`, the angles
    of P and T with its square root, while the time of a cycle shrinks with
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
    names = _check_kinds(kinds)
    rng = np.random.default_rng(random_state)
    n_outliers = round(outlier_fraction * n_samples)
    drawn = _draw_kinds(n_samples, n_outliers, names, rng)

    beats = normal_beats(n_samples, rng)
    for name in names:
        rows = np.flatnonzero(drawn == name)
        changed = beats[rows]
        KINDS[name](changed, rng.uniform(0.0, 1.0, len(rows)))
        beats[rows] = changed

    time = draw_times(n_samples, n_timesteps, rng)
    X = trace(beats, draw_rates(n_samples, rng), time)
    X += baseline(time, rng)
    X += noise * rng.standard_normal(X.shape)
    y = np.where(drawn == "normal", 1, -1)
    return (X, y, drawn) if return_kinds else (X, y)

"""The dynamical model of a heartbeat, its variability, and what can be wrong with it.

A beat is a table of waves: angle, height and width of each. Normal variability and
every kind of outlier change the table; only `trace` turns tables into voltages.
"""

from dataclasses import dataclass

import numpy as np

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


@dataclass
class Beats:
    """Waves of many beats: each array has a row per beat and a column per wave."""

    angle: np.ndarray
    height: np.ndarray
    width: np.ndarray

    def __getitem__(self, rows):
        """Copy some beats."""
        return Beats(self.angle[rows], self.height[rows], self.width[rows])

    def __setitem__(self, rows, beats):
        """Replace some beats."""
        self.angle[rows] = beats.angle
        self.height[rows] = beats.height
        self.width[rows] = beats.width


def _widen_qrs(beats, factor):
    """Stretch the QRS complex about R."""
    beats.width[:, VENTRICLES] *= factor[:, None]
    beats.angle[:, VENTRICLES] *= factor[:, None]


def _premature_ventricular(beats, severity):
    """No P, a wide and tall QRS, a T of the other sign."""
    _widen_qrs(beats, 1.6 + 0.9 * severity)
    beats.height[:, P] = 0.0
    beats.height[:, R] *= 1.0 + 0.3 * severity
    beats.height[:, T] *= -(0.6 + 0.6 * severity)


def _bundle_branch_block(beats, severity):
    """One ventricle late: a QRS with two peaks, wider, S after the second."""
    _widen_qrs(beats, 1.1 + 0.4 * severity)
    beats.height[:, NOTCH] = (0.4 + 0.3 * severity) * beats.height[:, R]
    beats.height[:, R] *= 0.8
    beats.angle[:, S] += beats.angle[:, NOTCH]


def _junctional(beats, severity):
    """Beats that did not start in the atria: P absent or upside down."""
    beats.height[:, P] *= -0.5 * severity


def _st_elevation(beats, severity):
    """Injury current: the segment between S and T above the baseline."""
    beats.height[:, ST] = (0.12 + 0.18 * severity) * beats.height[:, R]


def _st_depression(beats, severity):
    """Ischaemia: the segment between S and T below the baseline."""
    beats.height[:, ST] = -(0.12 + 0.18 * severity) * beats.height[:, R]


def _t_inversion(beats, severity):
    """T upside down."""
    beats.height[:, T] *= -(0.3 + 0.7 * severity)


def _long_qt(beats, severity):
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


def log_normal(rng, spread, shape):
    """Factors around 1."""
    return np.exp(spread * rng.standard_normal(shape))


def normal_beats(n_samples, rng):
    """Draw healthy beats: the published table with each beat's own variability."""
    shape = (n_samples, len(WAVES))
    gain = log_normal(rng, GAIN_SPREAD, (n_samples, 1))
    return Beats(
        angle=ANGLE + ANGLE_SPREAD * rng.standard_normal(shape),
        height=HEIGHT * gain * log_normal(rng, HEIGHT_SPREAD, shape),
        width=WIDTH * log_normal(rng, WIDTH_SPREAD, shape),
    )


def trace(beats, rate, time):
    """Voltage of beats with heart rates at times (one row per beat), in mV.

    Waves are added one by one: one array of beats by waves by times would not fit into
    the processor's cache.
    """
    factor = np.sqrt(rate / 60.0)[:, None]
    angle = beats.angle * factor**ANGLE_EXPONENT
    width = beats.width * factor
    phase = 2 * np.pi * rate[:, None] / 60.0 * time
    voltage = np.zeros_like(phase)
    for wave in range(len(WAVES)):
        height = beats.height[:, wave]
        rows = np.flatnonzero(height)  # silent waves cost nothing
        scaled = (phase[rows] - angle[rows, wave, None]) / width[rows, wave, None]
        voltage[rows] += height[rows, None] * np.exp(-0.5 * scaled**2)
    return voltage


def draw_rates(n_samples, rng):
    """Draw heart rates, per minute."""
    return (RATE * log_normal(rng, RATE_SPREAD, n_samples)).clip(*RATE_LIMITS)


def draw_times(n_samples, n_timesteps, rng):
    """Draw each beat's times of measurement, in seconds from R."""
    missed = TRIGGER_SPREAD * rng.standard_normal((n_samples, 1))
    return np.linspace(*WINDOW, n_timesteps) - missed


def baseline(time, rng):
    """Slow movement of the baseline with breathing, in mV."""
    shape = (len(time), 1)
    size = WANDER * np.abs(rng.standard_normal(shape))
    start = rng.uniform(0.0, 1.0, shape)
    return size * np.sin(2 * np.pi * (BREATHING * time + start))

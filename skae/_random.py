"""Randomness as an argument: from ``random_state`` to the seeds of one fit.

Nothing here reads or changes a global random state: ``random_state=None`` takes fresh
entropy from the operating system, not from ``numpy.random``'s hidden generator.
"""

from numbers import Integral

import numpy as np

_PURPOSES = (
    "weights",
    "split",
    "order",
    "corruption",
    "calibration",
    "folds",
    "networks",
)


def seed_from(random_state):
    """Return one non-negative integer seed for an int, a RandomState or None.

    An int is its own seed. A ``RandomState`` is advanced by one draw, as scikit-learn's
    estimators do.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(random_state.randint(2**31 - 1))


def stream(seed, purpose, *counters):
    """Return the generator of one purpose: streams never share draws.

    Parameters
    ----------
    seed : int
        The seed of the fit.

    purpose : str
        What the draws are for, one of ``_PURPOSES``.

    *counters : int
        Position within the purpose, the epoch for instance.

    Returns
    -------
    rng : numpy.random.Generator
    """
    # Not [seed, place, *counters] as entropy: that is padded with zeros, so that a
    # stream without a counter would be the one with counter 0.
    key = (_PURPOSES.index(purpose), *counters)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

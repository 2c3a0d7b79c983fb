"""Randomness as an argument: from ``random_state`` to the seeds of one fit.

Nothing here reads or changes a global random state: ``random_state=None`` takes fresh
entropy from the operating system, not from ``numpy.random``'s global generator.
"""

from __future__ import annotations

import numpy as np

_PURPOSES = (
    "weights",
    "split",
    "order",
    "corruption",
    "calibration",
    "folds",
    "networks",
    "compared",
    "rows",
)


def seed_from(random_state: int | np.random.RandomState | None) -> int:
    """Return a non-negative seed: an int itself, or one draw of a RandomState."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)


def stream(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """Return the generator of a fit's seed for a purpose and a place (epoch) in it."""
    # Streams never share draws. So not [seed, place, *counters] as entropy: that is
    # padded with zeros, and no counter would be the counter 0.
    key = (_PURPOSES.index(purpose), *counters)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

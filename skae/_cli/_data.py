"""What the job works on: a table of numbers and, where they are known, its labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skae.datasets import make_heartbeats


class InputError(Exception):
    """The user's input cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True)
class Data:
    """A table whose every column is a number, and who its outliers are.

    Parameters
    ----------
    name : str
        What the report calls the table.

    X : DataFrame of shape (n_samples, n_features)
        float64, finite; its index counts the rows from 0.

    y : ndarray of shape (n_samples,), default=None
        +1 for normal rows, -1 for outliers. None: not known.

    outliers : str, default=None
        Who told which rows are outliers, in words.

    notes : tuple of str, default=()
        What the user may want to know about the table.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray | None = None
    outliers: str | None = None
    notes: tuple[str, ...] = ()


def heartbeats(seed, n_samples=5000):
    """Return labelled heartbeats, which need no download."""
    X, y = make_heartbeats(n_samples, random_state=seed)
    names = [f"t{step}" for step in range(X.shape[1])]
    return Data(
        name="heartbeats (generated)",
        X=pd.DataFrame(X, columns=names),
        y=y,
        outliers="the beats that were generated as abnormal",
    )

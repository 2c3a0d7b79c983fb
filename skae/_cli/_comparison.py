"""The table: how well each detector finds the outliers of rows it has not seen."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from skae.model_selection import compare_detectors

TIMING_REPEATS = 5


@dataclass(frozen=True)
class Column:
    """A column of the table: its key, its title, its format and its better end."""

    key: str
    title: str
    digits: Callable[[float], str]
    best: Callable


def _three_decimals(value):
    return f"{value:.3f}"


def _two_significant(value):
    """Return a time with two significant digits, never as a power of ten."""
    return np.format_float_positional(value, 2, fractional=False, trim="-")


QUALITIES = (
    Column("roc_auc", "ROC AUC", _three_decimals, max),
    Column("average_precision", "avg. precision", _three_decimals, max),
    Column("f1", "F1", _three_decimals, max),
    Column("accuracy", "accuracy", _three_decimals, max),
    Column("precision", "precision", _three_decimals, max),
    Column("recall", "recall", _three_decimals, max),
)
TIMES = (
    Column("fit_seconds", "fit s", _two_significant, min),
    Column("ms_per_row", "ms/row", _two_significant, min),
)


def compare(found, X, y, split):
    """Return a table with a row for each fitted pipeline.

    Parameters
    ----------
    found : list of Found

    X : DataFrame of shape (n_samples, n_features)
        All rows.

    y : ndarray of shape (n_samples,)
        +1 and -1; outliers are the positive class of all metrics.

    split : tuple of (ndarray, ndarray)
        Positions of the rows that they were searched and fitted on, and of those that
        none of them has seen.

    Returns
    -------
    table : DataFrame
    """
    # They are fitted already, and their seconds are known.
    fitted = {one.name: FrozenEstimator(one.pipeline) for one in found}
    table = compare_detectors(fitted, X, y, cv=[split])
    X_test = X.iloc[split[1]]
    return table[[column.key for column in QUALITIES]].assign(
        fit_seconds=[one.fit_seconds for one in found],
        ms_per_row=[
            milliseconds_per_row(one.pipeline.predict, X_test) for one in found
        ],
    )


def milliseconds_per_row(predict, X):
    """Return the median time of a call on all rows, divided by their number."""
    seconds = []
    for _ in range(TIMING_REPEATS):
        start = time.perf_counter()
        predict(X)
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds) / len(X)


def format_table(table):
    """Return the table as text; a star marks the best of each column."""
    columns = {
        column.title: _starred(column, table[column.key])
        for column in (*QUALITIES, *TIMES)
    }
    text = pd.DataFrame(columns, index=list(table.index))
    return text.to_string()


def _starred(column, values):
    """Return numbers as text; what reads alike shares the star."""
    shown = [column.digits(value) for value in values]
    best = column.digits(column.best(values))
    return [text + ("*" if text == best else " ") for text in shown]


def verdict(table):
    """Return in words where the first method of the table wins, and where it loses.

    Numbers that read alike in the table are level.
    """
    name, rivals = table.index[0], table.index[1:]
    ahead, behind = [], []
    for column in QUALITIES:
        values = table[column.key]
        rival = values[rivals].idxmax()
        own, other = (column.digits(values[one]) for one in (name, rival))
        if own == other or values[name] > values[rival]:
            ahead.append(column.title)
        else:
            behind.append(f"{column.title} ({own}, {rival} {other})")
    if not behind:
        return f"The {name} is best, or level with the best, in every quality."
    if not ahead:
        return f"The {name} is behind in every quality: {', '.join(behind)}."
    return (
        f"The {name} is best, or level with the best, in {', '.join(ahead)}. It is "
        f"behind in {', '.join(behind)}."
    )

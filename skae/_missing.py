"""Missing entries (NaN) in arrays: masks, means over observed entries, and checks.

An estimator with ``allow_nan=True`` leaves missing entries out of its scaler, its loss
and its errors. The network's inputs have the training mean in their place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

# Squares of numbers up to 2 to its power, in sums of many, are far from overflow.
_LARGE_EXPONENT = 300


@contextlib.contextmanager
def advising_allow_nan() -> Iterator[None]:
    """Add to an error about NaN how missing entries are allowed."""
    try:
        with np.errstate(all="ignore"):  # the sum that looks for NaN may overflow
            yield
    except ValueError as exc:
        if "contains NaN" not in str(exc):
            raise
        raise ValueError(
            f"{exc}\nOr set allow_nan=True and fit: missing entries are then left out."
        ) from exc


def has_missing(*arrays: np.ndarray | None) -> bool:
    """Return whether any of the arrays, which may be None, has a missing entry."""
    return any(array is not None and np.isnan(array).any() for array in arrays)


def extremes(
    array: np.ndarray, axis: int | tuple[int, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest observed value; NaN where none is observed."""
    return np.fmin.reduce(array, axis=axis), np.fmax.reduce(array, axis=axis)


def counted_rows(table: Any, allow_nan: bool, at_least: int) -> Any:
    """Return a table without rows of weight 0, and without an observed target."""
    if table.weight is not None:
        kept = table.weight > 0
        if kept.sum() < at_least:
            raise ValueError(
                f"sample_weight leaves {kept.sum()} of {len(kept)} rows to train on; "
                f"at least {at_least} need a positive weight."
            )
        table = table.take(kept)
    if not allow_nan:
        return table
    name, targets = ("X", table.X) if table.y is None else ("y", table.y)
    kept = ~_empty_rows(targets)
    if kept.sum() < at_least:
        raise ValueError(
            f"{name} has an observed value in {kept.sum()} of {len(kept)} rows; "
            f"at least {at_least} are needed. Pass rows that are not wholly missing."
        )
    return table.take(kept)


def check_columns_observed(array: np.ndarray, name: str) -> None:
    """Raise a ValueError where a column (channel of n-D rows) is never observed."""
    observed = ~np.isnan(array).all(axis=(*range(array.ndim - 1),))
    if observed.all():
        return
    kind, first = "column" if array.ndim == 2 else "channel", observed.argmin()
    raise ValueError(
        f"{kind} {first} of {name} has no observed value in the {len(array)} training "
        f"rows ({(~observed).sum()} of {len(observed)} have none), so that nothing can "
        f"be learned about it. Leave it out."
    )


def mean_of_observed(x: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return each column's (channel's) float64 mean; 0 where nothing is observed."""
    observed = ~np.isnan(x)
    axes = (*range(x.ndim - 1),)
    if weight is None and observed.all():
        return x.mean(axis=axes, dtype=np.float64)
    if weight is None:
        count = observed.sum(axis=axes)
        total = x.sum(axis=axes, dtype=np.float64, where=observed)
    else:
        copies = weight.astype(np.float64).reshape(-1, *[1] * (x.ndim - 1))
        count = (copies * observed).sum(axis=axes)
        total = (copies * np.where(observed, x, 0)).sum(axis=axes)
    return np.divide(total, count, out=np.zeros(total.shape), where=count > 0)


def entry_weights(
    targets: np.ndarray,  # float32, of shape (n, k)
    weight: np.ndarray | None,  # float32, of shape (n,)
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and entries' weights for a loss, both 0 at missing targets."""
    # The mean over all entries with these weights is the mean over rows, by their
    # weights, of the mean over a row's observed entries.
    observed = ~np.isnan(targets)
    count = np.maximum(observed.sum(axis=1, dtype=np.float32), 1)
    share = np.float32(targets.shape[1]) / count
    if weight is not None:
        share = share * weight
    zero = np.float32(0)
    return np.where(observed, targets, zero), np.where(observed, share[:, None], zero)


def filled_inputs(
    x: np.ndarray, damaged: np.ndarray, fill: np.ndarray | float
) -> np.ndarray:
    """Return damaged inputs, filled where x is missing."""
    # A corruption may put another row's missing value for an observed one: that stays.
    damaged = np.where(np.isnan(damaged), x, damaged)
    return np.where(np.isnan(x), fill, damaged)


def check_rows_observed(array: np.ndarray, name: str) -> None:
    """Raise a ValueError where a row has no observed value, and so no error."""
    empty = np.flatnonzero(_empty_rows(array))
    if len(empty):
        raise ValueError(
            f"row {empty[0]} of {name} has no observed value, and so no reconstruction "
            f"error ({len(empty)} of {len(array)} rows have none). Leave such rows out."
        )


def mean_over_observed(errors: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return each row's mean over its observed entries; overwrites the others by 0."""
    errors[missing] = 0.0
    return errors.reshape(len(errors), -1).sum(axis=1) / n_observed(missing)


def n_observed(missing: np.ndarray) -> np.ndarray:
    """Return the number of observed entries of each row."""
    return (~missing.reshape(len(missing), -1)).sum(axis=1)


@np.errstate(over="ignore")  # a user's scaler may have an inverse that explodes
def goodness_of_observed(
    y: np.ndarray,
    outputs: Iterable[tuple[slice, np.ndarray]],  # rows and their outputs, in blocks
    weight: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return (mse, r2) over the observed entries of targets."""
    # mse is the mean over rows of the mean over a row's entries; in r2, features count
    # by their variance.
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    y = y.reshape(len(y), -1).astype(np.float64, copy=False)
    # In units in which squares are finite numbers; of 2, so that nothing is rounded.
    exponent = int(np.frexp(np.fmax.reduce(np.abs(y), axis=None))[1])
    unit = 2.0 ** (exponent if exponent > _LARGE_EXPONENT else 0)
    y = y / unit
    observed = ~np.isnan(y)
    if not observed[weight > 0].any():
        raise ValueError(
            f"none of the {len(y)} target rows that count has an observed value, so "
            "that there is nothing to compare with. Pass rows with some."
        )
    # Deviations from the first observed value: a constant column has none at all.
    first = np.take_along_axis(y, observed.argmax(axis=0)[None], axis=0)
    mean = mean_of_observed(y - first, weight)
    errors, counts = np.zeros(len(y)), observed.sum(axis=1)
    spread = 0.0
    for rows, output in outputs:
        counted = observed[rows]
        output = output.reshape(counted.shape) / unit
        difference = np.where(counted, y[rows] - output, 0.0)
        errors[rows] = np.vecdot(difference, difference)
        deviation = np.where(counted, y[rows] - first - mean, 0.0)
        spread += weight[rows] @ np.vecdot(deviation, deviation)
    mse = np.average(errors / np.maximum(counts, 1), weights=weight * (counts > 0))
    squared, mse = weight @ errors, float(mse) * unit * unit
    if spread == 0:
        return mse, 1.0 if squared == 0 else 0.0
    return mse, float(1 - squared / spread)


def _empty_rows(array: np.ndarray) -> np.ndarray:
    """Return the mask of rows without an observed value."""
    return np.isnan(array).reshape(len(array), -1).all(axis=1)

"""Missing entries (NaN) in arrays: what is observed, what stands for the rest, checks.

An estimator with ``allow_nan=True`` leaves missing entries out of its scaler, its loss
and its errors. The network gets the training mean in their place.
"""

import contextlib
from dataclasses import replace

import numpy as np


@contextlib.contextmanager
def advising_allow_nan():
    """Add to an error about NaN how missing entries are allowed."""
    try:
        yield
    except ValueError as exc:
        if "contains NaN" not in str(exc):
            raise
        raise ValueError(
            f"{exc}\nOr set allow_nan=True and fit: missing entries are then left out."
        ) from exc


def has_missing(*arrays):
    """Return whether any of some arrays, which may be None, has a missing entry."""
    return any(array is not None and np.isnan(array).any() for array in arrays)


def extremes(array, axis=None):
    """Return the smallest and largest observed value; NaN where none is observed."""
    return np.fmin.reduce(array, axis=axis), np.fmax.reduce(array, axis=axis)


# ------------------------------------------------------------------ training rows


def counted_rows(table, *, allow_nan, at_least):
    """Return a table without the rows that do not count in training.

    Those have weight 0, which means absence, or no observed target.

    Parameters
    ----------
    table : Table

    allow_nan : bool
        Whether entries may be missing.

    at_least : int
        Fewer rows are an error.
    """
    weight = table.weight
    if weight is not None and not (weight > 0).all():
        kept = weight > 0
        if kept.sum() < at_least:
            raise ValueError(
                f"sample_weight leaves {kept.sum()} of {len(kept)} rows to train on; "
                f"at least {at_least} need a positive weight."
            )
        table = _chosen(table, kept)
    if not allow_nan:
        return table
    name, targets = ("X", table.X) if table.y is None else ("y", table.y)
    empty = _empty_rows(targets)
    if not empty.any():
        return table
    if (~empty).sum() < at_least:
        raise ValueError(
            f"{name} has an observed value in {(~empty).sum()} of {len(empty)} rows; "
            f"at least {at_least} are needed. Pass rows that are not wholly missing."
        )
    return _chosen(table, ~empty)


def check_columns_observed(array, name):
    """Raise a ValueError where a column (channel of n-D rows) is never observed."""
    observed = ~np.isnan(array).all(axis=(*range(array.ndim - 1),))
    if observed.all():
        return
    kind = "column" if array.ndim == 2 else "channel"
    first = int(np.flatnonzero(~observed)[0])
    raise ValueError(
        f"{kind} {first} of {name} has no observed value in the {len(array)} training "
        f"rows ({(~observed).sum()} of {len(observed)} have none), so that nothing can "
        f"be learned about it. Leave it out."
    )


def mean_of_observed(x, weight=None):
    """Return the mean of each column, or channel of n-D rows, as float64.

    Parameters
    ----------
    x : ndarray of shape (n, *shape)

    weight : ndarray of shape (n,) or None
        A weight of k counts a row k times.

    Returns
    -------
    mean : ndarray of shape (shape[-1],)
        0 where nothing is observed.
    """
    observed = ~np.isnan(x)
    axes = (*range(x.ndim - 1),)
    if weight is None and observed.all():
        return x.mean(axis=axes, dtype=np.float64)
    if weight is None:
        count = observed.sum(axis=axes)
        total = x.sum(axis=axes, dtype=np.float64, where=observed)
    else:
        each = weight.astype(np.float64).reshape(-1, *[1] * (x.ndim - 1))
        count = (each * observed).sum(axis=axes)
        total = (each * np.where(observed, x, 0)).sum(axis=axes)
    return np.divide(total, count, out=np.zeros(total.shape), where=count > 0)


def entry_weights(targets, weight):
    """Return targets without gaps, and the weights that make a loss skip the gaps.

    The mean over all entries with these weights is the mean over rows, by their
    weights, of the mean over a row's observed entries.

    Parameters
    ----------
    targets : float32 ndarray of shape (n, k)

    weight : float32 ndarray of shape (n,) or None

    Returns
    -------
    targets, weights : float32 ndarray of shape (n, k)
        Both 0 where the target is missing.
    """
    observed = ~np.isnan(targets)
    count = np.maximum(observed.sum(axis=1, dtype=np.float32), 1)
    share = np.float32(targets.shape[1]) / count
    if weight is not None:
        share = share * weight
    zero = np.float32(0)
    return np.where(observed, targets, zero), np.where(observed, share[:, None], zero)


def filled_inputs(x, damaged, fill):
    """Return inputs with ``fill`` for what is missing in x: a corruption adds nothing.

    Where a corruption puts a missing value (of another row) for an observed one, the
    observed one stays.
    """
    damaged = np.where(np.isnan(damaged), x, damaged)
    return np.where(np.isnan(x), fill, damaged)


# ----------------------------------------------------------------- fitted networks


def check_rows_observed(array, name):
    """Raise a ValueError where a row has no observed value, and so no error."""
    empty = np.flatnonzero(_empty_rows(array))
    if len(empty):
        raise ValueError(
            f"row {empty[0]} of {name} has no observed value, and so no reconstruction "
            f"error ({len(empty)} of {len(array)} rows have none). Leave such rows out."
        )


def mean_over_observed(errors, missing):
    """Return the mean of each row's errors over its observed entries.

    Parameters
    ----------
    errors : float64 ndarray of shape (n, *shape)
        Overwritten: 0 where an entry is missing.

    missing : ndarray of bool, of errors' shape
    """
    errors[missing] = 0.0
    return errors.reshape(len(errors), -1).sum(axis=1) / n_observed(missing)


def n_observed(missing):
    """Return the number of observed entries of each row."""
    return (~missing.reshape(len(missing), -1)).sum(axis=1)


def goodness_of_observed(y, outputs, weight=None):
    """Return (mse, r2) of outputs for targets that have missing entries.

    Parameters
    ----------
    y : ndarray of shape (n, ...)

    outputs : iterable of (slice, ndarray)
        Rows, and the outputs for them, block by block.

    weight : ndarray of shape (n,) or None

    Returns
    -------
    mse : float
        Mean over rows of the mean squared error of a row's observed entries.

    r2 : float
        Share of the variance of the observed entries that is explained; features count
        by their variance.
    """
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    y = y.reshape(len(y), -1)
    observed = ~np.isnan(y)
    if not observed[weight > 0].any():
        raise ValueError(
            f"none of the {len(y)} target rows that count has an observed value, so "
            "that there is nothing to compare with. Pass rows with some."
        )
    # Deviations from the first observed value: a constant column has none at all.
    first = np.take_along_axis(y, observed.argmax(axis=0)[None], axis=0)
    first = first.astype(np.float64)
    mean = mean_of_observed(y - first, weight)
    errors, counts = np.zeros(len(y)), observed.sum(axis=1)
    spread = 0.0
    for rows, output in outputs:
        seen = observed[rows]
        difference = np.where(seen, y[rows] - output.reshape(seen.shape), 0.0)
        errors[rows] = np.vecdot(difference, difference)
        deviation = np.where(seen, y[rows] - first - mean, 0.0)
        spread += weight[rows] @ np.vecdot(deviation, deviation)
    mse = np.average(errors / np.maximum(counts, 1), weights=weight * (counts > 0))
    squared = weight @ errors
    if spread == 0:
        return float(mse), 1.0 if squared == 0 else 0.0
    return float(mse), float(1 - squared / spread)


def _empty_rows(array):
    """Return the mask of rows without an observed value."""
    return np.isnan(array).reshape(len(array), -1).all(axis=1)


def _chosen(table, kept):
    """Return some rows of a table."""
    parts = {"X": table.X, "y": table.y, "weight": table.weight}
    return replace(
        table, **{k: None if part is None else part[kept] for k, part in parts.items()}
    )

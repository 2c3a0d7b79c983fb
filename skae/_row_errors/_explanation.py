"""The table behind ``ReconstructionOutlierDetector.explain``."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def explanation_table(
    X: NDArray,
    reconstruction: NDArray,
    errors: NDArray[np.float64],  # which sum to a row's
    *,
    index: pd.Index | None,  # labels of the rows; None counts them
    names: Any,  # of the features of 2-D X; None makes them ("x3", "x[3, 0]")
    top_k: int,
) -> pd.DataFrame:
    """Return the features with the largest errors of each row."""
    if not isinstance(top_k, Integral) or isinstance(top_k, bool) or top_k < 1:
        raise ValueError(
            "The 'top_k' parameter of explain must be a positive integer. Got "
            f"{top_k!r} instead."
        )
    import pandas as pd

    n, shape = len(X), X.shape[1:]
    flat_shape = n, prod(shape)
    flat = errors.reshape(flat_shape)
    top_k = min(top_k, flat.shape[1])
    # What is missing has no error, and comes last.
    keys = np.where(np.isnan(X), np.inf, -errors).reshape(flat_shape)
    order = np.argsort(keys, axis=1, kind="stable")[:, :top_k]

    def chosen(values: NDArray) -> NDArray:
        """Return the values of the chosen features."""
        return np.take_along_axis(values.reshape(flat_shape), order, axis=1).ravel()

    # Infinite errors, of absurd values, share alike what there is.
    flat = np.where(np.isinf(flat).any(axis=1, keepdims=True), np.isinf(flat), flat)
    total = np.repeat(flat.sum(axis=1), top_k)
    error = chosen(flat)
    share = np.divide(error, total, out=np.zeros_like(error), where=total > 0)
    rows = pd.RangeIndex(n) if index is None else index
    if isinstance(rows, pd.MultiIndex):
        rows = rows.to_flat_index()  # one column of tuples
    names = feature_names(shape) if names is None else np.asarray(names, dtype=object)
    return pd.DataFrame(
        {
            "row": rows.repeat(top_k),
            "rank": np.tile(np.arange(1, top_k + 1), n),
            "feature": names[order.ravel()],
            "value": chosen(X),
            "reconstruction": chosen(reconstruction),
            "error": chosen(errors),
            "share": share,
        }
    )


def feature_names(shape: tuple[int, ...]) -> NDArray:
    """Return a name for every value of a row: "x3", or "x[3, 0]" for n-D rows."""
    if len(shape) == 1:
        return np.array([f"x{i}" for i in range(shape[0])], dtype=object)
    places = np.ndindex(*shape)
    return np.array([f"x[{', '.join(map(str, p))}]" for p in places], dtype=object)

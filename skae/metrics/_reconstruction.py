"""How far reconstructions are from what they reconstruct.

The public functions check and call a private twin. The twins trust their arguments
and are what detectors call: for one row they take a few microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import gen_batches

from skae._missing import check_rows_observed, mean_over_observed
from skae._validation import StrOptions, check_array, validate_params, with_nan

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Number of float64 values (a megabyte) that fit into a processor's cache: large arrays
# are processed in blocks of rows, which is faster and needs no large temporary.
_BLOCK_SIZE = 2**17

_PARAMETERS = {
    "y_true": ["array-like"],
    "y_pred": ["array-like"],
    "error": [StrOptions({"mse", "mae", "standardized"})],
    "feature_scale": ["array-like", float, int, None],
    "allow_nan": ["boolean"],
}


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def reconstruction_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    error: str = "mse",
    feature_scale: ArrayLike | None = None,
    allow_nan: bool = False,
) -> NDArray[np.float64]:
    r"""Reconstruction error of every row.

    High means anomalous. Detectors compare it with their threshold.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, ...)
        Rows of any shape, or one number per row, and their reconstruction.
    error : {"mse", "mae", "standardized"}, default="mse"
        What is averaged over a row: squared differences, absolute ones, or squared ones
        divided by `feature_scale`.
    feature_scale : array-like of a row's shape, default=None
        Mean squared error of every feature on the training rows, > 0; only for
        ``error="standardized"``.
    allow_nan : bool, default=False
        Whether entries of `y_true` may be missing (NaN), and are left out of the mean.

    Returns
    -------
    errors : ndarray of shape (n_samples,)
        Reconstruction errors >= 0, always float64.

    Raises
    ------
    ValueError
        If an array is empty or not finite, if shapes differ, if `feature_scale` does
        not go with `error`, or if a row of `y_true` has no observed value.

    See Also
    --------
    reconstruction_score : A scorer for searches without labels.

    Notes
    -----
    For a row x of m values and its reconstruction r, the errors are
    :math:`\frac{1}{m} \sum_j (x_j - r_j)^2` ("mse"),
    :math:`\frac{1}{m} \sum_j |x_j - r_j|` ("mae") and
    :math:`\frac{1}{m} \sum_j (x_j - r_j)^2 / s_j` ("standardized").

    Examples
    --------
    >>> from skae.metrics import reconstruction_error
    >>> reconstruction_error([[1, 2], [3, 4]], [[1, 0], [3, 4]])
    array([2., 0.])
    """
    y_true, y_pred = check_pair(y_true, y_pred, allow_nan=allow_nan)
    feature_scale = _check_feature_scale(feature_scale, error, y_true.shape[1:])
    if allow_nan:
        check_rows_observed(y_true, "y_true")
    return _reconstruction_error(y_true, y_pred, error, feature_scale, allow_nan)


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def elementwise_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    error: str = "mse",
    feature_scale: ArrayLike | None = None,
    allow_nan: bool = False,
) -> NDArray[np.float64]:
    """Reconstruction error of every single value.

    It shows where in a row the error comes from: which feature, pixel or time step.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, ...)
        Rows of any shape, or one number per row, and their reconstruction.
    error : {"mse", "mae", "standardized"}, default="mse"
        Squared differences, absolute ones, or squared ones divided by `feature_scale`.
    feature_scale : array-like of a row's shape, default=None
        Mean squared error of every feature on the training rows, > 0; only for
        ``error="standardized"``.
    allow_nan : bool, default=False
        Whether entries of `y_true` may be missing (NaN). Their errors are 0.

    Returns
    -------
    errors : ndarray of y_true's shape
        Errors >= 0, always float64. Their mean over a row's observed entries is its
        `reconstruction_error`.

    Raises
    ------
    ValueError
        If an array is empty or not finite, if shapes differ, or if `feature_scale`
        does not go with `error`.

    Examples
    --------
    >>> from skae.metrics import elementwise_error
    >>> elementwise_error([[1, 2], [3, 4]], [[1, 0], [3, 4]], error="mae")
    array([[0., 2.],
           [0., 0.]])
    """
    y_true, y_pred = check_pair(y_true, y_pred, allow_nan=allow_nan)
    feature_scale = _check_feature_scale(feature_scale, error, y_true.shape[1:])
    errors = _elementwise_error(y_true, y_pred, error, feature_scale)
    if allow_nan:
        errors[np.isnan(y_true)] = 0.0
    return errors


@np.errstate(over="ignore")  # errors of absurd rows are infinite
def _elementwise_error(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    error: str,
    feature_scale: np.ndarray | None = None,
) -> np.ndarray:
    """Return the `elementwise_error` of checked arrays."""
    # The dtype of the subtraction, not of its arguments: no float64 copy of either.
    errors = np.subtract(y_true, y_pred, dtype=np.float64)
    if error == "mae":
        return np.abs(errors, out=errors)
    np.square(errors, out=errors)
    if error == "standardized":
        errors /= feature_scale
    return errors


@np.errstate(over="ignore")  # errors of absurd rows are infinite
def _reconstruction_error(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    error: str,
    feature_scale: np.ndarray | None = None,
    allow_nan: bool = False,
) -> np.ndarray:
    """Return the `reconstruction_error` of checked arrays."""
    how = error, feature_scale, allow_nan
    if y_true.size <= _BLOCK_SIZE:
        return _block_error(y_true, y_pred, *how)
    errors = np.empty(len(y_true))
    rows_per_block = max(1, _BLOCK_SIZE * len(y_true) // y_true.size)
    for rows in gen_batches(len(y_true), rows_per_block):
        errors[rows] = _block_error(y_true[rows], y_pred[rows], *how)
    return errors


def _block_error(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    error: str,
    feature_scale: Any,
    allow_nan: bool,
) -> np.ndarray:
    """Return the error of each row of one block, in as few passes as possible."""
    if allow_nan and (missing := np.isnan(y_true)).any():
        errors = _elementwise_error(y_true, y_pred, error, feature_scale)
        return mean_over_observed(errors, missing)
    # A difference of float32 values loses next to nothing, and takes several times less
    # time, in float32; it is the sum over the row that needs float64.
    is_single = y_true.dtype.char == y_pred.dtype.char == "f"
    dtype = np.float32 if is_single else np.float64
    difference: np.ndarray = np.subtract(y_true, y_pred, dtype=dtype)
    if error == "mae":
        np.abs(difference, out=difference)
    flat = difference.astype(np.float64, copy=False).reshape(len(difference), -1)
    n_values = flat.shape[1]
    if error == "mae":
        # A product with ones is faster than a sum.
        return np.vecdot(flat, np.ones(n_values)) / n_values
    if error == "mse":
        return np.vecdot(flat, flat) / n_values
    np.square(flat, out=flat)
    return np.vecdot(flat, (1 / feature_scale).reshape(-1)) / n_values


def _check_feature_scale(
    feature_scale: ArrayLike | None, error: str, row_shape: tuple[int, ...]
) -> np.ndarray | None:
    """Return `feature_scale` as float64 of the row's shape, or None, or raise."""
    if error != "standardized":
        if feature_scale is not None:
            raise ValueError(
                f"feature_scale is only used by error='standardized', but error is "
                f"{error!r}. Drop feature_scale, or pass error='standardized'."
            )
        return None
    if feature_scale is None:
        raise ValueError(
            "error='standardized' needs feature_scale, but it is None. Pass the mean "
            "squared error of every feature on the training rows, an array of shape "
            f"{row_shape}."
        )
    feature_scale = np.asarray(with_nan(feature_scale), dtype=np.float64)
    if feature_scale.shape != row_shape:
        raise ValueError(
            f"feature_scale must have the shape of a row, {row_shape}, but has shape "
            f"{feature_scale.shape}. Pass one scale per feature."
        )
    if not (np.isfinite(feature_scale).all() and feature_scale.min() > 0):
        raise ValueError(
            "feature_scale must be finite and > 0, but its smallest value is "
            f"{float(feature_scale.min())!r} and its largest "
            f"{float(feature_scale.max())!r}. Give a feature without error a scale of "
            "its own, for instance 1."
        )
    return feature_scale


def check_pair(
    y_true: ArrayLike, y_pred: ArrayLike, *, allow_nan: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return two finite arrays (the first but for NaN) of one shape, or raise."""
    any_shape = {"ensure_2d": False, "allow_nd": True}
    finite = "allow-nan" if allow_nan else True
    y_true = check_array(
        y_true, ensure_all_finite=finite, input_name="y_true", **any_shape
    )
    y_pred = check_array(y_pred, input_name="y_pred", **any_shape)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true and y_pred must have the same shape, but y_true has "
            f"{y_true.shape} and y_pred {y_pred.shape}. Reshape one of them: nothing "
            "is broadcast."
        )
    if y_true.size == 0:
        raise ValueError(
            f"y_true must hold at least one value per row, but has shape "
            f"{y_true.shape}. Remove the axis of length 0."
        )
    return y_true, y_pred

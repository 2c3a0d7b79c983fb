"""The only place that imports scikit-learn's private helpers; checks of inputs.

Parameter constraints are data (``_parameter_constraints`` on every class); ``fit`` of
an estimator and of a threshold rule is decorated with ``fit_context``, which checks
them. Names that scikit-learn may change are imported here and nowhere else.
"""
# ruff: noqa: F401

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context, get_config
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils import check_array as sklearns_check_array
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_container_adapter as container_adapter
from sklearn.utils.parallel import _get_threadpool_controller as threadpool_controller
from sklearn.utils.validation import _check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import check_is_fitted as sklearns_check_is_fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from numpy.typing import ArrayLike

    _Function = TypeVar("_Function", bound=Callable[..., Any])

# Arrays' dtypes are compared with these, which is faster than with NumPy's types.
FLOAT_DTYPES = np.dtype(np.float64), np.dtype(np.float32)
_FEW_VALUES = 1 << 12  # so few are checked faster one by one than by their sum
# Copies of every row, and of one row, that weights may stand for.
_MOST_COPIES, _MOST_OF_ONE = 1e6, 1e15


@contextlib.contextmanager
def needs(package: str, purpose: str, advice: str = "") -> Iterator[None]:
    """Say which package is missing, and how to get it, where the block imports it."""
    try:
        yield
    except ModuleNotFoundError as exc:
        raise ImportError(
            f"{purpose} needs the package {package}, but the module {exc.name!r} is "
            f"not installed. Install it: pip install {package}{advice}"
        ) from exc


@contextlib.contextmanager
def unchanged_on_failure(estimator: Any) -> Iterator[None]:
    """Put all attributes of an estimator back where the block raises, or is stopped."""
    # A shallow copy: what is fitted is replaced, never changed in place, but for the
    # generator from which fits draw their seeds.
    before = dict(vars(estimator))
    rng: Any = before.get("random_state")
    state = rng.get_state() if isinstance(rng, np.random.RandomState) else None
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        if state is not None:
            rng.set_state(state)
        raise


@contextlib.contextmanager
def fitting(estimator: Any, prefer_skip_nested_validation: bool) -> Iterator[None]:
    """Check the parameters of what the block fits, and put all back where it fails."""
    # scikit-learn's `_fit_context` has the first half, but for parameters that were set
    # since the last ``partial_fit``.
    skips = get_config()["skip_parameter_validation"]
    if not skips:
        estimator._validate_params()
    skips |= prefer_skip_nested_validation
    context = config_context(skip_parameter_validation=skips)
    with context, unchanged_on_failure(estimator):
        yield


def fit_context(
    *, prefer_skip_nested_validation: bool
) -> Callable[[_Function], _Function]:
    """Return a decorator of methods that fit: they check parameters, fail cleanly."""

    def decorated(method: Any) -> Any:
        @functools.wraps(method)
        def checked(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            with fitting(estimator, prefer_skip_nested_validation):
                return method(estimator, *args, **kwargs)

        return checked

    return decorated


def with_nan(array: Any) -> Any:
    """Return what came, but masked entries (``numpy.ma``) as NaN."""
    if isinstance(array, (list, tuple)) and any(map(np.ma.isMaskedArray, array)):
        array = np.ma.asarray(array)
    if not np.ma.isMaskedArray(array):
        return array
    if not np.ma.is_masked(array):
        return array.data
    # Integers hold no NaN.
    return np.ma.filled(array * 1.0 if array.dtype.kind in "biu" else array, np.nan)


def check_array(array: Any, **kwargs: Any) -> np.ndarray:
    """Return a checked array, as scikit-learn's function does; masked entries count."""
    with np.errstate(all="ignore"):  # the sum that looks for NaN may overflow
        return sklearns_check_array(with_nan(array), **kwargs)


def check_outlier_labels(y: ArrayLike, *, name: str = "y") -> np.ndarray:
    """Return the labels +1 (normal) and -1 (outlier) as a 1-D array, or raise."""
    labels = column_or_1d(with_nan(y))
    valid = (labels == 1) | (labels == -1)
    # True equals 1: an array of booleans would pass where it holds no False.
    if labels.dtype != bool and valid.all():
        return labels
    found = list(dict.fromkeys(labels.tolist()))
    if set(found) <= {0, 1}:
        advice = f"If 1 marks the outliers, pass np.where({name} == 1, -1, 1)."
    else:
        advice = "Map outliers to -1 and all other rows to +1."
    shown = ", ".join(map(repr, found[:5])) + (" and others" if found[5:] else "")
    raise ValueError(
        f"{name} must hold only the labels +1 (normal) and -1 (outlier), but holds "
        f"{shown}. {advice}"
    )


def check_sample_weight(sample_weight: ArrayLike, X: Any) -> np.ndarray:
    """Return one weight >= 0 for each row of X in copies, float64; not all are 0."""
    given = with_nan(sample_weight)
    with np.errstate(all="ignore"):
        weights = _check_sample_weight(
            given, X, dtype=np.float64, copy=True, ensure_non_negative=True
        )
    if not weights.any():  # scikit-learn refuses these from 1.9 on
        raise ValueError("Sample weights must contain at least one non-zero number.")
    lowest, highest = weights.min(initial=np.inf, where=weights > 0), weights.max()
    # Weights that sum to 1 are not "one copy of the whole sample", and huge ones are no
    # counts: where only ratios can be meant, the heaviest row counts as one.
    if highest < 1 or lowest > _MOST_COPIES or highest > _MOST_OF_ONE:
        weights = weights / highest
    return weights


def check_dense(X: Any) -> None:
    """Raise a TypeError where X is sparse, with more words than scikit-learn's."""
    if hasattr(X, "toarray"):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required: a network "
            "reconstructs every value, zeros included. Use X.toarray(), or make it "
            "dense where it comes from, as OneHotEncoder(sparse_output=False) does."
        )


def check_parameters(described: Any) -> None:
    """Raise where a network, corruption or rule has an impossible parameter."""
    # scikit-learn skips the checks of nested objects while an estimator fits.
    validate_parameter_constraints(
        getattr(described, "_parameter_constraints", {}),
        described.get_params(deep=False),
        caller_name=type(described).__name__,
    )
    if hasattr(described, "check"):
        described.check()


def normal_rows(
    y: ArrayLike | None, X: np.ndarray, name: str, *, at_least: int
) -> np.ndarray:
    """Return the mask of rows that are not labelled -1; fewer are an error."""
    if y is None:
        return np.ones(len(X), dtype=bool)
    labels = check_array(y, ensure_2d=False, dtype=None, input_name=name)
    labels = labels.reshape(len(labels), -1)
    if labels.shape[1] != 1:
        raise ValueError(
            f"{name} has shape {np.shape(y)}, but must hold one label per row, of "
            "shape (n_samples,)."
        )
    check_consistent_length(X, labels)
    normal = labels[:, 0] != -1
    if normal.sum() < at_least:
        raise ValueError(
            f"{name} labels all but {normal.sum()} of {len(X)} rows as outliers (-1), "
            f"but at least {at_least} normal rows (any other label) are needed."
        )
    if normal.all() and len(found := Counter(labels[:, 0].tolist()).most_common()) == 2:
        common, rare = (repr(label) for label, _ in found)
        warnings.warn(
            f"{name} holds the labels {common} and {rare}, but no -1: all rows are "
            f"taken as normal. If {rare} marks the outliers, pass "
            f"np.where({name} == {rare}, -1, 1).",
            UserWarning,
            stacklevel=4,  # the caller of a decorated fit
        )
    return normal


def is_checked(X: Any, row_shape: tuple[int, ...], min_samples: int) -> bool:
    """Return whether scikit-learn's validation would return X as it is."""
    # That validation takes longer than scoring a row. All unusual input is left to it,
    # with its messages.
    if (
        type(X) is not np.ndarray
        or X.dtype not in FLOAT_DTYPES
        or X.shape[1:] != row_shape
        or len(X) < min_samples
        or not X.flags.c_contiguous
    ):
        return False
    if X.size < _FEW_VALUES:
        return np.count_nonzero(np.isfinite(X)) == X.size
    with np.errstate(over="ignore", invalid="ignore"):
        # Where the sum overflows, scikit-learn checks the entries.
        return math.isfinite(np.add.reduce(X, axis=None))


def check_is_fitted(estimator: Any) -> None:
    """Raise a NotFittedError where an estimator of skae is not fitted."""
    # scikit-learn's function reads all tags of the estimator first, which is slow.
    if not estimator.__sklearn_is_fitted__():
        sklearns_check_is_fitted(estimator)


@contextlib.contextmanager
def unchanged_by_failure(estimator: Any) -> Iterator[None]:
    """Give an estimator its attributes back where what is done to it fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise

"""Scalers as the estimators use them: rows of any shape in, rows of that shape out.

They are the named scalers (an affine map), a user's transformer (on flattened rows),
and the identity. Users find them as an estimator's ``scaler_``, so they take any
array-like, and check its shape.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skae._missing import extremes, has_missing
from skae._scalers._units import share_a_unit
from skae._validation import FLOAT_DTYPES, with_nan

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike
    from sklearn.preprocessing import StandardScaler

# A column whose values differ by no more than some rounding is constant.
_ROUNDINGS = 10
# Mean squared errors of such values are no finite numbers.
_TOO_LARGE = 1e100
# Copies of the rows that are made for a transformer without weights, at most.
_MOST_COPIES = 1000
# Rounding in float32, as a share of the scale, with which rows say something still.
_MOST_ROUNDING = 0.2
# Numbers from which moments are learned at a time: larger arrays need little memory.
_BLOCK_NUMBERS = 1 << 20


def fitted_scaler(scaler: Any, X: np.ndarray, weight: np.ndarray | None = None) -> Any:
    """Return the fitted scaler of a value of the parameter."""
    if scaler is None:
        return IdentityScaler()
    if not isinstance(scaler, str):
        return TransformerScaler(scaler).fit(X, weight)
    weight = None if weight is None else _near_one(weight)
    if scaler == "auto":
        scaler = "common" if share_a_unit(X, weight) else "standard"
    unfitted = CommonScaler() if scaler == "common" else ChannelScaler(scaler)
    return unfitted.fit(X, weight)


def is_affine(scaler: Any) -> bool:
    """Return whether a fitted scaler computes in NumPy alone, without a user's code."""
    return isinstance(scaler, (IdentityScaler, ChannelScaler, CommonScaler))


def scaler_state(scaler: Any) -> dict[str, Any] | None:
    """Return plain values and arrays of a fitted scaler, None of a user's."""
    state = {"class": type(scaler).__name__, **vars(scaler)}
    return state if is_affine(scaler) else None


def scaler_of(state: dict[str, Any]) -> Any:
    """Return the fitted scaler of a state."""
    classes = IdentityScaler, ChannelScaler, CommonScaler
    cls = next(one for one in classes if one.__name__ == state["class"])
    scaler = cls.__new__(cls)
    vars(scaler).update({name: state[name] for name in state if name != "class"})
    return scaler


class IdentityScaler(BaseEstimator):
    """The scaler of ``scaler=None``: changes nothing."""

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return X."""
        return _as_float(X)

    inverse_transform = transform


class _AffineScaler(BaseEstimator):
    """Base of the scalers that subtract ``center_`` and divide by ``scale_``."""

    center_: np.ndarray  # float64, as scale_
    scale_: np.ndarray
    # For float32 rows: the center, rounded where nothing varies, and where float32 lost
    # what varies in the float64 rows of fit, None for nowhere.
    _center_in_float32: np.ndarray
    _lost: np.ndarray | None
    # The axes of X that center_ has, and the words for their shape.
    _axes: slice
    _described: str

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return scaled rows, in X's float type; computed in float64."""
        # So that float32 rows are scaled as their float64 copies are, to rounding:
        # center and scale may have more digits, or be larger, than float32 holds.
        X = self._checked(X)
        if X.dtype == np.float64:
            with np.errstate(over="ignore"):  # absurd rows are infinitely far away
                scaled = X - self.center_[np.newaxis]  # no broadcasting of one row
                scaled /= self.scale_[np.newaxis]
            return scaled
        if self._lost is not None:
            raise self._rounding_error()
        with np.errstate(over="ignore"):
            scaled = X - self._center_in_float32[np.newaxis]
            scaled /= self.scale_[np.newaxis]
        return _rounded(scaled, X.dtype)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return rows in the original units, in X's float type."""
        X = self._checked(X)
        with np.errstate(over="ignore", invalid="ignore"):
            original = X * self.scale_[np.newaxis]
            original += self.center_[np.newaxis]
        return original if X.dtype == np.float64 else _rounded(original, X.dtype)

    def _learn(
        self, X: np.ndarray, center: np.ndarray, scale: np.ndarray, varies: np.ndarray
    ) -> Self:
        """Keep center and scale of rows, and what float32 rows would lose."""
        self.center_, self.scale_ = center, scale
        rounding = np.finfo(np.float32).eps * np.abs(center)
        loses = (rounding > _MOST_ROUNDING * scale) & (X.dtype == np.float64)
        self._lost = loses & varies if (loses & varies).any() else None
        in_float32 = _rounded(center, FLOAT_DTYPES[1])
        self._center_in_float32 = np.where(loses & ~varies, in_float32, center)
        return self

    def _rounding_error(self) -> ValueError:
        """Return the error about float32 rows that lost what varies."""
        lost = np.asarray(self._lost)
        place = np.unravel_index(lost.argmax(), lost.shape)
        scale = np.broadcast_to(self.scale_, lost.shape)[place]
        return ValueError(
            f"X is float32, which rounds values near {self.center_[place]:.9g} too "
            f"much: the rows of fit, float64, differ by about {scale:.3g} there "
            f"(at {', '.join(map(str, place))} of a row). Pass float64 rows, or "
            "subtract a constant from both."
        )

    def _checked(self, X: ArrayLike) -> np.ndarray:
        """Return X as floats, or raise."""
        X, center = _as_float(X), self.center_
        if X.shape[self._axes] != center.shape or X.ndim < 2:
            raise ValueError(
                f"X has shape {X.shape}, but this scaler was fitted on rows "
                f"{self._described.format(center.shape)}. Pass rows of that shape."
            )
        return X


class ChannelScaler(_AffineScaler):
    """Scales each column of 2-D X, or each channel (last axis) of n-D X.

    ``kind`` is "standard" (zero mean, unit variance) or "minmax" (range [0, 1]).
    ``center_`` and ``scale_`` have shape (n_channels,); a constant channel has scale 1.
    """

    _axes, _described = slice(-1, None), "whose last axis has length {0[0]}"

    def __init__(self, kind: str) -> None:  # no default, so that repr shows it
        self.kind = kind

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn center and scale of rows of shape (n, *shape)."""
        if self.kind == "minmax":
            center, scale, varies = _low_and_range(X.reshape(-1, X.shape[-1]))
        else:
            learned = _standard_scaler(X, X.shape[-1], sample_weight)
            center = learned.mean_.astype(np.float64)
            # A constant column has scale 1 there; so has one whose variance overflows.
            scale = np.where(np.isfinite(learned.var_), learned.scale_, np.inf)
            with np.errstate(invalid="ignore"):  # a variance that overflowed
                varies = learned.scale_ == np.sqrt(learned.var_)
        _check_size(self.kind, X, center, scale)
        return self._learn(X, center, scale, varies)


class CommonScaler(_AffineScaler):
    """Centers every value of a row, and divides all of them by one scale.

    ``center_`` has the shape of a row: the mean of each value. ``scale_`` is the
    standard deviation from these means: one for all columns of 2-D X, and one for each
    channel (last axis) of n-D X; where nothing varies, it is 1.
    """

    _axes, _described = slice(1, None), "of shape {}"

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn center and scale of rows of shape (n, *shape)."""
        row_shape = X.shape[1:]
        channels = tuple(range(X.ndim - 2)) if X.ndim > 2 else (0,)
        learned = _standard_scaler(X, X[:1].size, sample_weight)
        with np.errstate(all="ignore"):
            # There, a column whose deviation is mere rounding has another scale.
            deviations = np.sqrt(learned.var_)
            is_constant = np.isfinite(deviations) & (learned.scale_ != deviations)
            variances = np.where(is_constant, 0.0, deviations).reshape(row_shape) ** 2
            scale = np.sqrt(_mean_of_known(variances, channels)).reshape(-1)
            # Of places that are never observed: that of the channel's others.
            means = learned.mean_.astype(np.float64).reshape(row_shape)
            usual = _mean_of_known(means, channels)
        center = np.where(np.isnan(means), usual, means)
        _check_size("common", X, center, scale)
        scale = np.where(scale > 0, scale, 1.0)
        return self._learn(X, center, scale, variances > 0)


class TransformerScaler(BaseEstimator):
    """Wraps a scikit-learn transformer that has an inverse; applied to flattened rows.

    ``transformer_`` is the fitted clone; ``low_`` and ``high_``, of shape (n_columns,),
    are the range of the scaled rows of its fit. Where an inverse is not finite, as that
    of ``PowerTransformer`` above a bound, the nearest value in that range is inverted.
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Fit a clone of the transformer; weights count as copies."""
        self.transformer_ = clone(self.transformer)
        if hasattr(self.transformer_, "set_output"):
            self.transformer_.set_output(transform="default")
        _check_size(self.transformer, X, *extremes(X))
        flat, weights = _flat_copy(X), {}
        if sample_weight is None:
            pass
        elif has_fit_parameter(self.transformer_, "sample_weight"):
            weights = {"sample_weight": _near_one(sample_weight)}
        else:
            flat = np.repeat(flat, self._copies(sample_weight), axis=0)
        try:
            with np.errstate(all="ignore"):  # what is not finite is found afterwards
                self.transformer_.fit(flat, **weights)
        except (ValueError, RuntimeError) as exc:
            failed, other = "cannot be fitted", "another transformer"
            if has_missing(X):
                failed = "does not take missing entries"
                other = "a transformer that takes them"
            raise ValueError(
                f"scaler {self.transformer!r} {failed}: {exc}\n"
                f"Use scaler='standard', or {other}."
            ) from exc
        scaled = self._apply("transform", _flat_copy(X))
        self._invert(scaled[:1].copy())
        self.low_, self.high_ = extremes(scaled, axis=0)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return scaled rows, in X's float type."""
        X = _as_float(X)
        rows = self._apply("transform", _flat_copy(X))
        missing = np.isnan(X).reshape(rows.shape)
        if missing.any():  # stays missing, also where the transformer fills it
            rows = np.where(missing, np.nan, rows)
        if not (np.isfinite(rows) | missing).all():
            raise ValueError(
                f"scaler {self.transformer!r} made NaN or infinity of finite values. "
                "Use one that suits all values, or scaler='standard'."
            )
        return _rounded(rows.reshape(X.shape), X.dtype)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Return rows in the original units, in X's float type."""
        X = _as_float(X)
        rows = self._invert(_flat_copy(X))
        lost = ~np.isfinite(rows)
        if lost.any():
            inside = np.clip(_flat_copy(X), self.low_, self.high_)
            rows = np.where(lost, self._invert(inside), rows)
        return _rounded(rows.reshape(X.shape), X.dtype)

    def _copies(self, weight: np.ndarray) -> np.ndarray:
        """Return whole numbers that weights are, as multiples of 1 or the smallest."""
        for unit in (1.0, weight.min(initial=np.inf, where=weight > 0)):
            with np.errstate(over="ignore"):
                copies = np.rint(weight / unit)
            is_whole = np.allclose(copies * unit, weight, rtol=1e-9, atol=0)
            if is_whole and copies.mean() <= _MOST_COPIES:
                return copies.astype(int)
        raise ValueError(
            f"scaler {self.transformer!r} takes no sample_weight in fit: weights "
            "must be whole numbers (copies of rows), but they are not. Use "
            "scaler='standard', or whole weights."
        )

    def _invert(self, rows: np.ndarray) -> np.ndarray:
        """Return the inverse of scaled rows, silently, not finite where it has none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._apply("inverse_transform", rows)

    def _apply(self, method: str, rows: np.ndarray) -> np.ndarray:
        """Return the result of a method of the transformer, which may change rows."""
        shape = rows.shape
        with np.errstate(all="ignore"):  # what is not finite is found afterwards
            result = getattr(self.transformer_, method)(rows)
        if np.shape(result) != shape:
            raise ValueError(
                f"{method} of scaler {self.transformer!r} makes rows of shape "
                f"{np.shape(result)[1:]} of rows of shape {shape[1:]}, but a scaler "
                "must keep it. Put a transformer that changes the columns in front, in "
                "a Pipeline."
            )
        return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def _standard_scaler(
    X: np.ndarray, n_columns: int, weight: np.ndarray | None
) -> StandardScaler:
    """Return scikit-learn's, fitted block by block: it copies what it is given."""
    # Imported here: it takes far longer than scoring, which does not need it.
    from sklearn.preprocessing import StandardScaler

    learned, step = StandardScaler(), max(1, _BLOCK_NUMBERS // X[:1].size)
    copies = None
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(X), step):
            flat = X[start : start + step].reshape(-1, n_columns)
            if weight is not None:
                part = weight[start : start + step]
                copies = np.repeat(part, len(flat) // len(part))
            if start > 0:  # it makes NaN of columns that were wholly missing so far
                unseen = np.broadcast_to(learned.n_samples_seen_ == 0, n_columns)
                learned.mean_[unseen] = learned.var_[unseen] = 0.0
            learned.partial_fit(flat, sample_weight=copies)
    return learned


def _rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return values in a float type, infinite where it does not hold them."""
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)


def _as_float(X: ArrayLike) -> np.ndarray:
    """Return an array of float32 where X is float32, of float64 otherwise."""
    X = np.asarray(with_nan(X))
    return X if X.dtype in FLOAT_DTYPES else X.astype(np.float64)


def _near_one(weight: np.ndarray) -> np.ndarray:
    """Return weights with a mean of about 1, as if there were none."""
    # scikit-learn takes a column for constant by how many copies there are. A power of
    # 2 rounds nothing.
    mean = np.mean(weight, where=weight > 0)
    return np.ldexp(weight, 1 - np.frexp(mean)[1])


def _flat_copy(X: np.ndarray) -> np.ndarray:
    """Return flattened rows as a float64 copy: a transformer may work in place."""
    return np.array(X.reshape(len(X), -1), dtype=np.float64)


def _mean_of_known(values: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    """Return the means over axes, which stay, of what is not NaN."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=axis, keepdims=True)
    return total / known.sum(axis=axis, keepdims=True)


def _check_size(kind: Any, X: np.ndarray, *learned: np.ndarray) -> None:
    """Raise a ValueError where values are so large that their squares overflow."""
    if all((np.abs(one.astype(float)) < _TOO_LARGE).all() for one in learned):
        return
    low, high = extremes(X)
    raise ValueError(
        f"scaler={kind!r} cannot scale values as large as these: they "
        f"range from {low:.3g} to {high:.3g}. Divide them by a constant first."
    )


def _low_and_range(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each column's smallest value, its range or 1, and whether it varies."""
    low, high = extremes(flat, axis=0)
    # Relative to the values: columns in tiny units are not constant.
    rounding = np.finfo(flat.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    low = low.astype(np.float64)
    with np.errstate(over="ignore"):
        spread = high - low
    varies = spread > _ROUNDINGS * rounding
    return low, np.where(varies, spread, 1.0), varies

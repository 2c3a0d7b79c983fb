"""The scorer: errors of rows and of their features by one network or several.

Networks of one training share the scaler. Where each was trained without a fold of the
rows, what is learned from residuals comes from rows that their network has not seen,
and every row has an error of that kind: what a threshold should see.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from math import prod
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone

from skae._missing import (
    check_rows_observed,
    has_missing,
    mean_over_observed,
    n_observed,
)
from skae._random import stream
from skae._row_errors._learned import Neighbors, Whitening, n_compared
from skae._validation import needs
from skae.metrics._reconstruction import _elementwise_error, _reconstruction_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Rows, and numbers in them (32 MB), whose residuals are looked at, at most.
_MOST_RESIDUALS, _MOST_NUMBERS = 10_000, 1 << 22
# Degrees of freedom of Student's distribution: heavy tails, yet of a finite variance.
_FREEDOM = 3.0
# Rows of each kind that are kept of a stream; the share that is held out, and the one
# while there are fewer of them than the last number.
_N_LATEST, _HELD, _MANY_HELD, _FEWEST_HELD = 1000, 0.2, 0.5, 50
_EPSILON = 1e-7  # Keras's: no probability is nearer to 0 or 1
# What the reconstruction's part of error="negative_elbo" is called, by the loss.
_OF_LOSS = {
    "mse": "mse",
    "mean_squared_error": "mse",
    "mae": "mae",
    "mean_absolute_error": "mae",
    "binary_crossentropy": "binary_crossentropy",
    "bce": "binary_crossentropy",
}
# Kinds that learn from residuals.
_LEARNED = ("standardized", "whitened", "nearest")


class ErrorKind(NamedTuple):
    """How errors are measured, but for what the training rows say."""

    values: str  # "mse", "mae", "binary_crossentropy" or one of _LEARNED
    has_terms: bool = False  # whether the network's terms of the loss are added


def check_error(error: str, loss: Any, network: Any) -> ErrorKind:
    """Return the kind of an estimator's ``error``; raise where it cannot be had."""
    if error != "negative_elbo":
        return ErrorKind(error)
    if not getattr(network, "can_sample", False):
        raise ValueError(
            "error='negative_elbo' needs codes with a distribution, but network is "
            f"{network!r}. Use network=VariationalNetwork(), or error='mse'."
        )
    if not isinstance(loss, str) or loss not in _OF_LOSS:
        raise ValueError(
            f"error='negative_elbo' measures what training minimises, but loss is "
            f"{loss!r}. Use loss='mse', 'mae' or 'binary_crossentropy', or error='mse'."
        )
    return ErrorKind(_OF_LOSS[loss], has_terms=True)


def learn_scorer(
    kind: ErrorKind,
    networks: Sequence[Any],
    rows: Any,  # a table: X and weight
    folds: NDArray | None = None,  # (n,), the network that did not see each row
    memory: Any = None,
) -> Scorer:
    """Return the scorer of networks that learned from some rows."""
    # Memory keeps the scorer without its networks, which it has.
    if memory is None:
        return Scorer.learn(kind, networks, rows, folds)

    def learn() -> Scorer:
        """Return what is kept."""
        learned = Scorer.learn(kind, networks, rows, folds)
        return replace(learned, networks=())

    kinds = ErrorKind, Scorer, Whitening, Neighbors
    name = ["scorer", *kind, len(networks), folds is not None]
    return replace(memory.recall(name, learn, kinds=kinds), networks=networks)


@dataclass(frozen=True)
class Scorer:
    """Errors of rows by how far reconstructions are from them, and where they lie."""

    networks: Sequence[Any]
    kind: ErrorKind
    whitening: Whitening | None = None
    neighbors: Neighbors | None = None
    row_shape: tuple[int, ...] = ()
    train_errors: Floats = field(default_factory=lambda: np.empty(0))  # (n,)
    # (n,), by the networks that did not see the row, NaN where all did; None without.
    held_out_errors: Floats | None = None

    @classmethod
    def learn(
        cls,
        kind: ErrorKind,
        networks: Sequence[Any],
        rows: Any,
        folds: NDArray | None,
    ) -> Scorer:
        """Return the scorer, with the errors of the rows."""
        X, weight = rows.X, rows.weight
        n = len(X)
        if kind.values in _LEARNED:
            most = max(2, min(_MOST_RESIDUALS, _MOST_NUMBERS // prod(X.shape[1:])))
            looked_at = np.arange(n)[:: -(-n // most)]
            residuals, sources = _residuals(networks, X[looked_at], folds, looked_at)
        order = stream(0, "compared").permutation(n)

        def learned(by: Sequence[Any], unseen: int | None) -> Scorer:
            """Return the scorer that has not seen a fold, or that of all rows."""
            scorer = cls(by, kind, row_shape=X.shape[1:])
            if kind.values not in _LEARNED:
                return scorer
            chosen = np.ones(len(sources), dtype=bool)
            if unseen is not None and folds is not None:
                chosen = folds[sources] != unseen
                if not chosen.any():  # of an interrupted training, which has one
                    chosen[:] = True
            whitening = Whitening.of(
                residuals[chosen],
                None if weight is None else weight[sources[chosen]],
                correlated=kind.values != "standardized",
            )
            scorer = replace(scorer, whitening=whitening)
            if kind.values == "nearest":  # no row is a neighbour of its own
                known = by[0].inputs(X[order[: n_compared(X.shape[1:])]])
                scorer = replace(scorer, neighbors=Neighbors.of(known))
            return scorer

        scorer = learned(networks, None)
        held_out = None
        if folds is not None:
            held_out = np.full(n, np.nan)
            for i, network in enumerate(networks):
                held = folds == i
                if not held.any():
                    continue
                if hasattr(network.scaler, "fit"):  # which has seen the fold, too
                    network = copy.copy(network)
                    kept = None if weight is None else weight[~held]
                    network.scaler = clone(network.scaler).fit(X[~held], kept)
                held_out[held] = learned([network], i).errors(X[held])
        train_errors = scorer.errors(X)
        return replace(scorer, train_errors=train_errors, held_out_errors=held_out)

    @property
    def feature_scale(self) -> Floats | None:
        """Mean squared residual of each feature, with error="standardized"."""
        if self.kind.values != "standardized" or self.whitening is None:
            return None
        return np.square(self.whitening.scale).reshape(self.row_shape)

    @np.errstate(over="ignore", invalid="ignore")
    def errors(self, X: NDArray) -> Floats:
        """Return the error of each row, infinite for absurd ones."""
        first, kind = self.networks[0], self.kind.values
        has_gaps = first.fill is not None and _has_gaps(X)
        needs_values = self.kind.has_terms or kind in ("whitened", "nearest")
        scale, errors = self.feature_scale, np.empty(len(X))
        dtype = np.dtype(np.float64) if kind == "nearest" else X.dtype

        def measure(rows: slice) -> None:
            """Fill in the errors of a block."""
            scaled = first.scaler.transform(X[rows].astype(dtype, copy=False))
            inputs = first.filled(scaled) if has_gaps else scaled
            total = np.zeros(len(scaled))
            for network in self.networks:
                output = network.forward.reconstruct(inputs)
                if needs_values:
                    values = self._values(scaled, output)
                    values = values.reshape(len(scaled), -1)
                    if has_gaps:
                        missing = np.isnan(scaled).reshape(values.shape)
                        total += mean_over_observed(values, missing)
                    else:
                        total += values.mean(axis=1)
                    if self.kind.has_terms:
                        total += network.weighted_terms(scaled)
                else:
                    total += _reconstruction_error(
                        scaled, output, kind, scale, has_gaps
                    )
            total /= len(self.networks)
            if self.neighbors is not None:
                total *= self.neighbors.factors(inputs.reshape(len(inputs), -1))
            total[np.isnan(total)] = np.inf  # of absurd rows
            errors[rows] = total

        first.in_blocks(measure, X, dtype, len(self.networks))
        return errors

    @np.errstate(over="ignore", invalid="ignore")
    def feature_errors(self, X: NDArray) -> Floats:
        """Return each value's part of its row's error, of X's shape."""
        # Terms belong to no value: each has an equal part of them. What is missing
        # has no part in anything.
        first = self.networks[0]
        has_gaps = first.fill is not None and _has_gaps(X)
        errors = np.empty(X.shape)
        per_row = (-1, *[1] * (X.ndim - 1))
        is_nearest = self.kind.values == "nearest"
        dtype = np.dtype(np.float64) if is_nearest else X.dtype

        def measure(rows: slice) -> None:
            """Fill in the errors of a block."""
            scaled = first.scaler.transform(X[rows].astype(dtype, copy=False))
            inputs = first.filled(scaled) if has_gaps else scaled
            total = np.zeros(scaled.shape)
            for network in self.networks:
                total += self._values(scaled, network.forward.reconstruct(inputs))
                if self.kind.has_terms:
                    total += network.weighted_terms(scaled).reshape(per_row)
            total /= len(self.networks)
            if self.neighbors is not None:
                factors = self.neighbors.factors(inputs.reshape(len(inputs), -1))
                total *= factors.reshape(per_row)
            if np.isnan(total.sum()):  # of absurd rows, or missing
                total[np.isnan(total) & ~np.isnan(scaled)] = np.inf
            errors[rows] = total

        first.in_blocks(measure, X, dtype)
        if has_gaps:
            missing = np.isnan(X)
            errors[missing] = 0.0
            errors /= n_observed(missing).reshape(per_row)
        else:
            errors /= prod(X.shape[1:])
        return errors

    def _values(self, scaled: NDArray, output: NDArray) -> Floats:
        """Return the error of every value."""
        kind = self.kind.values
        if kind in ("whitened", "nearest") and self.whitening is not None:
            residuals = np.subtract(scaled, output, dtype=np.float64)
            if np.isnan(residuals.sum()):
                residuals[np.isnan(scaled)] = 0.0
            white = self.whitening.apply(residuals.reshape(len(scaled), -1))
            # Minus the logarithm of Student's density, but for its constant.
            np.square(white, out=white)
            white *= 1 / _FREEDOM
            white += 1
            np.log(white, out=white)  # log1p is slower by far
            white *= (_FREEDOM + 1) / 2
            if np.isnan(white.sum()):  # of absurd rows
                white[np.isnan(white)] = np.inf
            return white.reshape(scaled.shape)
        if kind == "binary_crossentropy":  # Keras's
            probability = np.clip(output.astype(np.float64), _EPSILON, 1 - _EPSILON)
            return -(
                scaled * np.log(probability) + (1 - scaled) * np.log1p(-probability)
            )
        return _elementwise_error(scaled, output, kind, self.feature_scale)


@dataclass(frozen=True)
class Window:
    """The latest rows of a stream: those that train, and those that are held out."""

    rows: Any = None  # tables, None where there are none
    held: Any = None
    outliers: Any = None  # known ones
    n_passed: int = 0
    of_fit: Any = None  # what the rule saw in a fit before, of rows held out

    @classmethod
    def after_fit(cls, rows: Any, seen: Any) -> Window:
        """Return that of a stream that continues a fit: some of its rows."""
        n = len(rows.X)
        some = np.linspace(0, n - 1, min(n, _N_LATEST)).astype(int)
        return cls(rows.take(some), of_fit=seen if seen.held_out else None)

    def divided(self, rows: Any, n_needed: int, seed: int) -> tuple[Any, Any]:
        """Return which of further rows train, and which are held out, at random."""
        # A fifth, but half of them while there are few, and as many as a rule needs.
        n, n_held = len(rows.X), 0 if self.held is None else len(self.held.X)
        rng = stream(seed, "calibration", self.n_passed)
        share = _MANY_HELD if n_held < max(n_needed, _FEWEST_HELD) else _HELD
        n_more = max(int(share * n + rng.random()), n_needed - n_held)
        n_more = min(n_more, n if self.rows is not None else max(0, n - 2))
        is_held = rng.permutation(n) < n_more
        return rows.take(~is_held), rows.take(is_held)

    def followed_by(self, rows: Any, held: Any, outliers: Any, most: int) -> Window:
        """Return the latest rows with further ones."""
        most = max(most, _N_LATEST)
        n = sum(len(one.X) for one in (rows, held) if one is not None)
        return Window(
            _latest(self.rows, rows, most),
            _latest(self.held, held, most),
            _latest(self.outliers, outliers, most),
            self.n_passed + n,
            self.of_fit,
        )

    @property
    def held_share(self) -> float | None:
        """Share of the normal rows that is held out; None where none is."""
        if self.held is None or self.rows is None:
            return None
        return len(self.held.X) / (len(self.held.X) + len(self.rows.X))

    def with_errors_of_fit(self, seen: Any, n_needed: int) -> Any:
        """Return errors of a stream, after those of a fit while there are few."""
        n_held = 0 if self.held is None else len(self.held.X)
        if self.of_fit is None or n_held >= max(n_needed, _FEWEST_HELD):
            return seen
        return self.of_fit.followed_by(seen) if seen.held_out else self.of_fit


def _latest(earlier: Any, later: Any, most: int) -> Any:
    """Return the latest rows of two tables, None where there are none."""
    if later is None or not len(later.X):
        return earlier
    if earlier is None:
        return later.take(np.arange(max(0, len(later.X) - most), len(later.X)))
    weight = None
    if not (earlier.weight is None and later.weight is None):
        pair = ((one.weight, len(one.X)) for one in (earlier, later))
        weight = np.concatenate([np.ones(n) if w is None else w for w, n in pair])
    joined = replace(later, X=np.concatenate([earlier.X, later.X]), weight=weight)
    return joined.take(np.arange(max(0, len(joined.X) - most), len(joined.X)))


def _residuals(
    networks: Sequence[Any], X: NDArray, folds: NDArray | None, places: NDArray
) -> tuple[Floats, NDArray[np.intp]]:
    """Return residuals of rows, flat, NaN where missing, and the rows' places."""
    # By the network that did not see the row; where all did, by each of them.
    parts, sources = [], []
    for i, network in enumerate(networks):
        chosen = slice(None) if folds is None else np.flatnonzero(folds[places] == i)
        rows = X[chosen]
        if not len(rows):
            continue
        residuals = np.empty((len(rows), prod(X.shape[1:])))
        for block, scaled, output in network.scaled_pairs(rows):
            residuals[block] = (scaled - output).reshape(len(scaled), -1)
        parts.append(residuals)
        sources.append(places[chosen])
    return np.concatenate(parts), np.concatenate(sources)


def _has_gaps(X: NDArray) -> bool:
    """Return whether rows have missing entries; raise where one has no other."""
    if not has_missing(X):
        return False
    check_rows_observed(X, "X")
    return True


# --------------------------------------------------------------------- explanations


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
    with needs("pandas", "explain"):
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

"""The scorers: errors of rows and of their features by one network or several.

Both kinds have the same methods, ``errors`` and ``feature_errors``; of several networks
they are the means.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skae._missing import (
    check_rows_observed,
    has_missing,
    mean_over_observed,
    n_observed,
)
from skae._row_errors._neighbors import MOST_CODES, Neighbors, WideNeighbors
from skae.metrics._reconstruction import _elementwise_error, _reconstruction_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The smallest training error that error="standardized" divides by, as a share of the
# mean over features: a constant feature has almost none. Distances of error="latent"
# are never smaller than this share of the mean error, either: among rows that repeat
# each other, the reconstruction still decides.
_SMALLEST_SHARE = 1e-3
# Numbers in the training rows that others are compared with, at most: 32 MB.
_MOST_NUMBERS = 1 << 22
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


class ErrorKind(NamedTuple):
    """How errors are measured, but for what the training rows say."""

    values: str  # "mse", "mae", "standardized", "binary_crossentropy" or "latent"
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
    compared: NDArray | None = None,
    memory: Any = None,
) -> Scorer:
    """Return the scorer of networks that learned from some rows."""
    # ``compared`` are those with which "latent" compares others, None the same; memory
    # keeps the scorer without its networks, which it has.
    if kind.values == "latent":
        learn = partial(LatentScorer.learn, networks, rows.X, rows.weight, compared)
    else:
        learn = partial(ErrorScorer.learn, kind, networks, rows.X, rows.weight)
    if memory is None:
        return learn()
    name = ["scorer", *kind, len(networks)]
    kinds = ErrorKind, ErrorScorer, LatentScorer, Neighbors, WideNeighbors
    scorer = memory.recall(name, lambda: replace(learn(), networks=()), kinds=kinds)
    return replace(scorer, networks=networks)


@dataclass(frozen=True)
class ErrorScorer:
    """Errors of rows by how far their reconstructions are from them."""

    networks: Sequence[Any]
    kind: ErrorKind
    # What "standardized" divides by: an array of a row's shape for each network.
    feature_scales: tuple[Floats | None, ...]
    train_errors: Floats = field(default_factory=lambda: np.empty(0))  # (n,)

    @classmethod
    def learn(
        cls,
        kind: ErrorKind,
        networks: Sequence[Any],
        X: NDArray,
        weight: NDArray | None,
    ) -> ErrorScorer:
        """Return the scorer of some networks, with scales from training rows."""
        scales: tuple[Floats | None, ...] = (None,) * len(networks)
        if kind.values == "standardized":
            scales = tuple(_training_scale(one, X, weight) for one in networks)
        scorer = cls(networks, kind, scales)
        return replace(scorer, train_errors=scorer.errors(X))

    @property
    def feature_scale(self) -> Floats | None:
        """Mean squared training error of each feature, of the first network."""
        return self.feature_scales[0]

    @np.errstate(over="ignore")
    def errors(self, X: NDArray) -> Floats:
        """Return the error of each row, infinite for absurd ones."""
        total = np.zeros(len(X))
        for network, feature_scale in zip(
            self.networks, self.feature_scales, strict=True
        ):
            total += self._errors_by(network, feature_scale, X)
        return total / len(self.networks)

    def _errors_by(self, network: Any, feature_scale: Any, X: NDArray) -> Floats:
        """Return the error of each row by one network."""
        has_gaps = network.fill is not None and _has_gaps(X)
        errors = np.empty(len(X))

        def measure(rows: slice) -> None:
            scaled = network.scaler.transform(X[rows])
            output = network.reconstruct_scaled(scaled)
            if not self.kind.has_terms:
                errors[rows] = _reconstruction_error(
                    scaled, output, self.kind.values, feature_scale, has_gaps
                )
                return
            values = self._values(scaled, output, feature_scale)
            if has_gaps:
                errors[rows] = mean_over_observed(values, np.isnan(scaled))
            else:
                errors[rows] = values.mean(axis=(*range(1, X.ndim),))
            errors[rows] += network.weighted_terms(scaled)

        network.in_blocks(measure, X)
        return errors

    @np.errstate(over="ignore", invalid="ignore")
    def feature_errors(self, X: NDArray) -> Floats:
        """Return each value's part of its row's error, of X's shape."""
        # Terms belong to no value: each has an equal part of them. What is missing
        # has no part in anything.
        pairs = zip(self.networks, self.feature_scales, strict=True)
        first, *others = (self._feature_errors_by(*pair, X) for pair in pairs)
        return sum(others, first) / len(self.networks)

    def _feature_errors_by(self, network: Any, scale: Any, X: NDArray) -> Floats:
        """Return each value's part of its row's error by one network."""
        has_gaps = network.fill is not None and _has_gaps(X)
        errors = np.empty(X.shape)
        per_row = (-1, *[1] * (X.ndim - 1))

        def measure(rows: slice) -> None:
            scaled = network.scaler.transform(X[rows])
            output = network.reconstruct_scaled(scaled)
            errors[rows] = self._values(scaled, output, scale)
            if self.kind.has_terms:
                errors[rows] += network.weighted_terms(scaled).reshape(per_row)

        network.in_blocks(measure, X)
        if has_gaps:
            missing = np.isnan(X)
            errors[missing] = 0.0
            errors /= n_observed(missing).reshape(per_row)
        else:
            errors /= prod(X.shape[1:])
        return errors

    def _values(self, scaled: NDArray, output: NDArray, feature_scale: Any) -> Floats:
        """Return the error of every value."""
        if self.kind.values != "binary_crossentropy":
            return _elementwise_error(scaled, output, self.kind.values, feature_scale)
        # Keras's binary cross-entropy.
        probability = np.clip(output.astype(np.float64), _EPSILON, 1 - _EPSILON)
        return -(scaled * np.log(probability) + (1 - scaled) * np.log1p(-probability))


@dataclass(frozen=True)
class LatentScorer:
    """Errors of rows by their reconstructions, and by where rows and codes lie.

    All is computed in float64: among rows that are much alike, the rounding of float32
    would depend on which rows are scored together.
    """

    networks: Sequence[Any]
    center: Floats  # (n_values,), mean of the training rows, scaled
    rows: Neighbors  # among the training rows, scaled and centred
    codes: tuple[Neighbors, ...]  # for each network
    wide: tuple[WideNeighbors, ...]  # for each network
    # (n_networks, 3): give distances by rows, codes and wide neighbours the mean of the
    # reconstruction errors as their median.
    scales: Floats
    floors: Floats  # (n_networks,), the smallest distances, once scaled
    train_errors: Floats = field(default_factory=lambda: np.empty(0))  # (n,)

    feature_scale = None

    @classmethod
    def learn(
        cls,
        networks: Sequence[Any],
        X: NDArray,
        weight: NDArray | None = None,
        compared: NDArray | None = None,
        most_numbers: int = _MOST_NUMBERS,
    ) -> LatentScorer:
        """Return the scorer of some networks that compares with training rows."""
        known, copies = (X, weight) if compared is None else (compared, None)
        n, first = len(networks), networks[0]
        some = first.inputs(known[:: 1 + len(known) // MOST_CODES])
        center = some.reshape(len(some), -1).mean(axis=0)
        scorer = cls(
            networks,
            center,
            Neighbors.of(
                known,
                lambda rows: first.inputs(rows).reshape(len(rows), -1) - center,
                max(1, min(MOST_CODES, most_numbers // prod(X.shape[1:]))),
            ),
            tuple(Neighbors.of(known, _encoder(one)) for one in networks),
            tuple(WideNeighbors.of(known, copies, _encoder(one)) for one in networks),
            np.ones((n, 3)),
            np.zeros(n),
        )
        squared, distances = scorer._parts(X)
        mean: Floats = np.average(squared, axis=1, weights=weight)
        for i, j in np.ndindex(n, 3):
            typical = _typical(distances[i, j], weight)
            if mean[i] > 0 and typical > 0:
                scorer.scales[i, j] = mean[i] / typical
        scorer = replace(scorer, floors=_SMALLEST_SHARE * mean)
        errors = scorer._joined(squared, distances).mean(axis=0)
        return replace(scorer, train_errors=errors)

    @np.errstate(over="ignore")
    def errors(self, X: NDArray) -> Floats:
        """Return the error of each row, infinite for absurd ones."""
        return self._joined(*self._parts(X)).mean(axis=0)

    @np.errstate(over="ignore", invalid="ignore")
    def feature_errors(self, X: NDArray) -> Floats:
        """Return each value's part of its row's error, of X's shape."""
        # As it has a part in the squared error of the reconstruction.
        total = np.zeros(X.shape)
        per_row = (-1, *[1] * (X.ndim - 1))
        by_network = self._joined(*self._parts(X))
        for network, errors in zip(self.networks, by_network, strict=True):
            squared = ErrorScorer([network], ErrorKind("mse"), (None,))
            parts = squared.feature_errors(X)
            whole = parts.sum(axis=(*range(1, X.ndim),))
            share = np.divide(errors, whole, out=np.zeros(len(X)), where=whole > 0)
            # Of an absurd row, all is due to the values whose parts are infinite.
            absurd = np.isinf(whole).reshape(per_row)
            parts = np.where(absurd & np.isfinite(parts), 0, parts)
            total += parts * np.where(absurd, 1, share.reshape(per_row))
        return total / len(self.networks)

    def _parts(self, X: NDArray) -> tuple[Floats, Floats]:
        """Return mean squared errors and the three distances of rows, by network."""
        # Of shapes (n_networks, n) and (n_networks, 3, n).
        first = self.networks[0]
        has_gaps = first.fill is not None and _has_gaps(X)
        squared = np.empty((len(self.networks), len(X)))
        distances = np.empty((len(self.networks), 3, len(X)))

        def measure(rows: slice) -> None:
            block = X[rows].astype(np.float64, copy=False)
            for i, network in enumerate(self.networks):
                scaled = network.scaler.transform(block)
                inputs = network.filled(scaled) if has_gaps else scaled
                if i == 0:
                    flat = inputs.reshape(len(block), -1) - self.center
                    by_rows = self.rows.distances(flat)
                codes, output = network.forward.encode_and_reconstruct(inputs)
                if has_gaps:
                    squared[i, rows] = _reconstruction_error(
                        scaled, output, "mse", None, allow_nan=True
                    )
                else:
                    difference = (scaled - output).reshape(len(block), -1)
                    total = np.vecdot(difference, difference)
                    squared[i, rows] = total / difference.shape[1]
                distances[i, 0, rows] = by_rows
                distances[i, 1, rows] = self.codes[i].distances(codes)
                distances[i, 2, rows] = self.wide[i].distances(codes)

        first.in_blocks(measure, X, np.dtype(np.float64))
        return squared, distances

    def _joined(self, squared: Floats, distances: Floats) -> Floats:
        """Return the geometric means of errors and distances, (n_networks, n)."""
        by_rows, by_codes, by_wide = np.moveaxis(
            self.scales[:, :, None] * distances, 1, 0
        )
        farthest = np.maximum(by_wide, self.floors[:, None])
        place = np.maximum((by_rows + by_codes) / 2, farthest)
        return np.sqrt(squared) * np.sqrt(place)


Scorer = ErrorScorer | LatentScorer


def latest_rows(earlier: NDArray, X: NDArray, most: int = MOST_CODES) -> NDArray:
    """Return the latest of earlier rows and of those of X, each once."""
    again = {row.tobytes() for row in X}
    others = [row.tobytes() not in again for row in earlier]
    return np.concatenate([earlier[others], X])[-most:]


def _encoder(network: Any) -> Any:
    """Return the function from rows to codes in float64."""
    return lambda rows: network.encode(rows.astype(np.float64, copy=False))


def _typical(distances: Floats, weight: NDArray | None) -> float:
    """Return the median; where half of them are 0, the mean."""
    median = np.quantile(distances, 0.5, weights=weight, method="inverted_cdf")
    return float(median) or float(np.average(distances, weights=weight))


def _has_gaps(X: NDArray) -> bool:
    """Return whether rows have missing entries; raise where one has no other."""
    if not has_missing(X):
        return False
    check_rows_observed(X, "X")
    return True


def _training_scale(network: Any, X: NDArray, weight: NDArray | None) -> Floats:
    """Return each feature's mean squared error on the training rows, kept above 0."""
    # One that is never observed has the mean of the others.
    weight = np.ones(len(X)) if weight is None else weight
    has_gaps = network.fill is not None and _has_gaps(X)
    total, count = np.zeros(X.shape[1:]), np.zeros(X.shape[1:])
    for rows, scaled, output in network.scaled_pairs(X):
        squared = _elementwise_error(scaled, output, "mse")
        if has_gaps:
            missing = np.isnan(scaled)
            squared[missing] = 0.0
            count += np.tensordot(weight[rows], ~missing, axes=1)
        total += np.tensordot(weight[rows], squared, axes=1)
    if has_gaps:
        seen = count > 0
        scale = np.divide(total, count, out=np.zeros_like(total), where=seen)
        scale[~seen] = scale[seen].mean()
    else:
        scale = total / weight.sum()
    floor = _SMALLEST_SHARE * scale.mean()
    return np.maximum(scale, floor if floor > 0 else 1.0)


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

"""Calibration: which errors a threshold rule sees, and what must be known of them.

Errors of rows that trained the network are smaller than those of new rows. Rules that
promise a rate see errors of rows that neither trained, nor chose an epoch, nor fitted
the scaler or the scale of an error: a part that is held out, or the errors of networks
that are each trained without a fold of the rows.

A *table* of rows has ``X``, ``weight`` (or None) and ``take(places)``; a *scorer* has
``errors(X)``, and ``train_errors`` of the rows that it learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skae._random import stream
from skae.thresholds._base import check_enough_errors, check_outliers_known, need_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Share of the normal rows that threshold_on="validation" holds out, at least.
HELD_FRACTION = 0.2
# Networks of threshold_on="cv".
N_FOLDS = 5
# Rows that a network is trained on at least; with fewer rows than the other number,
# "auto" holds none out.
_FEWEST_TRAINED, _FEWEST_DIVIDED = 2, 10


@dataclass(frozen=True)
class Calibration:
    """The errors that a rule may see."""

    errors: NDArray[np.float64]  # (n,)
    weight: NDArray[np.float64] | None = None  # (n,), in copies; None is one each
    outlier: NDArray[np.bool_] | None = None  # (n,), known outliers; None is none
    # Whether the rows trained no network that these errors come from.
    held_out: bool = True

    def fit(self, rule: Any) -> tuple[Any, NDArray[np.float64]]:
        """Return the fitted rule, and the errors it saw: outliers' only with labels."""
        if needs_labels(rule):
            labels = np.where(self._outlier_mask(), -1, 1)
            fitted = rule.fit(self.errors, labels, sample_weight=self.weight)
            return fitted, self.errors.copy()
        normal = self if self.outlier is None else self.normal()
        fitted = rule.fit(normal.errors, sample_weight=normal.weight)
        return fitted, normal.errors.copy()  # users may write to theirs

    def normal(self) -> Calibration:
        """Return the part of the normal rows."""
        if self.outlier is None:
            return self
        weight = None if self.weight is None else self.weight[~self.outlier]
        return Calibration(self.errors[~self.outlier], weight, None, self.held_out)

    def with_outliers(
        self, errors: NDArray, weight: NDArray | None = None
    ) -> Calibration:
        """Return these errors of normal rows followed by those of outliers."""
        return self.followed_by(
            Calibration(errors, weight, np.ones(len(errors), dtype=bool))
        )

    def followed_by(self, later: Calibration) -> Calibration:
        """Return these errors and later ones."""
        weight = None
        if self.weight is not None or later.weight is not None:
            weight = np.concatenate([self._weights(), later._weights()])
        errors = np.concatenate([self.errors, later.errors])
        outlier = np.concatenate([self._outlier_mask(), later._outlier_mask()])
        return Calibration(errors, weight, outlier, self.held_out)

    def latest(self, rule: Any, most: int) -> Calibration:
        """Return the latest errors: so many, or as many as the rule needs."""
        n = max(most, getattr(rule, "min_errors", 1))
        weight = None if self.weight is None else self.weight[-n:].copy()
        outlier = None if self.outlier is None else self.outlier[-n:].copy()
        return Calibration(self.errors[-n:].copy(), weight, outlier, self.held_out)

    def check(self, rule: Any, y: Any) -> None:
        """Raise a ValueError where these errors are too few for a rule."""
        if needs_labels(rule):
            check_outliers_known(rule, y, self._outlier_mask())
        check_enough_errors(rule, _copies(self.normal()._weights()))

    def check_held_out(self, rule: Any) -> None:
        """Raise a ValueError where the rows trained: their errors give no p-values."""
        if not self.held_out:
            raise ValueError(
                "p_values needs errors of rows that did not train the network, but "
                f"{rule!r} saw those of the training rows. Fit with "
                "threshold_on='validation' or 'cv', or call fit_threshold(X) with "
                "other normal rows."
            )

    def _outlier_mask(self) -> NDArray[np.bool_]:
        """Return the mask of the outliers."""
        if self.outlier is None:
            return np.zeros(len(self.errors), dtype=bool)
        return self.outlier

    def _weights(self) -> NDArray[np.float64]:
        """Return the weights, 1 where none are given."""
        return np.ones(len(self.errors)) if self.weight is None else self.weight


def needs_labels(rule: Any) -> bool:
    """Return whether a rule sees known outliers, too; any object may be a rule."""
    return getattr(rule, "needs_labels", False)


def source_of(
    rule: Any,
    threshold_on: str,
    n_rows: int | None = None,  # None where they are not known
    has_folds: bool = True,  # whether networks leave out folds of the rows
    is_warm: bool = False,  # whether networks have trained on some of them before
) -> str:
    """Return whose errors a rule sees: by a name of the parameter but "auto"."""
    # Whether a promise fails on errors of training rows.
    needs_held_out = getattr(rule, "needs_held_out", False)
    if threshold_on == "auto":
        if needs_held_out:
            return "validation"
        if not getattr(rule, "sees_errors", True):
            return "train"
        if has_folds and not is_warm:
            return "out_of_fold"
        is_small = n_rows is not None and n_rows < _FEWEST_DIVIDED
        return "train" if is_warm or is_small else "validation"
    if threshold_on == "train" and needs_held_out:
        raise ValueError(
            f"{rule!r} needs errors of rows that did not train the network, but "
            "threshold_on='train'. Use threshold_on='validation', 'cv' or 'auto'."
        )
    if threshold_on == "out_of_fold" and not has_folds:
        raise ValueError(
            "threshold_on='out_of_fold' needs several networks, so that each row has "
            "one that did not train on it, and twice as many rows. Use n_networks=3, "
            "or threshold_on='validation'."
        )
    return threshold_on


def hold_out(table: Any, rule: Any, seed: int) -> tuple[Any, Any]:
    """Return (kept, held) parts of the normal rows, chosen at random."""
    # A fifth is held out, or as many as the rule needs; those of one seed begin alike.
    n = len(table.X)
    needed = getattr(rule, "min_errors", 1)
    shuffled = stream(seed, "calibration").permutation(n)
    n_held = max(round(HELD_FRACTION * n), _rows_for(needed, table.weight, shuffled))
    if n_held > n - _FEWEST_TRAINED:
        need, fewer = need_of(rule)
        or_cv = ", or use threshold_on='cv'" if needed <= n else ""
        raise ValueError(
            f"{need} that do not train the network, but of {n} normal rows at most "
            f"{max(0, n - _FEWEST_TRAINED)} can be held out. Pass more rows, or "
            f"{fewer}{or_cv}."
        )
    kept, held = np.sort(shuffled[n_held:]), np.sort(shuffled[:n_held])
    return table.take(kept), table.take(held)


def divide(
    normal: Any, rule: Any, source: str, seed: int, is_warm: bool = False
) -> tuple[Any, Any | None]:
    """Return the rows that train, and those that are held out for the rule."""
    if source in ("validation", "out_of_fold") and is_warm:
        raise ValueError(
            "warm_start=True continues a network that may have trained on rows "
            "that are to be held out now. Use warm_start=False, threshold_on='cv', "
            "or threshold_on='train' and then fit_threshold(X) with other rows."
        )
    if source == "validation":
        return hold_out(normal, rule, seed)
    n = len(normal.X) if normal.weight is None else _copies(normal.weight)
    check_enough_errors(rule, n)
    return normal, None


def known_outliers(rule: Any, table: Any, y: Any, is_normal: NDArray) -> Any | None:
    """Return the outliers where the rule sees them, else None."""
    if not needs_labels(rule):
        return None
    present = ~is_normal
    if table.weight is not None:
        present &= table.weight > 0
    check_outliers_known(rule, y, present)
    return table.take(present)


def calibrate(
    scorer: Any,
    normal: Any,
    held: Any,
    outliers: Any,
    source: str,
    share: float | None = None,  # of the normal rows that are judged; None counts them
) -> Calibration:
    """Return the errors that a source stands for, and those of outliers."""
    # Where only a part of the normal rows is judged, all outliers are shown even so:
    # each counts by that part, so that outliers are as common as among all rows.
    judged = normal
    if held is not None:
        judged = held
        seen = Calibration(scorer.errors(held.X), held.weight)
    elif source == "out_of_fold":
        errors = scorer.held_out_errors
        judged = normal.take(~np.isnan(errors))
        seen = Calibration(errors[~np.isnan(errors)], judged.weight)
    else:
        seen = Calibration(scorer.train_errors, normal.weight, held_out=False)
    if outliers is None:
        return seen
    if share is None:
        share = _weights_of(judged).sum() / _weights_of(normal).sum()
    return seen.with_outliers(scorer.errors(outliers.X), _weights_of(outliers) * share)


def kept_for(
    rule: Any, threshold_on: str, kept: dict[str, Calibration], y: Any = None
) -> Calibration:
    """Return the errors, by their source, that a fit kept for a rule."""
    if y is not None:
        raise ValueError(
            "y is given without X. Pass the rows that y labels, or neither to "
            "use the rows of fit."
        )
    source = source_of(rule, threshold_on, has_folds="out_of_fold" in kept)
    has_labels = any(one.outlier is not None for one in kept.values())
    new_labels = needs_labels(rule) and not has_labels and threshold_on != "train"
    must_be_new = getattr(rule, "needs_held_out", False) or new_labels
    if source not in kept and threshold_on == "auto" and not must_be_new:
        source = "train"
    if source not in kept or new_labels:
        rows = "X, y" if needs_labels(rule) else "X"
        raise ValueError(
            f"{rule!r} with threshold_on={threshold_on!r} needs errors by {source!r}, "
            f"but this detector was fitted by {' and '.join(map(repr, kept))} and "
            "keeps no others. Fit again, or pass rows that did not train: "
            f"fit_threshold({rows})."
        )
    return kept[source]


def cross_fitted(
    learn_scorer: Callable[[Any, int], Any], normal: Any, outliers: Any, seed: int
) -> Calibration:
    """Return each row's error by a scorer that is learned without its fold."""
    # Outliers, which train none, are spread over the folds as the normal rows are.
    n = len(normal.X)
    if n <= _FEWEST_TRAINED:
        raise ValueError(
            f"threshold_on='cv' needs at least {_FEWEST_TRAINED + 1} normal rows, so "
            f"that each network trains on {_FEWEST_TRAINED}, but there are {n}. Pass "
            "more rows."
        )
    n_folds = min(N_FOLDS, n)
    tables = [normal] if outliers is None else [normal, outliers]
    # As even as can be.
    folds = [
        stream(seed, "folds").permutation(np.arange(len(table.X)) % n_folds)
        for table in tables
    ]
    errors = [np.empty(len(table.X)) for table in tables]
    for fold in range(n_folds):
        fold_seed = int(stream(seed, "folds", fold).integers(2**31 - 1))
        scorer = learn_scorer(normal.take(np.flatnonzero(folds[0] != fold)), fold_seed)
        for table, places, found in zip(tables, folds, errors, strict=True):
            found[places == fold] = scorer.errors(table.X[places == fold])
    seen = Calibration(errors[0], normal.weight)
    return seen if outliers is None else seen.with_outliers(errors[1], outliers.weight)


def _rows_for(needed: int, weight: NDArray | None, order: NDArray) -> int:
    """Return how many rows, in their order, hold as many copies as are needed."""
    if weight is None:
        return needed
    copies = np.cumsum(weight[order] / min(1.0, weight.max()))
    return int(np.searchsorted(copies, needed * (1 - 1e-9))) + 1


def _weights_of(table: Any) -> NDArray[np.float64]:
    """Return the weights of rows, 1 where none are given."""
    return np.ones(len(table.X)) if table.weight is None else table.weight


def _copies(weight: NDArray[np.float64]) -> float:
    """Return how many copies weights are, as the rules count them."""
    return (weight / min(1.0, weight.max())).sum() if len(weight) else 0

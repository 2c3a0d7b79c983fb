"""Detectors compared: trained on the same rows, and judged on the same other rows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from skae._validation import (
    StrOptions,
    check_outlier_labels,
    needs,
    safe_indexing,
    validate_params,
)
from skae.model_selection._inlier_kfold import InlierKFold

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    Split = tuple[np.ndarray, np.ndarray]  # numbers of training and of test rows


@validate_params(
    {
        "train_on": [StrOptions({"inliers", "all"})],
        "n_jobs": [Integral, None],
        "return_predictions": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def compare_detectors(
    detectors: Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    cv: Any = None,
    train_on: str = "inliers",
    n_jobs: int | None = None,
    return_predictions: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Compare outlier detectors on the same rows, in one table.

    Every detector is cloned, trained on the same normal rows and judged on the same
    other rows, which hold outliers, too.

    Read more in the :doc:`User Guide </guide/comparing>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    detectors : dict of str to estimator
        Any outlier detectors, or pipelines that end in one: with ``fit``, ``predict``
        (+1 and -1), and ``score_samples`` or ``decision_function`` (high is normal).
    X : array-like of shape (n_samples, ...)
        Rows, as the detectors take them.
    y : array-like of shape (n_samples,)
        Labels, +1 (normal) and -1 (outlier).
    cv : int, splitter or iterable of (train, test), default=None
        How rows are split; None is ``InlierKFold(5)``, an int ``InlierKFold(cv)``, and
        ``[(train, test)]``, two arrays of row numbers, a single split.
    train_on : {"inliers", "all"}, default="inliers"
        Which of the training rows are trained on: those with ``y == 1``, or all.
    n_jobs : int or None, default=None
        Number of processes; None is 1. With more, times mean little.
    return_predictions : bool, default=False
        Whether to return the scores and flags of all test rows, too.

    Returns
    -------
    table : DataFrame
        A row for each detector, in the order of `detectors`; its index is named
        "method". The columns are means over the splits, outliers being the positive
        class: ``roc_auc``, ``average_precision``, ``f1``, ``accuracy``, ``precision``,
        ``recall``, ``false_alarm_rate`` (the share of normal rows that are flagged),
        ``fit_seconds`` and ``score_seconds`` (of all test rows of a split). Then the
        same names with ``_std``: the standard deviation over the splits, NaN of one.
    predictions : DataFrame
        Only with ``return_predictions=True``: a row for each detector and test row,
        with ``method``, ``split``, ``row`` (X's index, or the position), ``label``,
        ``score`` and ``flag``.

    Raises
    ------
    TypeError
        If `detectors` is no dict, or if one of them is no outlier detector.
    ValueError
        If `detectors` is empty, if `y` holds other labels than +1 and -1, if a split
        has no row to train on or lacks a class to test on, or if a detector returns
        other flags than +1 and -1, or scores that are not finite.

    Notes
    -----
    Labels never reach ``fit``: they choose its rows, and they judge. What needs labels
    to train, such as a search, comes first, on other rows: pass the estimator that it
    found. One that is fitted already is judged as it is in a
    ``sklearn.frozen.FrozenEstimator``.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from skae import compare_detectors, make_heartbeats
    >>> X, y = make_heartbeats(n_samples=300, random_state=0)
    >>> forest, lof = IsolationForest(random_state=0), LocalOutlierFactor(novelty=True)
    >>> table = compare_detectors({"forest": forest, "LOF": lof}, X, y, cv=3)
    >>> list(table.index), bool((table["roc_auc"] > 0.5).all())
    (['forest', 'LOF'], True)
    """
    with needs("pandas", "compare_detectors"):
        import pandas as pd
    _check_detectors(detectors)
    if y is None:
        raise ValueError(
            "compare_detectors needs y with the labels +1 (normal) and -1 (outlier), "
            "but y is None. Without labels, detectors cannot be compared."
        )
    X, y = indexable(X, y)
    y = check_outlier_labels(y)
    splits = _check_splits(cv, train_on, X, y)
    judged = Parallel(n_jobs=n_jobs)(
        delayed(_judge)(name, detector, X, y, number, *split)
        for name, detector in detectors.items()
        for number, split in enumerate(splits)
    )
    measures, predictions = zip(*judged, strict=True)
    of_splits = pd.DataFrame(measures).groupby("method", sort=False)
    mean, std = of_splits.mean(), of_splits.std(ddof=0)
    # One split has no spread: 0 would say that it is known to be small.
    table = mean.join(std.where(of_splits.size() > 1, axis=0).add_suffix("_std"))
    if not return_predictions:
        return table
    return table, pd.concat(predictions, ignore_index=True)


def _check_detectors(detectors: Mapping[str, Any]) -> None:
    """Raise unless detectors is a dict of names to outlier detectors."""
    advice = "Pass, for instance, {'forest': IsolationForest()}."
    if not isinstance(detectors, Mapping):
        raise TypeError(
            "detectors must be a dict of names and detectors, but is a "
            f"{type(detectors).__name__}. {advice}"
        )
    if not detectors:
        raise ValueError(
            f"detectors must hold at least one detector, but is empty. {advice}"
        )
    for name, detector in detectors.items():
        lacks = [verb for verb in ("fit", "predict") if not hasattr(detector, verb)]
        if _scores_of(detector) is None:
            lacks.append("score_samples or decision_function")
        if isinstance(detector, type) or lacks:
            what = detector if isinstance(detector, type) else type(detector)
            lacking = f"without {' and '.join(lacks)}" if lacks else "not an instance"
            raise TypeError(
                f"detectors[{name!r}] must be an outlier detector with fit, predict "
                f"and score_samples or decision_function, but is {what.__name__}, "
                f"{lacking}. Pass an instance of a detector; LocalOutlierFactor needs "
                "novelty=True."
            )


def _scores_of(detector: Any) -> Any:
    """Return the method that scores rows, high for normal ones, or None."""
    return getattr(
        detector, "score_samples", getattr(detector, "decision_function", None)
    )


def _check_splits(cv: Any, train_on: str, X: Any, y: np.ndarray) -> list[Split]:
    """Return the row numbers of every split."""
    everything = np.arange(len(y))
    if train_on == "all" and isinstance(cv, InlierKFold):
        raise ValueError(
            f"cv is {cv!r}, which leaves the outliers out of training, but train_on is "
            f"'all'. Pass cv={cv.n_splits!r} or a StratifiedKFold, or "
            "train_on='inliers'."
        )
    if cv is None or (isinstance(cv, Integral) and not isinstance(cv, bool)):
        folds = (InlierKFold() if cv is None else InlierKFold(int(cv))).split(X, y)
        # Every row that is not tested: the outliers among them may be dropped below.
        pairs = [(np.setdiff1d(everything, test), test) for _, test in folds]
    else:
        pairs = check_cv(cv).split(X, y)
    # Row numbers, also where masks were given.
    splits = [tuple(everything[np.asarray(part)] for part in pair) for pair in pairs]
    if train_on == "inliers":
        splits = [(train[y[train] == 1], test) for train, test in splits]
    if not splits:
        raise ValueError(
            f"cv makes no splits: {cv!r}. Pass at least one (train, test), or a number "
            "of folds."
        )
    for number, (train, test) in enumerate(splits):
        if len(train) == 0:
            kind = "inliers (y == +1)" if train_on == "inliers" else "rows"
            raise ValueError(
                f"Split {number} of cv has no {kind} to train on. Pass other splits, "
                "such as InlierKFold()."
            )
        for label, kind in ((1, "inliers"), (-1, "outliers")):
            if not (y[test] == label).any():
                raise ValueError(
                    f"Split {number} of cv has {len(test)} test rows, but no {kind} "
                    f"(y == {label:+d}) among them, and cannot be judged. Pass other "
                    "splits, such as InlierKFold()."
                )
    return splits


def _judge(
    name: str,
    detector: Any,
    X: Any,
    y: np.ndarray,
    number: int,
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the measures of one detector on one split, and its predictions."""
    detector = clone(detector)
    X_train, X_test = safe_indexing(X, train), safe_indexing(X, test)
    start = time.perf_counter()
    detector.fit(X_train, None)  # FrozenEstimator requires a y
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    scores = _scores_of(detector)(X_test)
    score_seconds = time.perf_counter() - start
    scores, flags = np.asarray(scores), np.asarray(detector.predict(X_test))
    for what, values in (("scores", scores), ("flags", flags)):
        if values.shape != test.shape:
            raise ValueError(
                f"detectors[{name!r}] must return one value per row, {what} of shape "
                f"{test.shape}, but returned shape {values.shape}. Leave it out, or "
                "wrap it."
            )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"detectors[{name!r}] returned scores that are nan or infinite for "
            f"{np.sum(~np.isfinite(scores))} of {len(test)} test rows. Scale the rows "
            "in a pipeline, or leave this detector out."
        )
    if not np.isin(flags, (-1, 1)).all():
        found = ", ".join(map(repr, np.unique(flags)[:5].tolist()))
        raise ValueError(
            f"detectors[{name!r}] must flag rows by +1 (normal) and -1 (outlier), but "
            f"its predict returned {found}. Wrap it in a class whose predict and "
            "score_samples follow scikit-learn, where high is normal."
        )
    measures = {
        "method": name,
        **outlier_qualities(y[test], scores, flags),
        "fit_seconds": fit_seconds,
        "score_seconds": score_seconds,
    }
    import pandas as pd

    # X's index, of tuples where it has several levels, or the row numbers.
    rows = X.index.to_flat_index()[test] if hasattr(X, "iloc") else test
    given = {"row": rows, "label": y[test], "score": scores, "flag": flags}
    return measures, pd.DataFrame({"method": name, "split": number, **given})


def outlier_qualities(
    y: np.ndarray, scores: np.ndarray, flags: np.ndarray
) -> dict[str, float]:
    """Return the measures of scores and flags (+1, -1); outliers are the positives."""
    outlier, flagged = y == -1, flags == -1
    precision, recall, f1, _ = precision_recall_fscore_support(
        outlier, flagged, average="binary", zero_division=0.0
    )
    return {
        "roc_auc": float(roc_auc_score(outlier, -scores)),
        "average_precision": float(average_precision_score(outlier, -scores)),
        "f1": float(f1),
        "accuracy": float(np.mean(outlier == flagged)),
        "precision": float(precision),
        "recall": float(recall),
        "false_alarm_rate": float(np.mean(flagged[~outlier])),
    }

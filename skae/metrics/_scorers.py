"""What searches take: metrics of outlier labels, scorers, and a ``refit=`` function.

scikit-learn's own ``f1_score`` and ``average_precision_score`` score the class +1,
which for outlier labels is the normal one. The metrics here score the outliers.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    make_scorer,
    roc_auc_score,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, column_or_1d

from skae._validation import check_outlier_labels, check_sample_weight, with_nan
from skae.metrics._reconstruction import reconstruction_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def outlier_f1_score(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """F1 score of the outliers.

    The harmonic mean of precision and recall of the class -1: it judges the errors and
    the threshold.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        True and predicted labels, +1 (normal) and -1 (outlier).
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1; 0 where no outlier is found, and nan, with a warning, where
        `y_true` holds none.

    Raises
    ------
    ValueError
        If labels other than +1 and -1 come, or if lengths differ.

    See Also
    --------
    outlier_f1 : The same as a scorer.

    Notes
    -----
    With TP the outliers found, FP the normal rows flagged and FN the outliers
    missed, the score is 2 TP / (2 TP + FP + FN).

    Examples
    --------
    >>> from skae.metrics import outlier_f1_score
    >>> outlier_f1_score([1, 1, 1, -1, -1], [1, 1, 1, -1, -1])
    1.0
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    y_true = check_outlier_labels(y_true, name="y_true")
    y_pred = check_outlier_labels(y_pred, name="y_pred")
    weights = _check_weights(sample_weight, y_true)
    if _lacks("outliers (-1)", y_true == -1, weights):
        return np.nan
    return f1_score(
        y_true == -1, y_pred == -1, sample_weight=weights, zero_division=0.0
    )


def outlier_average_precision_score(
    y_true: ArrayLike,
    score_samples: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Average precision of the outliers.

    The area under the precision-recall curve of the class -1: compares detectors
    whatever their threshold, above all where outliers are rare.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, +1 (normal) and -1 (outlier).
    score_samples : array-like of shape (n_samples,)
        A detector's ``score_samples`` or ``decision_function``: high means normal.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1. Uninformative scores have the share of outliers. It is nan,
        with a warning, where `y_true` lacks outliers or normal rows.

    Raises
    ------
    ValueError
        If `y_true` holds other labels, if scores are not finite, or if lengths differ.

    See Also
    --------
    outlier_average_precision : The same as a scorer.

    Notes
    -----
    With precision P and recall R at the n-th threshold, the score is
    :math:`\sum_n (R_n - R_{n-1}) P_n`.

    Examples
    --------
    >>> from skae.metrics import outlier_average_precision_score
    >>> outlier_average_precision_score([1, 1, 1, -1], [-0.1, -0.2, -0.1, -0.9])
    1.0
    """
    return _ranking(average_precision_score, y_true, score_samples, sample_weight)


def outlier_roc_auc_score(
    y_true: ArrayLike,
    score_samples: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Area under the ROC curve of the outliers.

    The probability that an outlier has a lower score than a normal row, whatever the
    threshold and the share of outliers.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, +1 (normal) and -1 (outlier).
    score_samples : array-like of shape (n_samples,)
        A detector's ``score_samples`` or ``decision_function``: high means normal.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1. Uninformative scores have 0.5. It is nan, with a warning, where
        `y_true` lacks outliers or normal rows.

    Raises
    ------
    ValueError
        If `y_true` holds other labels, if scores are not finite, or if lengths differ.

    See Also
    --------
    outlier_roc_auc : The same as a scorer.

    Examples
    --------
    >>> from skae.metrics import outlier_roc_auc_score
    >>> outlier_roc_auc_score([1, 1, 1, -1], [-0.1, -0.2, -0.1, -0.9])
    1.0
    """
    return _ranking(roc_auc_score, y_true, score_samples, sample_weight)


def _ranking(
    score_func: Callable[..., float],
    y_true: ArrayLike,
    score_samples: ArrayLike,
    sample_weight: ArrayLike | None,
) -> float:
    """Return a metric of scikit-learn's with outliers as the positive class."""
    check_consistent_length(y_true, score_samples, sample_weight)
    y_true = check_outlier_labels(y_true, name="y_true")
    scores = column_or_1d(with_nan(score_samples))
    weights = _check_weights(sample_weight, y_true)
    for kind, label in (("outliers (-1)", -1), ("normal rows (+1)", 1)):
        if _lacks(kind, y_true == label, weights):
            return np.nan
    return float(score_func(y_true == -1, -scores, sample_weight=weights))


def _lacks(kind: str, rows: np.ndarray, weights: np.ndarray | None) -> bool:
    """Return whether there are no such rows, of a weight above 0, and warn then."""
    if (rows if weights is None else rows & (weights > 0)).any():
        return False
    warnings.warn(
        f"y_true holds no {kind}, so that scores of outliers are nan. Training folds "
        "of InlierKFold hold no outliers: pass return_train_score=False to the search. "
        "Test folds need both kinds of rows.",
        UndefinedMetricWarning,
        stacklevel=1,
    )
    return True


def _check_weights(
    sample_weight: ArrayLike | None, y_true: np.ndarray
) -> np.ndarray | None:
    """Return float64 weights >= 0 or None, or raise."""
    return None if sample_weight is None else check_sample_weight(sample_weight, y_true)


# All are high for normal rows, also those of a classifier on the labels +1 and -1, of
# which scikit-learn takes the larger one as the positive class. So a detector, a
# density model and a supervised baseline are scored alike.
_NORMALITY = ("decision_function", "score_samples", "predict_proba")

outlier_f1 = make_scorer(outlier_f1_score, response_method="predict")
outlier_average_precision = make_scorer(
    outlier_average_precision_score, response_method=_NORMALITY
)
outlier_roc_auc = make_scorer(outlier_roc_auc_score, response_method=_NORMALITY)
outlier_f1.__doc__ = """Score by the F1 of the outliers: a scorer for searches.

Pass the object as ``scoring=outlier_f1``. It judges labels, and so the threshold,
too. The ``"f1"`` of scikit-learn scores the normal rows.

Read more in the :doc:`User Guide </guide/searching>`.

Parameters
----------
estimator : object
    A fitted detector, or a classifier of +1 and -1.
X : array-like of shape (n_samples, ...)
    Rows to score.
y_true : array-like of shape (n_samples,)
    True labels, +1 (normal) and -1 (outlier).
sample_weight : array-like of shape (n_samples,), default=None
    Weights >= 0; k means k copies.
**kwargs : dict
    Other metadata, as all scorers of scikit-learn take them.

Returns
-------
score : float
    That of `outlier_f1_score`.

See Also
--------
skae.outlier_f1_score : The same, of true labels and predictions.

Examples
--------
>>> from sklearn.ensemble import IsolationForest
>>> from skae import make_heartbeats, outlier_f1
>>> X, y = make_heartbeats(n_samples=100, random_state=0)
>>> forest = IsolationForest(random_state=0).fit(X)
>>> 0 <= outlier_f1(forest, X, y) <= 1
True
"""
outlier_average_precision.__doc__ = """Score by the average precision of the outliers.

Pass the object as ``scoring=outlier_average_precision``. It judges the ranking of
rows, whatever the threshold, above all where outliers are rare.

Read more in the :doc:`User Guide </guide/searching>`.

Parameters
----------
estimator : object
    A fitted detector, or a classifier of +1 and -1.
X : array-like of shape (n_samples, ...)
    Rows to score.
y_true : array-like of shape (n_samples,)
    True labels, +1 (normal) and -1 (outlier).
sample_weight : array-like of shape (n_samples,), default=None
    Weights >= 0; k means k copies.
**kwargs : dict
    Other metadata, as all scorers of scikit-learn take them.

Returns
-------
score : float
    That of `outlier_average_precision_score`.

See Also
--------
skae.outlier_average_precision_score : The same, of true labels and predictions.

Examples
--------
>>> from sklearn.ensemble import IsolationForest
>>> from skae import make_heartbeats, outlier_average_precision
>>> X, y = make_heartbeats(n_samples=100, random_state=0)
>>> forest = IsolationForest(random_state=0).fit(X)
>>> 0 <= outlier_average_precision(forest, X, y) <= 1
True
"""
outlier_roc_auc.__doc__ = """Score by the ROC AUC of the outliers: a scorer.

Pass the object as ``scoring=outlier_roc_auc``. It judges the ranking of rows,
whatever the threshold. With labels 0 and 1, the ``"roc_auc"`` of scikit-learn prefers
the worst detector.

Read more in the :doc:`User Guide </guide/searching>`.

Parameters
----------
estimator : object
    A fitted detector, or a classifier of +1 and -1.
X : array-like of shape (n_samples, ...)
    Rows to score.
y_true : array-like of shape (n_samples,)
    True labels, +1 (normal) and -1 (outlier).
sample_weight : array-like of shape (n_samples,), default=None
    Weights >= 0; k means k copies.
**kwargs : dict
    Other metadata, as all scorers of scikit-learn take them.

Returns
-------
score : float
    That of `outlier_roc_auc_score`.

See Also
--------
skae.outlier_roc_auc_score : The same, of true labels and predictions.

Examples
--------
>>> from sklearn.ensemble import IsolationForest
>>> from skae import make_heartbeats, outlier_roc_auc
>>> X, y = make_heartbeats(n_samples=100, random_state=0)
>>> forest = IsolationForest(random_state=0).fit(X)
>>> 0 <= outlier_roc_auc(forest, X, y) <= 1
True
"""


def reconstruction_score(
    estimator: Any,
    X: ArrayLike,
    y: Any = None,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return minus the mean squared error: a scorer for unlabelled data.

    Use it to choose an autoencoder without labels, or to compare it with PCA of the
    same width. It cannot choose a width: a wider code reconstructs better.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimator : estimator
        A fitted estimator with ``reconstruct``, or with ``transform`` and
        ``inverse_transform``, or a pipeline whose last step has ``reconstruct``.
    X : array-like of shape (n_samples, ...)
        Rows to reconstruct. Missing entries (NaN), where the estimator takes them, do
        not count.
    y : Ignored
        Not used, present for API consistency by convention.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0; k means k copies.

    Returns
    -------
    score : float
        Minus the mean squared error over rows and features, <= 0.

    Raises
    ------
    TypeError
        If `estimator` cannot reconstruct.

    Notes
    -----
    The score is in the units of `X`. But a pipeline that cannot be inverted as a whole
    and ends in a step with ``reconstruct`` is scored on the input of that step, in its
    units: search such a pipeline over the last step only.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from skae.metrics import reconstruction_score
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> narrow, wide = PCA(1).fit(X), PCA(3).fit(X)
    >>> reconstruction_score(narrow, X) < reconstruction_score(wide, X) < 0
    True
    """
    target, reconstruction = _target_and_reconstruction(estimator, X)
    # Where the estimator takes missing entries, so does the score.
    errors = reconstruction_error(target, reconstruction, allow_nan=True)
    weights = _check_weights(sample_weight, errors)
    return -float(np.average(errors, weights=weights))


# What scikit-learn calls on each scorer of a dict when a search is fitted with weights.
reconstruction_score._accept_sample_weight = lambda: True  # type: ignore[attr-defined]


def _target_and_reconstruction(estimator: Any, X: ArrayLike) -> tuple[Any, Any]:
    """Return what the estimator reconstructs, X or its last step's, and the result."""
    if hasattr(estimator, "reconstruct"):
        return X, estimator.reconstruct(X)
    if hasattr(estimator, "transform") and hasattr(estimator, "inverse_transform"):
        return X, estimator.inverse_transform(estimator.transform(X))
    if isinstance(estimator, Pipeline) and hasattr(estimator[-1], "reconstruct"):
        if len(estimator) > 1:
            X = estimator[:-1].transform(X)
        return X, estimator[-1].reconstruct(X)
    raise TypeError(
        f"reconstruction_score needs an estimator with reconstruct, or with transform "
        f"and inverse_transform, but got {estimator!r}. Use an autoencoder or PCA, "
        "and make sure that the steps before it have inverse_transform."
    )


def smallest_within_one_se(cv_results: Mapping[str, Any]) -> int:
    r"""Choose the narrowest code that scores as well as the best one.

    A ``refit=`` function for searches over ``latent_dim``: it takes the narrowest code
    whose mean score is within one standard error of the best.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    cv_results : dict of ndarrays
        The ``cv_results_`` of a search with one metric and one parameter named
        ``latent_dim``, with any prefix.

    Returns
    -------
    best_index : int
        Index of the candidate: among equally narrow ones the best, then the first.

    Raises
    ------
    ValueError
        If the results are those of several metrics, if no parameter or more than one
        is called ``latent_dim``, or if no candidate has a finite mean score.

    Notes
    -----
    The standard error is the standard deviation of the best candidate's scores over
    the K folds, divided by :math:`\sqrt{K}` ([1]_, [2]_). A ``latent_dim`` of None, or
    none at all in a list of grids, counts as the widest.

    References
    ----------
    .. [1] L. Breiman, J. H. Friedman, R. A. Olshen and C. J. Stone, "Classification
       and Regression Trees", section 3.4.3, 1984. :doi:`10.1201/9781315139470`
    .. [2] T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical
       Learning", section 7.10, 2009. :doi:`10.1007/978-0-387-84858-7`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import smallest_within_one_se
    >>> cv_results = {
    ...     "param_latent_dim": np.array([2, 4, 8]),
    ...     "split0_test_score": np.array([0.5, 0.7, 0.7]),
    ...     "split1_test_score": np.array([0.5, 0.9, 1.0]),
    ...     "mean_test_score": np.array([0.5, 0.8, 0.85]),
    ...     "std_test_score": np.array([0.0, 0.1, 0.15]),
    ... }
    >>> smallest_within_one_se(cv_results)
    1
    """
    columns = [key for key in cv_results if re.fullmatch(r"split\d+_test_score", key)]
    if "mean_test_score" not in cv_results or not columns:
        prefix = "mean_test_"
        metrics = sorted(
            key.removeprefix(prefix) for key in cv_results if key.startswith(prefix)
        )
        raise ValueError(
            "smallest_within_one_se needs the results of a search with one metric, but "
            f"cv_results holds the metrics {metrics!r}. Pass one scorer as scoring."
        )
    means = np.asarray(cv_results["mean_test_score"], dtype=float)
    stds = np.asarray(cv_results["std_test_score"], dtype=float)
    widths = _latent_dims(cv_results)
    candidates = np.flatnonzero(np.isfinite(means))
    if candidates.size == 0:
        raise ValueError(
            "smallest_within_one_se needs a candidate with a finite mean_test_score, "
            f"but all {len(means)} scores are nan or infinite. Search with "
            "error_score='raise' to see why."
        )
    best = candidates[np.argmax(means[candidates])]
    good_enough = means[best] - stds[best] / np.sqrt(len(columns))
    candidates = candidates[means[candidates] >= good_enough]
    # The last key is the first to sort by; equal rows keep their order.
    order = np.lexsort((-means[candidates], widths[candidates]))
    return int(candidates[order[0]])


def _latent_dims(cv_results: Mapping[str, Any]) -> np.ndarray:
    """Return the width of every candidate; infinity is the network's own."""
    parameters = {
        key: key.removeprefix("param_").split("__")[-1]
        for key in cv_results
        if key.startswith("param_")
    }
    columns = [key for key, name in parameters.items() if name == "latent_dim"]
    if len(columns) != 1:
        raise ValueError(
            "smallest_within_one_se needs one parameter named latent_dim, with any "
            f"prefix, but cv_results holds {columns or list(parameters)!r}. Search "
            "over one latent_dim, or pass another refit."
        )
    column: Any = np.ma.asarray(cv_results[columns[0]], dtype=object)
    # Masked is what a candidate of another grid has; pandas turns None into nan.
    absent = np.ma.getmaskarray(column)
    widths = [
        np.nan if masked or width is None else float(width)
        for width, masked in zip(column.data, absent, strict=True)
    ]
    return np.nan_to_num(widths, nan=np.inf, posinf=np.inf)

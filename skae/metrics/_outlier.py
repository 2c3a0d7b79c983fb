"""Metrics of outlier detection that score the outlier class.

scikit-learn's own ``f1_score`` and ``average_precision_score`` score the class +1,
which for outlier labels is the normal one. They rank detectors by how well they find
what is everywhere.
"""

import numpy as np
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.utils import check_consistent_length, column_or_1d

from skae._validation import check_outlier_labels, check_sample_weight


def outlier_f1_score(y_true, y_pred, *, sample_weight=None):
    """F1 score of the outliers.

    The harmonic mean of precision and recall of the class -1. It judges the
    threshold as well as the errors: use it to choose both.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, +1 (normal) and -1 (outlier).
    y_pred : array-like of shape (n_samples,)
        Predicted labels, +1 and -1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0. A weight of k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1. It is 0, without a warning, where there are no outliers or
        none is found: in a search, that is a bad candidate and not an accident.

    Raises
    ------
    ValueError
        If labels other than +1 and -1 come, or if lengths differ.

    See Also
    --------
    outlier_f1 : The same as a scorer.
    outlier_average_precision_score : Judges scores, without a threshold.

    Notes
    -----
    With TP the outliers found, FP the normal rows flagged and FN the outliers
    missed, the score is 2 TP / (2 TP + FP + FN).

    Examples
    --------
    >>> from skae.metrics import outlier_f1_score
    >>> outlier_f1_score([1, 1, 1, -1, -1], [1, 1, 1, -1, -1])
    1.0
    >>> outlier_f1_score([1, 1, 1, -1, -1], [1, 1, 1, 1, 1])
    0.0
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    y_true = check_outlier_labels(y_true, name="y_true")
    y_pred = check_outlier_labels(y_pred, name="y_pred")
    weights = _check_weights(sample_weight, y_true)
    return f1_score(
        y_true == -1, y_pred == -1, sample_weight=weights, zero_division=0.0
    )


def outlier_average_precision_score(y_true, score_samples, *, sample_weight=None):
    r"""Average precision of the outliers.

    The area under the curve of precision over recall of the class -1, over all
    thresholds. Use it to compare detectors whatever their threshold, above all where
    outliers are rare.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, +1 (normal) and -1 (outlier).
    score_samples : array-like of shape (n_samples,)
        Scores on scikit-learn's scale, where high means normal: what
        ``score_samples`` and ``decision_function`` of a detector return.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0. A weight of k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1. Scores without information get the share of outliers.

    Raises
    ------
    ValueError
        If labels other than +1 and -1 come, if only one of them comes, if scores are
        not finite, or if lengths differ.

    See Also
    --------
    outlier_average_precision : The same as a scorer.
    outlier_roc_auc_score : Does not depend on the share of outliers.

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
    return float(
        _outlier_ranking(average_precision_score, y_true, score_samples, sample_weight)
    )


def outlier_roc_auc_score(y_true, score_samples, *, sample_weight=None):
    """Area under the ROC curve of the outliers.

    The probability that an outlier has a lower score than a normal row, over all
    thresholds. Use it to compare detectors whatever their threshold and whatever the
    share of outliers.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, +1 (normal) and -1 (outlier).
    score_samples : array-like of shape (n_samples,)
        Scores on scikit-learn's scale, where high means normal: what
        ``score_samples`` and ``decision_function`` of a detector return.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0. A weight of k means k copies.

    Returns
    -------
    score : float
        Between 0 and 1. Scores without information get 0.5.

    Raises
    ------
    ValueError
        If labels other than +1 and -1 come, if only one of them comes, if scores are
        not finite, or if lengths differ.

    See Also
    --------
    outlier_roc_auc : The same as a scorer.
    outlier_average_precision_score : Tells more where outliers are rare.

    Examples
    --------
    >>> from skae.metrics import outlier_roc_auc_score
    >>> outlier_roc_auc_score([1, 1, 1, -1], [-0.1, -0.2, -0.1, -0.9])
    1.0
    """
    return float(_outlier_ranking(roc_auc_score, y_true, score_samples, sample_weight))


def _outlier_ranking(score_func, y_true, score_samples, sample_weight):
    """Call scikit-learn's metric with outliers as the positive class."""
    check_consistent_length(y_true, score_samples, sample_weight)
    y_true = check_outlier_labels(y_true, name="y_true")
    scores = column_or_1d(score_samples, input_name="score_samples")
    weights = _check_weights(sample_weight, y_true)
    present = y_true if weights is None else y_true[weights > 0]
    if (present == present[0]).all():
        raise ValueError(
            f"{score_func.__name__} needs outliers (-1) and normal rows (+1), but "
            f"y_true holds {present[0]:+.0f} only. Use a splitter that puts both into "
            "every test fold, such as InlierKFold."
        )
    return score_func(y_true == -1, -scores, sample_weight=weights)


def _check_weights(sample_weight, y_true):
    """Return float64 weights >= 0, or None, or raise."""
    if sample_weight is None:
        return None
    return check_sample_weight(
        sample_weight, y_true, dtype=np.float64, ensure_non_negative=True
    )

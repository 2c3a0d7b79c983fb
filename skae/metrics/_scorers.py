"""The scorers: what ``scoring=`` of searches and cross-validation takes."""

import numpy as np
from sklearn.metrics import make_scorer
from sklearn.pipeline import Pipeline

from skae._validation import check_sample_weight
from skae.metrics._outlier import (
    outlier_average_precision_score,
    outlier_f1_score,
    outlier_roc_auc_score,
)
from skae.metrics._reconstruction import reconstruction_error

# Each of them is high for normal rows: also the last two of a classifier on the labels
# +1 and -1, for which scikit-learn takes the larger label as the positive class. So a
# detector, a density model and a supervised baseline are scored alike.
_NORMALITY = ("decision_function", "score_samples", "predict_proba")

outlier_f1 = make_scorer(outlier_f1_score, response_method="predict")
outlier_average_precision = make_scorer(
    outlier_average_precision_score, response_method=_NORMALITY
)
outlier_roc_auc = make_scorer(outlier_roc_auc_score, response_method=_NORMALITY)


def reconstruction_score(estimator, X, y=None, *, sample_weight=None):
    """Minus the mean squared reconstruction error: a scorer for unlabelled data.

    Pass it as ``scoring=reconstruction_score`` to choose what an autoencoder looks
    like without labels, and to compare it with PCA of the same width. It does not
    choose a width: a wider code reconstructs better nearly always.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator with ``reconstruct``, or with ``transform`` and
        ``inverse_transform``, or a pipeline whose last step has ``reconstruct``.
    X : array-like of shape (n_samples, ...)
        Rows to reconstruct. All of them count, outliers too: leave them out of X
        where the score should be that of normal rows. Missing entries (NaN), where the
        estimator takes them, do not count.
    y : Ignored
        Not used, present for API consistency by convention.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0. A weight of k means k copies.

    Returns
    -------
    score : float
        Minus the mean squared error over rows and features, <= 0.

    Raises
    ------
    TypeError
        If `estimator` cannot reconstruct.

    See Also
    --------
    reconstruction_error : The same error of every row.
    outlier_f1 : A scorer for labelled data.

    Notes
    -----
    The score is in the units of `X`, with one exception. A pipeline that ends in a
    step with ``reconstruct`` and that cannot be inverted as a whole, such as a scaler
    before a detector, is scored on what that last step gets, in its units. Scores in
    different units do not compare: search such a pipeline over the last step only,
    or scale inside it.

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
    # What is missing in a target that an estimator took is missing by its leave.
    errors = reconstruction_error(target, reconstruction, allow_nan=True)
    if sample_weight is not None:
        sample_weight = check_sample_weight(
            sample_weight, errors, dtype=np.float64, ensure_non_negative=True
        )
    return -float(np.average(errors, weights=sample_weight))


# scikit-learn asks each scorer of a dict this question when a search is fitted with
# weights, and a plain function has no answer to it.
reconstruction_score._accept_sample_weight = lambda: True


def _target_and_reconstruction(estimator, X):
    """Return what the estimator was to reconstruct, and what came of it."""
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

"""The narrowest code that is as good as the best."""

import re

import numpy as np


def smallest_within_one_se(cv_results):
    r"""Choose the narrowest code that scores as well as the best one.

    A ``refit=`` function for searches over ``latent_dim``. Where scores stop growing
    with the width, the best of them is a matter of chance. This takes the narrowest
    code whose mean score is within one standard error of the best.

    Parameters
    ----------
    cv_results : dict of ndarrays
        The ``cv_results_`` of a search with one metric and one parameter named
        ``latent_dim``, with any prefix.

    Returns
    -------
    best_index : int
        Index of the candidate. Among equally narrow ones it has the best mean score,
        and among equally good ones it comes first.

    Raises
    ------
    ValueError
        If the results are those of several metrics, if no parameter or more than one
        is called ``latent_dim``, or if no candidate has a finite mean score.

    See Also
    --------
    skae.metrics.outlier_f1 : A score that stops growing with the width.
    skae.metrics.reconstruction_score : One that does not: even the last direction
        lowers the error, so that wide codes remain the choice.

    Notes
    -----
    The standard error is the standard deviation of the best candidate's scores over
    the K folds, divided by :math:`\sqrt{K}` ([1]_, [2]_). Candidates without a finite
    score are left out. A ``latent_dim`` of None, or none at all in a list of grids,
    is the network's own width and counts as the widest.

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
    means, stds, n_splits = _test_scores(cv_results)
    widths = _latent_dims(cv_results)
    candidates = np.flatnonzero(np.isfinite(means))
    if candidates.size == 0:
        raise ValueError(
            "smallest_within_one_se needs a candidate with a finite mean_test_score, "
            f"but all {len(means)} scores are nan or infinite. Search with "
            "error_score='raise' to see why."
        )
    best = candidates[np.argmax(means[candidates])]
    good_enough = means[best] - stds[best] / np.sqrt(n_splits)
    candidates = candidates[means[candidates] >= good_enough]
    # The last key is the first to sort by; equal rows keep their order.
    order = np.lexsort((-means[candidates], widths[candidates]))
    return int(candidates[order[0]])


def _test_scores(cv_results):
    """Return means, standard deviations and the number of splits of one metric."""
    columns = [key for key in cv_results if re.fullmatch(r"split\d+_test_score", key)]
    if "mean_test_score" not in cv_results or not columns:
        metrics = sorted(
            key.removeprefix("mean_test_")
            for key in cv_results
            if key.startswith("mean_test_")
        )
        raise ValueError(
            "smallest_within_one_se needs the results of a search with one metric, but "
            f"cv_results holds the metrics {metrics!r}. Pass one scorer as scoring."
        )
    means = np.asarray(cv_results["mean_test_score"], dtype=float)
    stds = np.asarray(cv_results["std_test_score"], dtype=float)
    return means, stds, len(columns)


def _latent_dims(cv_results):
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
    column = np.ma.asarray(cv_results[columns[0]], dtype=object)
    # Masked is what a candidate of another grid has; pandas turns None into nan.
    absent = np.ma.getmaskarray(column)
    widths = [
        np.nan if masked or width is None else float(width)
        for width, masked in zip(column.data, absent, strict=True)
    ]
    return np.nan_to_num(widths, nan=np.inf, posinf=np.inf)

"""The search: one grid, one progress bar, and the best candidate fitted at the end."""

import time
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skae._cli._progress import progress_bar

# The share of what the best candidate explains that a narrower code must keep.
KEPT_SHARE = 0.9


@dataclass(frozen=True)
class Found:
    """A fitted pipeline, and what the search for it was like."""

    name: str
    pipeline: Pipeline
    params: dict[str, Any]
    score: float
    n_candidates: int
    n_folds: int
    search_seconds: float
    fit_seconds: float
    candidates: list[dict[str, Any]]

    @property
    def detector(self):
        """The last step of the pipeline."""
        return self.pipeline["detector"]


def search(contender, X, y, *, scoring, cv, choose, n_jobs):
    """Search a contender's grid and fit the best candidate on the normal rows.

    Parameters
    ----------
    contender : Contender

    X : DataFrame of shape (n_samples, n_features)
        Rows to train and to judge on.

    y : ndarray of shape (n_samples,) or None
        +1 and -1; None: not known.

    scoring : callable
        Scorer.

    cv : splitter

    choose : callable
        From ``cv_results_`` to the number of the best candidate.

    n_jobs : int
        Number of processes.

    Returns
    -------
    found : Found
    """
    n_candidates = prod(len(values) for values in contender.grid.values())
    n_folds = cv.get_n_splits()
    start = time.perf_counter()
    with progress_bar(n_candidates * n_folds, contender.name) as counting:
        grid = GridSearchCV(
            contender.pipeline,
            contender.grid,
            scoring=counting(scoring),
            cv=cv,
            # Of all the steps only the detector leaves the outliers out by itself. A
            # refit on all rows would show them to the scaler, to PCA and to the forest.
            refit=False,
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, y)
    search_seconds = time.perf_counter() - start
    results = grid.cv_results_
    best = choose(results)
    pipeline = clone(contender.pipeline).set_params(**results["params"][best])
    start = time.perf_counter()
    pipeline.fit(X if y is None else X[y == 1])
    return Found(
        name=contender.name,
        pipeline=pipeline,
        params=_short(results["params"][best]),
        score=float(results["mean_test_score"][best]),
        n_candidates=n_candidates,
        n_folds=n_folds,
        search_seconds=search_seconds,
        fit_seconds=time.perf_counter() - start,
        candidates=[
            {**_short(params), "mean_score": float(mean), "std_score": float(std)}
            for params, mean, std in zip(
                results["params"],
                results["mean_test_score"],
                results["std_test_score"],
                strict=True,
            )
        ],
    )


def best_score(cv_results):
    """Return the candidate with the best mean score, the first of equal ones."""
    return int(np.argmax(cv_results["mean_test_score"]))


def narrowest_that_keeps(cv_results, baseline):
    """Return the narrowest code that explains nearly as much as the best candidate.

    Without labels, no score says which width finds outliers best. Reconstruction alone
    would take the widest code nearly always, and with it one that reconstructs outliers
    as well. So the code is as narrow as it can be while it keeps `KEPT_SHARE` of what
    the best candidate explains beyond `baseline`, the score of predicting the mean.
    Where no candidate explains anything, the best is taken.
    """
    explained = np.asarray(cv_results["mean_test_score"]) - baseline
    best = int(np.argmax(explained))
    if explained[best] <= 0:
        return best
    widths = [params["detector__latent_dim"] for params in cv_results["params"]]
    enough = np.flatnonzero(explained >= KEPT_SHARE * explained[best])
    return int(min(enough, key=lambda candidate: widths[candidate]))


def in_words(rule):
    """Return a rule as it would be written with all its parameters."""
    with config_context(print_changed_only=False):
        return repr(rule)


def _short(params):
    """Return parameters by their names in the detector, rules in words."""
    return {
        name.removeprefix("detector__"): (
            value if isinstance(value, (int, float, str)) else in_words(value)
        )
        for name, value in params.items()
    }

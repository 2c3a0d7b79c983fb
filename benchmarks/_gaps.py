"""Tables with entries taken away at random, and what fills them in again."""

import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from skae import AutoencoderTransformer, MaskingNoise

SHARE = 0.2


def tables(size):
    """Return complete tables by name; the first has rank 4 but for some noise."""
    rng = np.random.default_rng(0)
    low_rank = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 20))
    low_rank += 0.1 * rng.normal(size=low_rank.shape)
    found = {
        "rank 4": low_rank,
        "breast cancer": load_breast_cancer().data,
        "digits": load_digits().data,
    }
    return {name: size.rows(X) for name, X in found.items()}


def errors_in_gaps(X, seed, training):
    """Return root mean squared errors in standard deviations, by contender."""
    missing = np.random.default_rng(seed).random(X.shape) < SHARE
    missing[:, np.ptp(X, axis=0) == 0] = False  # a constant column has no scale
    gaps = np.where(missing, np.nan, X)
    spread = X.std(axis=0)
    found = {}
    for name, fill in contenders(seed, training).items():
        difference = (fill(gaps) - X)[missing]
        scale = np.broadcast_to(spread, X.shape)[missing]
        found[name] = float(np.sqrt(np.mean((difference / scale) ** 2)))
    return found


def contenders(seed, training):
    """Return functions that fill in gaps, by name."""

    def skae(corruption):
        transformer = AutoencoderTransformer(
            8, corruption=corruption, allow_nan=True, random_state=seed, **training
        )
        return lambda gaps: transformer.fit(gaps).impute(gaps)

    return {
        "skae, MaskingNoise": skae(MaskingNoise(SHARE)),
        "skae": skae(None),
        "column mean": SimpleImputer().fit_transform,
        "KNNImputer": KNNImputer().fit_transform,
        "IterativeImputer": lambda gaps: iterated(gaps, seed, training),
    }


def iterated(gaps, seed, training):
    """Return what IterativeImputer makes of gaps; it seldom ends before its limit."""
    limit = {"max_iter": 1} if training else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return IterativeImputer(random_state=seed, **limit).fit_transform(gaps)

"""Are skae's defaults good enough that a user need not touch them?

The estimators of this file get no parameter but ``random_state`` and, where codes are
compared, ``latent_dim``; where entries are missing, also what allows it, and practice.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from harness.data import Split, ecg_split
from harness.jobs import Bar, Jobs, Measurement, collect
from harness.rivals import (
    NeighborDistance,
    PCAErrors,
    mean_squared_error,
    pca_test_error,
)
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    MaskingNoise,
    ReconstructionOutlierDetector,
    outlier_roc_auc_score,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.jobs import Key, Size

JOBS = Jobs("defaults")

N_COMPONENTS = (2, 4, 8, 16)
N_NEIGHBORS = 5
GAPS = 0.2  # share of the entries
ALPHAS = np.logspace(-2, 4, 13)
BETTER_EVERY_TIME = Bar("<", 1.0, of_every=True)


@JOBS.job("ecg-outliers")
def ecg_outliers(size: Size) -> list[Measurement]:
    """Odd heartbeats of ECG5000, ranked by the default detector.

    Trained on the normal beats of the training part, in the data's own units, scored on
    the test part. PCA's reconstruction error and the mean distance to the 5 nearest
    training beats are shown on raw and on standardised columns; both are the same for
    every seed. The margin is over the best of the eight PCA. A wide code, 32 numbers
    with latent_dim=None, shows why the detector's own is narrow.
    """
    split = ecg_split(size)
    steady = _steady_ecg_rivals(split)
    best_pca = max(auc for name, auc in steady.items() if name.startswith("PCA"))
    quantity, margin = "ROC AUC", "ROC AUC above the best PCA"
    rounds = []
    for seed in size.seeds:
        detector = ReconstructionOutlierDetector(random_state=seed, **size.training())
        scores = detector.fit(split.normals).score_samples(split.X_test)
        auc = outlier_roc_auc_score(split.y_test, scores)
        wide = detector.set_params(latent_dim=None).fit(split.normals)
        wide_scores = wide.score_samples(split.X_test)
        forest = IsolationForest(random_state=seed)
        rounds.append(
            {
                (quantity, "skae"): auc,
                (margin, "skae"): auc - best_pca,
                (quantity, "skae, latent_dim=None"): outlier_roc_auc_score(
                    split.y_test, wide_scores
                ),
                (quantity, "IsolationForest"): _auc(
                    split, forest, split.normals, split.X_test
                ),
            }
        )
    bars = {
        (quantity, "skae"): Bar(">=", 0.992, of_every=True),
        (margin, "skae"): Bar(">", 0.0, of_every=True),
    }
    once = [Measurement(quantity, name, (auc,)) for name, auc in steady.items()]
    return collect(rounds, bars) + once


def _steady_ecg_rivals(split: Split) -> dict[str, float]:
    """Return the ROC AUC of the rivals that have no seed, by name."""
    scaler = StandardScaler().fit(split.normals)
    views = {
        "raw": (split.normals, split.X_test),
        "standardised": (
            scaler.transform(split.normals),
            scaler.transform(split.X_test),
        ),
    }
    found = {}
    for view, rows in views.items():
        for n_components in N_COMPONENTS:
            auc = _auc(split, PCAErrors(n_components), *rows)
            found[f"PCA({n_components}), {view}"] = auc
        auc = _auc(split, NeighborDistance(N_NEIGHBORS), *rows)
        found[f"{N_NEIGHBORS} nearest, {view}"] = auc
    return found


def _auc(split: Split, detector: Any, X: np.ndarray, X_test: np.ndarray) -> float:
    """Return the ROC AUC of a detector that learns some view of the normal beats."""
    return outlier_roc_auc_score(split.y_test, detector.fit(X).score_samples(X_test))


@JOBS.job("digits-code", one_value_per="split seed")
def digits_code(size: Size) -> list[Measurement]:
    """Digits through 8 numbers, by the default transformer and by PCA(8).

    Test mean squared error in the data's own units, 0 to 16, of scikit-learn's digits.
    """
    quantity, rival = "test MSE", "PCA(8)"
    rounds = [_with_rivals(quantity, _digits_code(seed, size)) for seed in size.seeds]
    return collect(rounds, {_ratio(quantity, rival): BETTER_EVERY_TIME})


@JOBS.job("digits-denoise", one_value_per="split seed")
def digits_denoise(size: Size) -> list[Measurement]:
    """Digits with Gaussian noise, restored by the default denoiser and by Ridge.

    All learn from the same noisy and clean rows. The noise is read in two ways: with a
    standard deviation of 0.3 on pixels in [0, 1], and of 0.3 times that of all pixels,
    which stay in their own units, 0 to 16. RidgeCV chooses among 13 values of alpha
    from 0.01 to 10,000.
    """
    digits = _digits(size)
    readings = {
        "test MSE, noise 0.3 on [0, 1]": (digits / 16, 0.3),
        "test MSE, noise 0.3 std on [0, 16]": (digits, 0.3 * digits.std()),
    }
    rounds = []
    for seed in size.seeds:
        errors = {}
        for quantity, (X, std) in readings.items():
            found = _digits_denoise(X, std, seed, size)
            errors |= _with_rivals(quantity, found)
        rounds.append(errors)
    return collect(
        rounds, {_ratio(name, "Ridge"): BETTER_EVERY_TIME for name in readings}
    )


@JOBS.job("missing-filled", one_value_per="draw of the gaps")
def missing_filled(size: Size) -> list[Measurement]:
    """A fifth of the entries of a table is taken away, and filled in again.

    Root mean squared error in the gaps, in standard deviations of the column. The
    tables are 2,000 rows of 20 columns of rank 4, with noise of a standard deviation of
    0.1, breast cancer (569 x 30) and digits (1,797 x 64). All are fitted on the rows
    whose gaps they fill. skae's transformer has latent_dim=8 and allow_nan=True; with
    corruption=MaskingNoise(0.2) it practises filling in. scikit-learn's imputers have
    their defaults.
    """
    practised = "skae, MaskingNoise"
    rounds = []
    for seed in size.seeds:
        errors = {}
        for table, X in _tables(size).items():
            found = _errors_in_gaps(X, seed, size.training())
            quantity = f"RMSE in gaps, {table}"
            errors |= {(quantity, name): error for name, error in found.items()}
            ratio = found[practised] / found["column mean"]
            errors[f"{quantity}, over the column mean's", practised] = ratio
        rounds.append(errors)
    ratios = [key for key in rounds[0] if key[0].endswith("the column mean's")]
    return collect(rounds, {key: BETTER_EVERY_TIME for key in ratios})


def _digits(size: Size) -> np.ndarray:
    """Return scikit-learn's digits."""
    return size.rows(load_digits().data)


def _digits_code(seed: int, size: Size) -> dict[str, float]:
    """Return the test errors of one split, by contender."""
    X_train, X_test = train_test_split(_digits(size), random_state=seed)
    transformer = AutoencoderTransformer(
        latent_dim=8, random_state=seed, **size.training()
    ).fit(X_train)
    return {
        "skae": mean_squared_error(transformer.reconstruct(X_test), X_test),
        "PCA(8)": pca_test_error(8, X_train, X_test),
    }


def _digits_denoise(
    X: np.ndarray, std: float, seed: int, size: Size
) -> dict[str, float]:
    """Return the test errors of one split and one draw of noise, by contender."""
    noisy = X + np.random.default_rng(seed).normal(scale=std, size=X.shape)
    split = train_test_split(noisy, X, random_state=seed)
    noisy_train, noisy_test, clean_train, clean_test = split
    contenders = {
        "skae": DenoisingRegressor(random_state=seed, **size.training()),
        "Ridge": Ridge(),
        "RidgeCV": RidgeCV(alphas=ALPHAS),
    }
    return {
        name: mean_squared_error(
            one.fit(noisy_train, clean_train).predict(noisy_test), clean_test
        )
        for name, one in contenders.items()
    }


def _with_rivals(quantity: str, errors: dict[str, float]) -> dict[Key, float]:
    """Return errors by (quantity, contender), and skae's over each rival's."""
    found = {(quantity, name): error for name, error in errors.items()}
    rivals = [name for name in errors if name != "skae"]
    return found | {
        _ratio(quantity, rival): errors["skae"] / errors[rival] for rival in rivals
    }


def _ratio(quantity: str, rival: str) -> Key:
    """Return the key under which skae's error over a rival's is collected."""
    return f"{quantity}, over {rival}'s", "skae"


def _tables(size: Size) -> dict[str, np.ndarray]:
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


def _errors_in_gaps(
    X: np.ndarray, seed: int, training: dict[str, int]
) -> dict[str, float]:
    """Return root mean squared errors in standard deviations, by contender."""
    missing = np.random.default_rng(seed).random(X.shape) < GAPS
    missing[:, np.ptp(X, axis=0) == 0] = False  # a constant column has no scale
    gaps = np.where(missing, np.nan, X)
    spread = X.std(axis=0)
    found = {}
    for name, fill in _imputers(seed, training).items():
        difference = (fill(gaps) - X)[missing]
        scale = np.broadcast_to(spread, X.shape)[missing]
        found[name] = float(np.sqrt(np.mean((difference / scale) ** 2)))
    return found


def _imputers(seed: int, training: dict[str, int]) -> dict[str, Callable]:
    """Return functions that fill in gaps, by name."""

    def skae(corruption: MaskingNoise | None) -> Callable:
        transformer = AutoencoderTransformer(
            8, corruption=corruption, allow_nan=True, random_state=seed, **training
        )
        return lambda gaps: transformer.fit(gaps).impute(gaps)

    return {
        "skae, MaskingNoise": skae(MaskingNoise(GAPS)),
        "skae": skae(None),
        "column mean": SimpleImputer().fit_transform,
        "KNNImputer": KNNImputer().fit_transform,
        "IterativeImputer": lambda gaps: _iterated(gaps, seed, training),
    }


def _iterated(gaps: np.ndarray, seed: int, training: dict[str, int]) -> np.ndarray:
    """Return rows filled by IterativeImputer, which seldom ends before its limit."""
    limit = {"max_iter": 1} if training else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return IterativeImputer(random_state=seed, **limit).fit_transform(gaps)


if __name__ == "__main__":
    JOBS.main(__doc__)

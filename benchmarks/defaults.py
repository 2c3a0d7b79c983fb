"""Are skae's defaults good enough that a user need not touch them?

The estimators of this file get no parameter but ``random_state`` and, where codes are
compared, ``latent_dim``; where entries are missing, also what allows it, and practice.
"""

import numpy as np
from _ecg import ecg_split
from _gaps import errors_in_gaps, tables
from _jobs import Jobs
from _measurements import Bar, Measurement, collect
from _rivals import (
    forest_errors,
    mean_squared_error,
    neighbor_distances,
    pca_errors,
    pca_test_error,
)
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    ReconstructionOutlierDetector,
)
from skae.metrics import outlier_roc_auc_score

JOBS = Jobs("defaults")

N_COMPONENTS = (2, 4, 8, 16)
N_NEIGHBORS = 5
ALPHAS = np.logspace(-2, 4, 13)
BETTER_EVERY_TIME = Bar("<", 1.0, of_every=True)


@JOBS.job("ecg-outliers")
def ecg_outliers(size):
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
        forest = _auc(split, forest_errors(seed, split.normals, split.X_test))
        rounds.append(
            {
                (quantity, "skae"): auc,
                (margin, "skae"): auc - best_pca,
                (quantity, "skae, latent_dim=None"): outlier_roc_auc_score(
                    split.y_test, wide_scores
                ),
                (quantity, "IsolationForest"): forest,
            }
        )
    bars = {
        (quantity, "skae"): Bar(">=", 0.992, of_every=True),
        (margin, "skae"): Bar(">", 0.0, of_every=True),
    }
    once = [Measurement(quantity, name, (auc,)) for name, auc in steady.items()]
    return collect(rounds, bars) + once


def _steady_ecg_rivals(split):
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
            errors = pca_errors(n_components, *rows)
            found[f"PCA({n_components}), {view}"] = _auc(split, errors)
        distances = neighbor_distances(N_NEIGHBORS, *rows)
        found[f"{N_NEIGHBORS} nearest, {view}"] = _auc(split, distances)
    return found


def _auc(split, errors):
    return outlier_roc_auc_score(split.y_test, -errors)


@JOBS.job("digits-code", one_value_per="split seed")
def digits_code(size):
    """Digits through 8 numbers, by the default transformer and by PCA(8).

    Test mean squared error in the data's own units, 0 to 16, of scikit-learn's digits.
    """
    quantity, rival = "test MSE", "PCA(8)"
    rounds = [_beside_rivals(quantity, _digits_code(seed, size)) for seed in size.seeds]
    return collect(rounds, {_ratio(quantity, rival): BETTER_EVERY_TIME})


@JOBS.job("digits-denoise", one_value_per="split seed")
def digits_denoise(size):
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
            errors |= _beside_rivals(quantity, found)
        rounds.append(errors)
    return collect(
        rounds, {_ratio(name, "Ridge"): BETTER_EVERY_TIME for name in readings}
    )


@JOBS.job("missing-filled", one_value_per="draw of the gaps")
def missing_filled(size):
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
        for table, X in tables(size).items():
            found = errors_in_gaps(X, seed, size.training())
            quantity = f"RMSE in gaps, {table}"
            errors |= {(quantity, name): error for name, error in found.items()}
            ratio = found[practised] / found["column mean"]
            errors[f"{quantity}, over the column mean's", practised] = ratio
        rounds.append(errors)
    ratios = [key for key in rounds[0] if key[0].endswith("the column mean's")]
    return collect(rounds, {key: BETTER_EVERY_TIME for key in ratios})


def _digits(size):
    return size.rows(load_digits().data)


def _digits_code(seed, size):
    """Return the test errors of one split, by contender."""
    X_train, X_test = train_test_split(_digits(size), random_state=seed)
    transformer = AutoencoderTransformer(
        latent_dim=8, random_state=seed, **size.training()
    ).fit(X_train)
    return {
        "skae": mean_squared_error(transformer.reconstruct(X_test), X_test),
        "PCA(8)": pca_test_error(8, X_train, X_test),
    }


def _digits_denoise(X, std, seed, size):
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


def _beside_rivals(quantity, errors):
    """Return errors by (quantity, contender), and skae's over each rival's."""
    found = {(quantity, name): error for name, error in errors.items()}
    rivals = [name for name in errors if name != "skae"]
    return found | {
        _ratio(quantity, rival): errors["skae"] / errors[rival] for rival in rivals
    }


def _ratio(quantity, rival):
    """Return the key under which skae's error over a rival's is collected."""
    return f"{quantity}, over {rival}'s", "skae"


if __name__ == "__main__":
    JOBS.main(__doc__)

"""Tests of ReconstructionOutlierDetector in addition to what all estimators share."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split

from skae import (
    IQR,
    MAD,
    Contamination,
    DenseNetwork,
    FixedThreshold,
    InlierKFold,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
    make_heartbeats,
    outlier_f1,
    outlier_f1_score,
    reconstruction_error,
)


def quick(**params):
    defaults = {"epochs": 5, "random_state": 0, "threshold_on": "train"}
    return ReconstructionOutlierDetector(**{**defaults, **params})


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 3)) @ rng.normal(size=(3, 8)) * np.logspace(-1, 3, 8)


@pytest.mark.parametrize("error", ["mse", "mae", "standardized"])
def test_identities(X, error):
    detector = quick(error=error).fit(X)
    s = detector.scaler_.transform
    scale = {"feature_scale": detector.feature_scale_} if error[0] == "s" else {}
    errors = reconstruction_error(
        s(X), s(detector.reconstruct(X)), error=error, **scale
    )
    scores = detector.score_samples(X)
    np.testing.assert_allclose(scores, -errors, rtol=1e-9)
    assert scores.dtype == np.float64
    assert detector.offset_ == -detector.threshold_
    np.testing.assert_array_equal(
        detector.decision_function(X), scores - detector.offset_
    )
    np.testing.assert_array_equal(
        detector.predict(X), np.where(scores - detector.offset_ >= 0, 1, -1)
    )
    np.testing.assert_array_equal(detector.train_errors_, -scores)
    assert detector.reconstruction_err_ == pytest.approx(-scores.mean())
    np.testing.assert_allclose(detector.feature_errors(X).sum(axis=1), -scores)
    np.testing.assert_allclose(
        detector.decode(detector.encode(X)), detector.reconstruct(X)
    )
    if error == "standardized":
        assert detector.reconstruction_err_ == pytest.approx(1.0)


def test_feature_errors_of_images():
    images = np.random.default_rng(0).normal(size=(30, 4, 3, 1))
    detector = quick().fit(images)
    errors = detector.feature_errors(images)
    assert errors.shape == images.shape
    np.testing.assert_allclose(
        errors.sum(axis=(1, 2, 3)), -detector.score_samples(images)
    )


def test_standardized_error_survives_constant_features(X):
    X = X.copy()
    X[:, 0] = 3.0
    detector = quick(error="standardized").fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert (detector.feature_scale_ > 0).all()


def test_rows_scored_alone_score_alike(X):
    detector = quick().fit(X)
    alone = np.concatenate([detector.score_samples(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(alone, detector.score_samples(X), rtol=1e-12)


# ------------------------------------------------------------------ thresholds


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3])
def test_contamination_flags_exactly_its_share(X, fraction):
    detector = quick(threshold=Contamination(fraction)).fit(X)
    assert (detector.predict(X) == -1).sum() == round(fraction * 300)


def test_default_threshold_is_a_contamination_of_one_tenth(X):
    detector = quick().fit(X)
    assert isinstance(detector.threshold_rule_, Contamination)
    assert (detector.fit_predict(X) == -1).sum() == 30


@pytest.mark.parametrize(
    "rule", [FixedThreshold(0.3), MeanStd(2), Quantile(0.9), MAD(3), IQR(1.5)]
)
def test_rules_see_the_training_errors(X, rule):
    detector = quick(threshold=rule).fit(X)
    assert detector.threshold_ == rule.fit(detector.train_errors_).threshold_
    assert detector.threshold_rule_ is not rule


def test_a_number_is_a_fixed_threshold(X):
    detector = quick(threshold=0.03).fit(X)
    assert detector.threshold_ == 0.03
    with pytest.raises(
        ValueError, match=r"threshold is 0.03, which has no parameters; pass a rule"
    ):
        detector.set_params(threshold__n_std=2)
    with pytest.raises(ValueError, match="threshold must be None, a number or a thres"):
        quick(threshold="auto").fit(X)


@pytest.mark.parametrize(
    "rule",
    [Quantile(95), Contamination(5), FixedThreshold(-2), MeanStd("x"), MAD(-3)],
)
def test_parameters_of_a_rule_are_checked_before_training(X, rule):
    message = f"The '.*' parameter of {type(rule).__name__} must be a float"
    detector = quick(threshold=rule)
    for fit in (detector.fit, detector.partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(X)
    assert not hasattr(detector, "autoencoder_")


def test_nested_name_on_the_default_threshold(X):
    detector = quick().set_params(threshold__fraction=0.2).fit(X)
    assert (detector.predict(X) == -1).sum() == 60


def test_fit_threshold_trains_nothing(X):
    detector = quick().fit(X)
    scores, errors = detector.score_samples(X), detector.train_errors_
    assert detector.set_params(threshold=Quantile(0.5)).fit_threshold() is detector
    assert detector.threshold_ == pytest.approx(np.median(errors))
    assert detector.offset_ == -detector.threshold_
    detector.fit_threshold(X[:50])
    assert detector.threshold_ == pytest.approx(np.median(-scores[:50]))
    y = np.where(np.arange(50) < 20, -1, 1)
    detector.fit_threshold(X[:50], y)
    assert detector.threshold_ == pytest.approx(np.median(-scores[20:50]))
    np.testing.assert_array_equal(detector.score_samples(X), scores)
    with pytest.raises(ValueError, match="y is given without X"):
        detector.fit_threshold(y=y)


def test_fit_threshold_remembers_the_weights(X):
    weight = np.random.default_rng(0).integers(0, 4, size=300)
    detector = quick().fit(X, sample_weight=weight)
    learned = detector.threshold_
    assert detector.fit_threshold().threshold_ == learned
    repeated = np.repeat(detector.train_errors_, weight[weight > 0])
    assert Contamination().fit(repeated).threshold_ == pytest.approx(learned)


# ---------------------------------------------------------------------- labels


def test_outliers_never_train(X):
    y = np.where(np.arange(300) % 5 == 0, -1, 1)
    spoiled = X.copy()
    spoiled[y == -1] = 1e6
    labelled, inliers = quick().fit(spoiled, y), quick().fit(X[y == 1])
    np.testing.assert_array_equal(labelled.score_samples(X), inliers.score_samples(X))
    assert labelled.threshold_ == inliers.threshold_
    assert len(labelled.train_errors_) == 240
    np.testing.assert_array_equal(labelled.scaler_.center_, inliers.scaler_.center_)
    passes = quick().partial_fit(spoiled, y), quick().partial_fit(X[y == 1])
    np.testing.assert_array_equal(*(p.score_samples(X) for p in passes))
    weighted = quick().fit(spoiled, y, sample_weight=np.ones(300))
    np.testing.assert_allclose(weighted.score_samples(X), inliers.score_samples(X))


@pytest.mark.parametrize("y", [np.arange(300) % 3, ["a", "b", "c"] * 100, [True] * 300])
def test_any_other_label_is_normal(X, y):
    detector = quick().fit(X, y)
    np.testing.assert_array_equal(
        detector.score_samples(X), quick().fit(X).score_samples(X)
    )


@pytest.mark.parametrize(
    ("y", "common", "rare"),
    [
        ([0] * 290 + [1] * 10, "0", "1"),
        ([True] * 5 + [False] * 295, "False", "True"),
        (["ok"] * 200 + ["bad"] * 100, "'ok'", "'bad'"),
    ],
)
def test_two_other_labels_look_like_outliers_unsaid(X, y, common, rare):
    message = (
        f"y holds the labels {common} and {rare}, but no -1: all rows are taken as "
        f"normal. If {rare} marks the outliers, pass np.where(y == {rare}, -1, 1)."
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as seen:
        detector = quick().fit(X, y)
    assert seen[0].filename == __file__
    assert len(detector.train_errors_) == 300
    with pytest.warns(UserWarning, match="y holds the labels") as seen:
        detector.partial_fit(X, y)
    assert seen[0].filename == __file__
    with pytest.warns(UserWarning, match="y holds the labels") as seen:
        detector.fit_threshold(X, y)
    assert seen[0].filename == __file__


def test_labels_that_leave_no_normal_rows(X):
    y = -np.ones(300)
    with pytest.raises(ValueError, match="y labels all but 0 of 300 rows as outliers"):
        quick().fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit(X, y[:10])
    with pytest.raises(ValueError, match=r"y has shape \(300, 2\), but must hold one"):
        quick().fit(X, np.ones((300, 2)))


def test_validation_outliers_are_left_out(X):
    X_val = np.vstack([X[:20], np.full((5, 8), 1e6)])
    y_val = np.r_[np.ones(20), -np.ones(5)]
    labelled = quick().fit(X, X_val=X_val, y_val=y_val)
    clean = quick().fit(X, X_val=X[:20])
    assert labelled.history_ == clean.history_


def test_no_score():
    assert not hasattr(ReconstructionOutlierDetector, "score")


# ----------------------------------------------------------------- explanation


def test_explain(X):
    frame = pd.DataFrame(X, columns=list("abcdefgh"), index=np.arange(300) * 10)
    detector = quick(epochs=100).fit(frame)
    outliers = frame.iloc[:4].copy()
    outliers.iloc[2, 5] += 50 * X[:, 5].std()
    table = detector.explain(outliers, top_k=3)
    assert table.columns.tolist() == [
        "row",
        "rank",
        "feature",
        "value",
        "reconstruction",
        "error",
        "share",
    ]
    assert table["row"].tolist() == [0] * 3 + [10] * 3 + [20] * 3 + [30] * 3
    assert table["rank"].tolist() == [1, 2, 3] * 4
    first = table[(table["row"] == 20) & (table["rank"] == 1)].iloc[0]
    assert first["feature"] == "f"
    assert first["value"] == outliers.iloc[2, 5]
    assert first["reconstruction"] == detector.reconstruct(outliers)[2, 5]
    everything = detector.explain(outliers, top_k=100)
    assert len(everything) == 4 * 8
    sums = everything.groupby("row", sort=False)[["error", "share"]].sum()
    np.testing.assert_allclose(sums["error"], -detector.score_samples(outliers))
    np.testing.assert_allclose(sums["share"], 1.0)


def test_explain_top_k_must_be_a_positive_integer(X):
    detector = quick(epochs=1).fit(X)
    for top_k in (0, -1, 1.5, "all"):
        with pytest.raises(ValueError, match="The 'top_k' parameter of explain must"):
            detector.explain(X, top_k=top_k)


# ------------------------------------------------------------------- workflows


def test_workflow_of_a_search_over_network_and_rule(tmp_path):
    X, y = make_heartbeats(n_samples=400, random_state=0)
    detector = quick(latent_dim=8, memory=str(tmp_path), epochs=10)
    rules = [MeanStd(1), MeanStd(2), Quantile(0.95), Contamination(0.05)]
    search = GridSearchCV(
        detector,
        {"latent_dim": [2, 8], "threshold": rules},
        scoring=outlier_f1,
        cv=InlierKFold(3),
    ).fit(X, y)
    best = search.best_estimator_
    assert len(best.train_errors_) == (y == 1).sum()
    assert set(best.predict(X)) == {-1, 1}
    assert outlier_f1_score(y, best.predict(X)) > 0.3


def test_detects_abnormal_heartbeats():
    X, y = make_heartbeats(n_samples=1500, random_state=0)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, random_state=0
    )
    detector = ReconstructionOutlierDetector(epochs=60, random_state=0)
    detector.fit(X_train, y_train)
    assert roc_auc_score(y_test, detector.score_samples(X_test)) > 0.8


def test_tutorial_network_on_ecg5000(data_folder):
    with np.load(data_folder / "ecg5000.npz") as file:
        X, y = file["X"], file["y"]
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=21
    )
    low, high = X_train.min(), X_train.max()
    detector = ReconstructionOutlierDetector(
        latent_dim=8,
        network=DenseNetwork(
            (32, 16), latent_activation="relu", output_activation="sigmoid"
        ),
        scaler=None,
        loss="mae",
        error="mae",
        epochs=20,
        batch_size=512,
        validation_fraction=None,
        patience=None,
        threshold=MeanStd(1),
        random_state=0,
    ).fit((X_train[y_train == 1] - low) / (high - low))
    normal = detector.predict((X_test - low) / (high - low)) == 1
    assert (normal == (y_test == 1)).mean() >= 0.93


def test_fit_predict_learns_from_labels_as_fit_does(X):
    y = np.where(np.arange(len(X)) % 5 == 0, -1, 1)
    weight = np.linspace(1, 2, len(X))
    labels = quick().fit_predict(X, y, sample_weight=weight)
    expected = quick().fit(X, y, sample_weight=weight).predict(X)
    np.testing.assert_array_equal(labels, expected)
    assert (labels != quick().fit_predict(X)).any()


@pytest.mark.parametrize("error", ["auto", "mse", "standardized"])
def test_no_row_has_an_empty_explanation(X, error):
    detector = quick(error=error).fit(X)
    table = detector.explain(X[:0])
    assert table.shape == (0, 7)
    assert list(table) == list(detector.explain(X[:1]))

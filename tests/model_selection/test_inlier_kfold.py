"""InlierKFold never trains on outliers."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae.metrics import (
    outlier_average_precision,
    outlier_f1,
    outlier_roc_auc,
    reconstruction_error,
)
from skae.model_selection import InlierKFold
from skae.thresholds import as_threshold_rule


@st.composite
def labels_and_splitters(draw):
    """Labels with at least as many rows of each class as folds, and a splitter."""
    n_splits = draw(st.integers(2, 5))
    counts = [draw(st.integers(n_splits, 20)) for _ in "ab"]
    y = np.array(draw(st.permutations(np.repeat([1, -1], counts).tolist())))
    shuffle = draw(st.booleans())
    random_state = draw(st.integers(0, 2**32 - 1)) if shuffle else None
    return y, InlierKFold(n_splits, shuffle=shuffle, random_state=random_state)


class TestInlierKFold:
    @given(sample=labels_and_splitters())
    @settings(max_examples=60, deadline=None)
    def test_every_split(self, sample):
        y, splitter = sample
        folds = list(splitter.split(np.zeros((len(y), 1)), y))
        assert len(folds) == splitter.get_n_splits()
        # Every row is tested once.
        tests = np.concatenate([test for _, test in folds])
        assert_array_equal(np.sort(tests), np.arange(len(y)))
        for train, test in folds:
            assert set(y[test]) == {1, -1}
            # Training rows are the inliers that are not tested: all, and only these.
            expected = np.setdiff1d(np.flatnonzero(y == 1), test)
            assert_array_equal(train, expected)
        outliers = [np.sum(y[test] == -1) for _, test in folds]
        assert max(outliers) - min(outliers) <= 1

    @given(sample=labels_and_splitters())
    @settings(max_examples=30, deadline=None)
    def test_test_folds_are_those_of_stratified_k_fold(self, sample):
        y, ours = sample
        theirs = StratifiedKFold(
            ours.n_splits, shuffle=ours.shuffle, random_state=ours.random_state
        )
        for (_, test), (_, expected) in zip(
            ours.split(y, y), theirs.split(y, y), strict=True
        ):
            assert_array_equal(test, expected)

    def test_labels_may_come_as_lists_floats_or_series(self):
        y = [1, -1, 1, -1, 1]
        expected = list(InlierKFold(2).split(y, y))
        for labels in (np.array(y, float), pd.Series(y, index=list("abcde"))):
            for (train, test), (train_0, test_0) in zip(
                InlierKFold(2).split(y, labels), expected, strict=True
            ):
                assert_array_equal(train, train_0)
                assert_array_equal(test, test_0)

    def test_shuffling_without_a_seed_is_fresh(self):
        y = np.repeat([1, -1], 500)
        splitter = InlierKFold(2, shuffle=True)
        (_, first), _ = splitter.split(y, y)
        (_, second), _ = splitter.split(y, y)
        assert not np.array_equal(first, second)

    def test_repr_and_pickle(self):
        splitter = InlierKFold(3, shuffle=True, random_state=0)
        text = "InlierKFold(n_splits=3, random_state=0, shuffle=True)"
        assert repr(splitter) == text
        assert repr(pickle.loads(pickle.dumps(splitter))) == text

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (None, "InlierKFold needs y with the labels .* y is None. Without labels"),
            ([0, 1, 0, 1], r"y must hold only the labels .* np.where\(y == 1, -1, 1\)"),
            (
                [1, 1, 1, -1],
                r"one outlier \(y == -1\) per test fold, n_splits=2 in all,",
            ),
            ([1, 1, 1, 1], "but y holds 0. Lower n_splits, or label more rows"),
            ([1, -1, -1, -1], r"at least one inlier \(y == \+1\) per .* y holds 1."),
            ([1, -1], "inconsistent numbers of samples"),
        ],
    )
    def test_labels_it_refuses(self, y, message):
        with pytest.raises(ValueError, match=message):
            list(InlierKFold(2).split(np.zeros((4, 1)), y))

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"n_splits": 1}, ValueError, "at least one train/test split"),
            ({"n_splits": 2.5}, ValueError, "must be of Integral type"),
            ({"shuffle": 1}, TypeError, "shuffle must be True or False"),
            ({"random_state": 0}, ValueError, "Setting a random_state has no effect"),
        ],
    )
    def test_bad_parameters_are_refused_at_once(self, parameters, error, message):
        with pytest.raises(error, match=message):
            InlierKFold(**parameters)


class ToyDetector(OutlierMixin, BaseEstimator):
    """PCA as a detector, which refuses to be trained on outliers."""

    def __init__(self, latent_dim=2, threshold=None):
        self.latent_dim = latent_dim
        self.threshold = threshold

    def fit(self, X, y=None):
        assert y is None or set(np.unique(y)) == {1}
        self.pca_ = PCA(self.latent_dim).fit(X)
        rule = as_threshold_rule(self.threshold)
        self.offset_ = -rule.fit(-self.score_samples(X)).threshold_
        return self

    def score_samples(self, X):
        reconstruction = self.pca_.inverse_transform(self.pca_.transform(X))
        return -reconstruction_error(X, reconstruction)

    def decision_function(self, X):
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        return np.where(self.decision_function(X) >= 0, 1, -1)


@pytest.fixture(scope="module")
def labelled():
    """Rows around 0 with label +1, and a few far from them with label -1, sorted."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(90, 3)), rng.normal(size=(10, 3)) + 8])
    return X, np.repeat([1, -1], [90, 10])


class TestSearchesWithInlierKFold:
    def test_cross_validation(self, labelled):
        X, y = labelled
        cv = InlierKFold(3, shuffle=True, random_state=0)
        scores = cross_val_score(
            ToyDetector(1), X, y, scoring=outlier_roc_auc, cv=cv, error_score="raise"
        )
        results = cross_validate(
            ToyDetector(1),
            X,
            y,
            scoring={"auc": outlier_roc_auc, "f1": outlier_f1},
            cv=cv,
            error_score="raise",
        )
        assert_array_equal(results["test_auc"], scores)
        assert scores.min() > 0.5

    def test_search(self, labelled):
        X, y = labelled
        search = GridSearchCV(
            make_pipeline(
                StandardScaler(), IsolationForest(n_estimators=20, random_state=0)
            ),
            {"isolationforest__contamination": [0.01, 0.5]},
            scoring=outlier_f1,
            cv=InlierKFold(3),
            error_score="raise",
        ).fit(X, y)
        assert search.best_params_ == {"isolationforest__contamination": 0.01}
        assert search.n_splits_ == 3

    def test_scores_of_training_folds_are_nan_with_a_short_warning(self, labelled):
        """Searches by halving ask for them by default."""
        X, y = labelled
        search = GridSearchCV(
            ToyDetector(),
            {"latent_dim": [1, 2]},
            scoring=dict(
                f1=outlier_f1, ap=outlier_average_precision, auc=outlier_roc_auc
            ),
            refit=False,
            cv=InlierKFold(3),
            return_train_score=True,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            search.fit(X, y)
        for name in ("f1", "ap", "auc"):
            assert np.isnan(search.cv_results_[f"mean_train_{name}"]).all()
            assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
        texts = [str(one.message) for one in caught]
        ours = [text for text in texts if "return_train_score=False" in text]
        assert len(set(ours)) == 1  # one text, for all folds and scorers
        assert len(ours[0]) < 250
        # Of scikit-learn: that some train scores are not finite.
        assert all("train scores" in text for text in texts if text not in ours)

    def test_metadata_routing(self, labelled):
        X, y = labelled
        splitter = InlierKFold(2)
        # scikit-learn's splitters without groups route nothing: so does this one.
        assert repr(splitter.get_metadata_routing()) == repr(
            StratifiedKFold(2).get_metadata_routing()
        )
        with sklearn.config_context(enable_metadata_routing=True):
            scores = cross_val_score(
                ToyDetector(1), X, y, scoring=outlier_roc_auc, cv=splitter, params={}
            )
        assert scores.min() > 0.5

    def test_real_heartbeats(self, data_folder):
        with np.load(data_folder / "ecg5000.npz") as file:
            X, y = file["X"][::5], np.where(file["y"][::5] == 1, 1, -1)
        scores = cross_val_score(
            ToyDetector(8), X, y, scoring=outlier_roc_auc, cv=InlierKFold(3)
        )
        assert scores.min() > 0.8

"""Scorers: in searches, pipelines and processes, with the sign the right way round."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from packaging.version import Version
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae.metrics import (
    outlier_average_precision,
    outlier_f1,
    outlier_f1_score,
    outlier_roc_auc,
    reconstruction_error,
    reconstruction_score,
)
from skae.model_selection import InlierKFold

OUTLIER_SCORERS = {
    "f1": outlier_f1,
    "ap": outlier_average_precision,
    "auc": outlier_roc_auc,
}


@pytest.fixture(scope="module")
def labelled():
    """Rows around 0 with label +1, and a few far from them with label -1."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(90, 3)), rng.normal(size=(10, 3)) + 8])
    return X, np.repeat([1, -1], [90, 10])


@pytest.fixture(scope="module")
def low_rank():
    """Rows near a plane, whose features differ in offset and scale."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 5))
    return (X + 0.1 * rng.normal(size=X.shape)) * [1, 2, 5, 10, 20] + 3


class ToyDetector(OutlierMixin, BaseEstimator):
    """A detector that reconstructs with PCA and flags the worst tenth."""

    def __init__(self, latent_dim=2):
        self.latent_dim = latent_dim

    def fit(self, X, y=None):
        self.pca_ = PCA(self.latent_dim).fit(X)
        self.offset_ = np.quantile(self.score_samples(X), 0.1)
        return self

    def reconstruct(self, X):
        return self.pca_.inverse_transform(self.pca_.transform(X))

    def score_samples(self, X):
        return -reconstruction_error(X, self.reconstruct(X))

    def predict(self, X):
        return np.where(self.score_samples(X) >= self.offset_, 1, -1)


class ToyDensity(BaseEstimator):
    """A density model: it has no transform and no reconstruct."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def score_samples(self, X):
        return -np.sum((X - self.mean_) ** 2, axis=1)


class TestOutlierScorers:
    @pytest.mark.parametrize("scorer", OUTLIER_SCORERS.values(), ids=OUTLIER_SCORERS)
    @pytest.mark.parametrize(
        "detector",
        [
            IsolationForest(n_estimators=30, contamination=0.05, random_state=0),
            make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
            ToyDetector(),
        ],
        ids=repr,
    )
    def test_good_detectors_score_high(self, labelled, scorer, detector):
        X, y = labelled
        detector = clone(detector).fit(X[y == 1])
        assert scorer(detector, X, y) > 0.6
        # The same rows, with the labels the wrong way round.
        assert scorer(detector, X, -y) < 0.4 or scorer is outlier_average_precision

    @pytest.mark.parametrize("scorer", [outlier_average_precision, outlier_roc_auc])
    @pytest.mark.parametrize(
        "estimator",
        [
            LogisticRegression(),
            RandomForestClassifier(n_estimators=10, random_state=0),
            pytest.param(
                GaussianMixture(random_state=0),
                marks=pytest.mark.skipif(
                    Version(sklearn.__version__) < Version("1.9"),
                    reason="older scorers take a density model for a regressor",
                ),
            ),
        ],
        ids=repr,
    )
    def test_classifiers_and_density_models_score_alike(
        self, labelled, scorer, estimator
    ):
        X, y = labelled
        estimator = clone(estimator)
        rows = y == 1 if isinstance(estimator, GaussianMixture) else slice(None)
        estimator.fit(X[rows], y[rows])
        assert scorer(estimator, X, y) > 0.95

    def test_f1_judges_the_predictions(self, labelled):
        X, y = labelled
        forest = IsolationForest(n_estimators=30, random_state=0).fit(X)
        assert outlier_f1(forest, X, y) == outlier_f1_score(y, forest.predict(X))

    @pytest.mark.parametrize("scorer", OUTLIER_SCORERS.values(), ids=OUTLIER_SCORERS)
    def test_pickle(self, labelled, scorer):
        X, y = labelled
        forest = IsolationForest(n_estimators=10, random_state=0).fit(X)
        copy = pickle.loads(pickle.dumps(scorer))
        assert copy(forest, X, y) == scorer(forest, X, y)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_search_with_several_metrics(self, labelled, n_jobs):
        X, y = labelled
        search = GridSearchCV(
            make_pipeline(
                StandardScaler(), IsolationForest(n_estimators=20, random_state=0)
            ),
            {"isolationforest__contamination": [0.001, 0.1, 0.5]},
            scoring={**OUTLIER_SCORERS},
            refit="f1",
            cv=InlierKFold(2),
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(X, y)
        results = search.cv_results_
        # Half of the normal rows flagged is the worst choice of a threshold, and the
        # ranking does not see thresholds.
        assert np.argmin(results["mean_test_f1"]) == 2
        assert np.ptp(results["mean_test_auc"]) == 0
        assert results["mean_test_auc"].min() > 0.9

    @pytest.mark.parametrize("scorer", OUTLIER_SCORERS.values(), ids=OUTLIER_SCORERS)
    def test_labels_of_zero_and_one_stop_a_search(self, labelled, scorer):
        X, y = labelled
        search = GridSearchCV(
            IsolationForest(n_estimators=5, random_state=0),
            {"contamination": [0.1]},
            scoring=scorer,
            cv=2,
            error_score="raise",
        )
        with pytest.raises(
            ValueError, match=r"If 1 marks the outliers, pass np\.where"
        ):
            search.fit(X, (y == -1).astype(int))

    def test_weights_reach_the_metric(self, labelled):
        X, y = labelled
        forest = IsolationForest(
            n_estimators=20, contamination=0.3, random_state=0
        ).fit(X)
        weights = np.where(forest.predict(X) == y, 1.0, 0.0)
        assert outlier_f1(forest, X, y) < 1
        assert outlier_f1(forest, X, y, sample_weight=weights) == 1.0

    def test_metadata_routing(self, labelled):
        X, y = labelled
        with sklearn.config_context(enable_metadata_routing=True):
            scorer = pickle.loads(pickle.dumps(outlier_f1))
            scorer.set_score_request(sample_weight=True)
            scores = cross_val_score(
                LocalOutlierFactor(novelty=True),
                X,
                y,
                scoring=scorer,
                cv=InlierKFold(2),
                params={"sample_weight": np.ones(len(y))},
                error_score="raise",
            )
        assert scores.min() > 0


class TestReconstructionScore:
    def test_reconstruct_comes_first(self, low_rank):
        detector = ToyDetector().fit(low_rank)
        assert_allclose(
            reconstruction_score(detector, low_rank),
            detector.score_samples(low_rank).mean(),
        )

    def test_pca_is_scored_in_the_units_of_X(self, low_rank):
        pca = PCA(2).fit(low_rank)
        residual = low_rank - pca.inverse_transform(pca.transform(low_rank))
        expected = -np.mean(residual**2)
        assert_allclose(reconstruction_score(pca, low_rank), expected)
        assert type(reconstruction_score(pca, low_rank)) is float

    def test_invertible_pipeline_is_scored_in_the_units_of_X(self, low_rank):
        pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(low_rank)
        scaler, pca = pipeline
        scaled = scaler.transform(low_rank)
        residual = scaled - pca.inverse_transform(pca.transform(scaled))
        assert_allclose(
            reconstruction_score(pipeline, low_rank),
            -np.mean((residual * scaler.scale_) ** 2),
        )

    def test_pipeline_before_a_detector_is_scored_where_it_reconstructs(self, low_rank):
        pipeline = make_pipeline(StandardScaler(), ToyDetector()).fit(low_rank)
        scaled = StandardScaler().fit_transform(low_rank)
        assert_allclose(
            reconstruction_score(pipeline, low_rank),
            reconstruction_score(ToyDetector().fit(scaled), scaled),
        )

    def test_pipeline_of_a_detector_alone_is_the_detector(self, low_rank):
        assert reconstruction_score(
            make_pipeline(ToyDetector()).fit(low_rank), low_rank
        ) == reconstruction_score(ToyDetector().fit(low_rank), low_rank)

    def test_step_without_inverse_before_a_detector(self, low_rank):
        columns = ColumnTransformer([("some", StandardScaler(), [0, 2, 4])])
        pipeline = make_pipeline(columns, ToyDetector(1)).fit(low_rank)
        assert -1 < reconstruction_score(pipeline, low_rank) < 0

    def test_labels_are_ignored(self, low_rank):
        pca = PCA(2).fit(low_rank)
        y = np.where(np.arange(60) % 7 == 0, -1, 1)
        assert reconstruction_score(pca, low_rank, y) == reconstruction_score(
            pca, low_rank
        )

    def test_weight_of_k_is_k_copies(self, low_rank):
        pca = PCA(2).fit(low_rank)
        copies = np.arange(60) % 4
        assert_allclose(
            reconstruction_score(pca, low_rank, sample_weight=copies),
            reconstruction_score(pca, np.repeat(low_rank, copies, axis=0)),
        )
        with pytest.raises(ValueError, match="Negative values in data passed to"):
            reconstruction_score(pca, low_rank, sample_weight=-copies)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_unlabelled_search(self, low_rank, n_jobs):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), PCA()),
            {"pca__n_components": [1, 2, 4]},
            scoring=reconstruction_score,
            cv=KFold(3),
            n_jobs=n_jobs,
            error_score="raise",
        ).fit(low_rank)
        means = search.cv_results_["mean_test_score"]
        assert np.all(np.diff(means) > 0)
        assert means[1] - means[0] > 5 * (means[2] - means[1])

    def test_several_metrics_and_weights(self, low_rank):
        y = np.where(np.arange(60) % 6 == 0, -1, 1)
        search = GridSearchCV(
            IgnoringWeights(),
            {"latent_dim": [1, 3]},
            scoring={"error": reconstruction_score, "auc": outlier_roc_auc},
            refit="error",
            cv=InlierKFold(2),
            error_score="raise",
        ).fit(low_rank, y, sample_weight=np.ones(60))
        assert search.best_params_ == {"latent_dim": 3}
        scores = cross_validate(
            PCA(1), low_rank, scoring={"error": reconstruction_score}, cv=2
        )
        assert scores["test_error"].max() < 0

    @pytest.mark.parametrize(
        "estimator",
        [
            IsolationForest(n_estimators=5, random_state=0),
            make_pipeline(ColumnTransformer([("a", "passthrough", [0])]), PCA(1)),
            make_pipeline(StandardScaler(), ToyDensity()),
        ],
        ids=["detector", "no inverse", "no round trip"],
    )
    def test_estimators_that_cannot_reconstruct_are_refused(self, low_rank, estimator):
        estimator = clone(estimator).fit(low_rank)
        message = "needs an estimator with reconstruct, or with transform and inverse"
        with pytest.raises(TypeError, match=message):
            reconstruction_score(estimator, low_rank)


class IgnoringWeights(ToyDetector):
    """The toy detector, for searches that pass weights."""

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X, y)

"""compare_detectors: the same rows for all, and one table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDOneClassSVM
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.utils.validation import check_is_fitted

from skae import ReconstructionOutlierDetector, make_heartbeats, model_selection
from skae.metrics import (
    outlier_average_precision,
    outlier_average_precision_score,
    outlier_f1,
    outlier_roc_auc,
    outlier_roc_auc_score,
)
from skae.model_selection import InlierKFold, compare_detectors

QUALITIES = [
    *("roc_auc", "average_precision", "f1", "accuracy", "precision", "recall"),
    "false_alarm_rate",
]
TIMES = ["fit_seconds", "score_seconds"]


@pytest.fixture(scope="module")
def labelled():
    """Rows around 0 with label +1, and a few far from them with label -1, mixed."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(90, 3)), rng.normal(size=(12, 3)) + 2])
    order = rng.permutation(102)
    return X[order], np.repeat([1, -1], [90, 12])[order]


class Recorder(OutlierMixin, BaseEstimator):
    """A detector that records the arguments of its calls."""

    def __init__(self, calls=None, flag=-1, score=0.0, shape=None):
        self.calls = calls
        self.flag = flag
        self.score = score
        self.shape = shape

    def __sklearn_clone__(self):
        return Recorder(self.calls, self.flag, self.score, self.shape)

    def fit(self, X, y=None):
        if self.calls is not None:
            self.calls.append((X, y))
        return self

    def score_samples(self, X):
        return np.full(self.shape or len(X), self.score)

    def predict(self, X):
        return np.full(len(X), self.flag)


class Scripted(OutlierMixin, BaseEstimator):
    """A detector whose scores and flags are the columns of X."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return X[:, 0]

    def predict(self, X):
        return X[:, 1]


def neighbours():
    return LocalOutlierFactor(novelty=True)


def forest():
    return IsolationForest(n_estimators=20, random_state=0)


class TestTheTable:
    def test_its_shape(self, labelled):
        table = compare_detectors({"b": forest(), "a": neighbours()}, *labelled)
        assert list(table.index) == ["b", "a"]
        assert table.index.name == "method"
        columns = [*QUALITIES, *TIMES]
        assert list(table) == columns + [f"{name}_std" for name in columns]
        assert table[QUALITIES].stack().between(0, 1).all()
        assert (table[TIMES] > 0).all(axis=None)
        assert table.notna().all(axis=None)

    def test_its_numbers_are_those_of_cross_validate(self, labelled):
        X, y = labelled
        cv = InlierKFold(4, shuffle=True, random_state=0)
        table = compare_detectors({"forest": forest()}, X, y, cv=cv)
        expected = cross_validate(
            forest(),
            X,
            y,
            cv=cv,
            scoring={
                "roc_auc": outlier_roc_auc,
                "average_precision": outlier_average_precision,
                "f1": outlier_f1,
            },
        )
        for key in ("roc_auc", "average_precision", "f1"):
            values = expected[f"test_{key}"]
            assert table.loc["forest", key] == pytest.approx(values.mean())
            assert table.loc["forest", f"{key}_std"] == pytest.approx(values.std())

    def test_one_split_has_no_spread(self, labelled):
        X, y = labelled
        split = (np.arange(50), np.arange(50, 102))
        table = compare_detectors({"forest": forest()}, X, y, cv=[split])
        assert table.filter(like="_std").isna().all(axis=None)
        assert table[QUALITIES].notna().all(axis=None)

    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_it_is_the_same_again_and_silent(self, labelled, n_jobs, capfd):
        detectors = {"forest": forest(), "LOF": neighbours()}
        first = compare_detectors(detectors, *labelled, n_jobs=n_jobs)
        again = compare_detectors(detectors, *labelled)
        pd.testing.assert_frame_equal(
            first.drop(columns=first.filter(like="seconds")),
            again.drop(columns=again.filter(like="seconds")),
        )
        assert capfd.readouterr() == ("", "")

    @pytest.mark.draws_globally("OneClassSVM draws a seed from the global state")
    def test_every_kind_of_detector(self, labelled):
        X, y = labelled
        detectors = {
            "autoencoder": ReconstructionOutlierDetector(epochs=5, random_state=0),
            "pipeline": make_pipeline(StandardScaler(), PCA(2), OneClassSVM()),
            "ellipse": EllipticEnvelope(random_state=0),
            "linear": SGDOneClassSVM(random_state=0),
        }
        frame = pd.DataFrame(X, columns=list("abc"), index=np.arange(102)[::-1])
        table = compare_detectors(detectors, frame, pd.Series(y), cv=2)
        assert list(table.index) == list(detectors)
        assert table.loc["ellipse", "roc_auc"] > 0.9

    def test_rows_of_any_shape(self):
        X, y = make_heartbeats(n_samples=120, random_state=0)
        detector = ReconstructionOutlierDetector(
            epochs=2, corruption=None, random_state=0
        )
        flat, deep = (
            compare_detectors({"skae": detector.set_params(scaler=None)}, rows, y, cv=2)
            for rows in (X, X.reshape(-1, 70, 2))
        )
        assert flat["roc_auc"].item() == pytest.approx(deep["roc_auc"].item())


class TestTheQualities:
    @staticmethod
    def qualities(y, scores, flags):
        """Return the table's qualities; the first normal row is trained on."""
        split = np.flatnonzero(y == 1)[:1], np.arange(len(y))
        X = np.column_stack([scores, flags]).astype(float)
        table = compare_detectors({"it": Scripted()}, X, y, cv=[split])
        return table.loc["it", QUALITIES].to_dict()

    @settings(max_examples=50, deadline=None)
    @given(
        st.lists(
            st.tuples(st.booleans(), st.booleans(), st.integers(-3, 3)),
            min_size=2,
            max_size=30,
        )
    )
    def test_outliers_are_the_positive_class(self, rows):
        rows = np.array([(True, True, 0), (False, False, 1), *rows])
        y, flags = (np.where(column, -1, 1) for column in rows[:, :2].T)
        precision, recall, f1, _ = precision_recall_fscore_support(
            y == -1, flags == -1, average="binary"
        )
        (kept, alarms), _ = confusion_matrix(y == -1, flags == -1)
        assert self.qualities(y, rows[:, 2], flags) == pytest.approx(
            {
                "roc_auc": outlier_roc_auc_score(y, rows[:, 2]),
                "average_precision": outlier_average_precision_score(y, rows[:, 2]),
                "f1": f1,
                "accuracy": accuracy_score(y, flags),
                "precision": precision,
                "recall": recall,
                "false_alarm_rate": alarms / (kept + alarms),
            }
        )

    def test_nothing_flagged_is_zero_without_a_warning(self):
        found = self.qualities(np.array([1, 1, -1]), [0.0, 0.0, -1.0], np.ones(3))
        assert found["precision"] == found["recall"] == found["f1"] == 0
        assert found["false_alarm_rate"] == 0
        assert found["roc_auc"] == found["average_precision"] == 1


class TestTheRows:
    @pytest.mark.parametrize(
        ("cv", "train_on"),
        [
            (None, "inliers"),
            (3, "inliers"),
            (StratifiedKFold(3), "inliers"),
            (InlierKFold(3), "inliers"),
            (None, "all"),
            (3, "all"),
            (StratifiedKFold(3), "all"),
        ],
    )
    def test_training_rows(self, labelled, cv, train_on):
        _, y = labelled
        X = np.arange(102).reshape(-1, 1)
        calls = []
        _, predictions = compare_detectors(
            {"it": Recorder(calls)},
            X,
            y,
            cv=cv,
            train_on=train_on,
            return_predictions=True,
        )
        assert len(calls) == (5 if cv is None else 3)
        allowed = y == 1 if train_on == "inliers" else np.ones(102, dtype=bool)
        tested = []
        for number, (rows, labels) in enumerate(calls):
            assert labels is None
            test = predictions.loc[predictions["split"] == number, "row"]
            # All that may be trained on and is not tested.
            expected = np.setdiff1d(np.flatnonzero(allowed), test)
            assert_array_equal(rows[:, 0], expected)
            tested.extend(test)
        assert sorted(tested) == list(range(102))

    def test_the_default_folds_are_those_of_inlier_k_fold(self, labelled):
        X, y = labelled
        _, predictions = compare_detectors(
            {"it": Recorder()}, X, y, return_predictions=True
        )
        for number, (_, test) in enumerate(InlierKFold(5).split(X, y)):
            rows = predictions.loc[predictions["split"] == number, "row"]
            assert_array_equal(rows, test)

    def test_masks_and_lists_are_splits_too(self, labelled):
        X, y = labelled
        train = np.arange(102) < 50
        given = [(train, ~train), (list(range(50)), list(range(50, 102)))]
        first, second = (
            compare_detectors({"it": forest()}, X, y, cv=[one]) for one in given
        )
        assert first["roc_auc"].item() == second["roc_auc"].item()

    def test_rows_may_be_trained_on_and_scored(self, labelled):
        X, y = labelled
        everything = np.arange(102)
        table = compare_detectors(
            {"it": forest()}, X, y, cv=[(everything, everything)], train_on="all"
        )
        scores = forest().fit(X).score_samples(X)
        assert table["roc_auc"].item() == outlier_roc_auc_score(y, scores)

    def test_passed_detectors_are_not_fitted(self, labelled):
        detector = forest()
        compare_detectors({"it": detector}, *labelled, cv=2)
        with pytest.raises(NotFittedError):
            check_is_fitted(detector)

    def test_a_fitted_detector_may_be_frozen(self, labelled):
        X, y = labelled
        fitted = forest().fit(X[:50][y[:50] == 1])
        split = (np.arange(50), np.arange(50, 102))
        frozen, fresh = (
            compare_detectors({"it": one}, X, y, cv=[split])
            for one in (FrozenEstimator(fitted), forest())
        )
        pd.testing.assert_frame_equal(frozen[QUALITIES], fresh[QUALITIES])


class TestThePredictions:
    def test_they_are_those_of_the_table(self, labelled):
        X, y = labelled
        names = pd.Index([f"r{number}" for number in range(102)])
        table, predictions = compare_detectors(
            {"forest": forest(), "LOF": neighbours()},
            pd.DataFrame(X, index=names),
            y,
            cv=3,
            return_predictions=True,
        )
        assert list(predictions) == (
            ["method", "split", "row", "label", "score", "flag"]
        )
        assert predictions.groupby("method")["row"].nunique().eq(102).all()
        assert_array_equal(
            predictions["label"], y[names.get_indexer(predictions["row"])]
        )
        normal = predictions[predictions["label"] == 1]
        alarms = (normal["flag"] == -1).groupby([normal["method"], normal["split"]])
        assert table["false_alarm_rate"].to_dict() == pytest.approx(
            alarms.mean().groupby("method").mean().to_dict()
        )

    def test_rows_have_labels_of_several_levels(self, labelled):
        X, y = labelled
        index = pd.MultiIndex.from_product([["a", "b"], range(51)])
        _, predictions = compare_detectors(
            {"it": Recorder()}, pd.DataFrame(X, index=index), y, return_predictions=True
        )
        assert set(predictions["row"]) == set(index)

    def test_rows_of_a_list_are_counted(self, labelled):
        X, y = labelled
        _, predictions = compare_detectors(
            {"it": Recorder()}, X.tolist(), y.tolist(), return_predictions=True
        )
        assert sorted(predictions["row"]) == list(range(102))


def test_package_shows_its_public_names():
    assert dir(model_selection) == sorted(model_selection.__all__)


class NoScores(OutlierMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.ones(len(X))


class TestRefusals:
    @pytest.mark.parametrize(
        ("detectors", "error", "message"),
        [
            ([forest()], TypeError, "detectors must be a dict .* but is a list. Pass,"),
            ({}, ValueError, "must hold at least one detector, but is empty"),
            (
                {"pca": PCA()},
                TypeError,
                r"detectors\['pca'\] must be .* is PCA, without predict",
            ),
            (
                {"LOF": LocalOutlierFactor()},
                TypeError,
                "LocalOutlierFactor, without predict.* needs novelty=True",
            ),
            (
                {"a": NoScores()},
                TypeError,
                "NoScores, without score_samples or decision_function",
            ),
            (
                {"a": IsolationForest},
                TypeError,
                "IsolationForest, not an instance. Pass an instance",
            ),
        ],
    )
    def test_detectors(self, labelled, detectors, error, message):
        with pytest.raises(error, match=message):
            compare_detectors(detectors, *labelled)

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (None, "compare_detectors needs y .* but y is None. Without labels"),
            ([0, 1] * 51, r"y must hold only the labels .* np.where\(y == 1, -1, 1\)"),
            ([1] * 101, "inconsistent numbers of samples"),
            ([1] * 102, "InlierKFold needs at least one outlier"),
        ],
    )
    def test_labels(self, labelled, y, message):
        with pytest.raises(ValueError, match=message):
            compare_detectors({"it": forest()}, labelled[0], y)

    @pytest.mark.parametrize(
        ("make_cv", "train_on", "message"),
        [
            (
                lambda normal, outliers: [(outliers, normal)],
                "inliers",
                "Split 0 of cv has no inliers .* train",
            ),
            (
                lambda normal, outliers: [(outliers[:0], normal)],
                "all",
                "has no rows to train on",
            ),
            (
                lambda normal, _: [(normal, np.arange(102)), (normal, normal)],
                "inliers",
                r"Split 1 of cv has 90 test rows, but no outliers \(y == -1\)",
            ),
            (
                lambda normal, outliers: [(normal, outliers)],
                "inliers",
                "12 test rows, but no inliers",
            ),
            (lambda *_: [], "inliers", "cv makes no splits.*Pass at least one"),
            (
                lambda *_: InlierKFold(3),
                "all",
                "leaves the outliers out of training.*'all'. Pass cv=3 or",
            ),
            (lambda *_: "five", "inliers", "Expected .?cv.? as an integer"),
        ],
    )
    def test_splits(self, labelled, make_cv, train_on, message):
        X, y = labelled
        cv = make_cv(np.flatnonzero(y == 1), np.flatnonzero(y == -1))
        with pytest.raises(ValueError, match=message):
            compare_detectors({"it": forest()}, X, y, cv=cv, train_on=train_on)

    @pytest.mark.parametrize(
        ("detector", "message"),
        [
            (Recorder(flag=0), r"detectors\['it'\] must flag rows by .* returned 0"),
            (Recorder(score=np.nan), "scores that are nan or infinite for 21 of 21"),
            (Recorder(shape=(7,)), r"scores of shape \(21,\), but returned .*\(7,\)"),
        ],
    )
    def test_values_that_detectors_return(self, labelled, detector, message):
        with pytest.raises(ValueError, match=message):
            compare_detectors({"it": detector}, *labelled)

    @pytest.mark.parametrize(
        "parameters", [{"train_on": "some"}, {"n_jobs": 1.5}, {"return_predictions": 1}]
    )
    def test_bad_parameters(self, labelled, parameters):
        (name,) = parameters
        with pytest.raises(ValueError, match=f"The '{name}' parameter of compare_de"):
            compare_detectors({"it": forest()}, *labelled, **parameters)

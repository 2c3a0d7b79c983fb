"""SlidingWindowDetector: windows, scores, thresholds, streams."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    BestF,
    BlockKFold,
    Conformal,
    ConvNetwork,
    DenseNetwork,
    MeanStd,
    Quantile,
    ReconstructionOutlierDetector,
    SlidingWindowDetector,
    outlier_roc_auc,
    outlier_roc_auc_score,
)


def small(**params):
    """Return a detector that trains in a moment, and whose errors are plain."""
    defaults = {"latent_dim": 2, "network": DenseNetwork((8,)), "epochs": 5}
    defaults |= {"error": "mse", "n_networks": 1}
    return ReconstructionOutlierDetector(**{**defaults, **params})


def sliding(detector=None, width=8, **params):
    detector = small() if detector is None else detector
    return SlidingWindowDetector(detector, width, **{"random_state": 0, **params})


def waves(n, n_channels=2, seed=0):
    """Return sines with noise."""
    rng = np.random.default_rng(seed)
    phase = np.arange(n)[:, None] / 3 + np.arange(n_channels)
    return np.sin(phase) + 0.1 * rng.normal(size=(n, n_channels))


@pytest.fixture(scope="module")
def X():
    return waves(300)


@pytest.fixture(scope="module")
def fitted(X):
    return sliding().fit(X)


checks = [
    pytest.mark.draws_globally("scikit-learn's checks shuffle with numpy.random"),
    pytest.mark.filterwarnings("ignore:y holds the labels:UserWarning"),
    pytest.mark.filterwarnings("ignore:X has .* time steps, too few:UserWarning"),
]


def marked(test):
    for mark in checks:
        test = mark(test)
    return test


@marked
@parametrize_with_checks([SlidingWindowDetector()])
def test_scikit_learn_checks_of_the_default(estimator, check):
    check(estimator)


@marked
@parametrize_with_checks(
    [
        SlidingWindowDetector(small(), 7, 2, aggregate="step"),
        SlidingWindowDetector(small(threshold_on="cv", allow_nan=True), 1),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def scores_by_hand(fitted, X, width, step=1, aggregate="window"):
    """Return the scores of one series, by the formula."""
    total, count = np.zeros(len(X)), np.zeros(len(X))
    starts = sorted({*range(0, len(X) - width + 1, step), len(X) - width})
    for start in starts:
        window = X[start : start + width]
        parts = fitted.detector_.feature_errors(window[None])[0].sum(axis=1)
        parts = parts if aggregate == "step" else np.full(width, parts.mean())
        total[start : start + width] += parts
        count[start : start + width] += 1
    return -total / count


@pytest.mark.parametrize("aggregate", ["window", "step"])
@pytest.mark.parametrize("step", [1, 3])
def test_the_score_is_the_mean_over_the_windows_that_hold_a_step(X, step, aggregate):
    fitted = sliding(step=step, aggregate=aggregate).fit(X[:100])
    expected = scores_by_hand(fitted, X[100:145], 8, step, aggregate)
    scores = fitted.score_samples(X[100:145])
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    parts = fitted.feature_errors(X[100:145])
    assert parts.shape == (45, 2)
    np.testing.assert_allclose(-parts.sum(axis=1), scores, rtol=1e-12)


@pytest.mark.parametrize("aggregate", ["window", "step"])
def test_the_lowest_score_is_at_the_step_that_differs(X, fitted, aggregate):
    spoiled = X.copy()
    spoiled[200, 1] += 4
    detector = sliding(aggregate=aggregate).fit(X[:150])
    assert detector.score_samples(spoiled).argmin() == 200
    table = detector.explain(spoiled, top_k=1)
    assert list(table.columns[:3]) == ["time", "rank", "channel"]
    assert table.channel[200] == "x1"
    assert detector.predict(spoiled)[200] == -1


def test_windows_are_the_rows_that_the_detector_is_fitted_to(X):
    detector = sliding(small(threshold_on="train"), step=3).fit(X[:40])
    starts = [*range(0, 33, 3), 32]  # the last window ends where X ends
    windows = np.stack([X[start : start + 8] for start in starts])
    alone = small(random_state=0, threshold=0.0).fit(windows)
    np.testing.assert_array_equal(
        alone.score_samples(windows), detector.detector_.score_samples(windows)
    )


class TestPieces:
    """No window goes across groups or gaps of the index."""

    def test_groups_are_scored_one_by_one(self, X, fitted):
        groups = np.repeat(["b", "a"], [100, 200])
        expected = [fitted.score_samples(X[:100]), fitted.score_samples(X[100:])]
        scores = fitted.score_samples(X, groups)
        np.testing.assert_allclose(scores, np.concatenate(expected), rtol=1e-9)
        assert np.abs(scores - fitted.score_samples(X))[95:105].min() > 0

    def test_groups_may_take_turns(self, X, fitted):
        groups = np.arange(300) % 3
        scores = fitted.score_samples(X, groups)
        for group in range(3):
            expected = fitted.score_samples(X[groups == group])
            np.testing.assert_allclose(scores[groups == group], expected, rtol=1e-9)

    @pytest.mark.parametrize(
        "index",
        [
            pd.date_range("2026-01-01", periods=300, freq="h"),
            pd.date_range("2026-01-01", periods=300, freq="h", tz="Europe/Berlin"),
            pd.period_range("2026-01", periods=300, freq="M"),
            pd.timedelta_range(0, periods=300, freq="s"),
            pd.RangeIndex(300),
            pd.Index(np.arange(300) / 4),
            pd.Index(np.arange(300, dtype="uint8")),
        ],
        ids=lambda index: f"{type(index).__name__}, {index.dtype}",
    )
    def test_gaps_of_the_index_cut(self, X, fitted, index):
        frame = pd.DataFrame(X, index=index)
        whole = fitted.score_samples(X)
        if index.dtype != "uint8":  # which goes back to 0, and so is cut there
            np.testing.assert_array_equal(fitted.score_samples(frame), whole)
        kept = np.r_[0:90, 91:200]
        scores = fitted.score_samples(frame.iloc[kept])
        expected = [fitted.score_samples(X[:90]), fitted.score_samples(X[91:200])]
        np.testing.assert_allclose(scores, np.concatenate(expected), rtol=1e-9)

    def test_time_that_goes_back_cuts(self, X, fitted):
        frame = pd.DataFrame(X, index=[*range(150), *range(150)])
        expected = [fitted.score_samples(X[:150]), fitted.score_samples(X[150:])]
        scores = fitted.score_samples(frame)
        np.testing.assert_allclose(scores, np.concatenate(expected), rtol=1e-9)

    def test_names_as_index_do_not_cut(self, X, fitted):
        frame = pd.DataFrame(X, index=[f"step {i}" for i in range(300)])
        scores = fitted.score_samples(frame)
        np.testing.assert_array_equal(scores, fitted.score_samples(X))

    def test_windows_across_do_not_train(self, X):
        """Where they would, the jump between two series would be learned."""
        apart = np.concatenate([X[:150], 50 + X[150:]])
        groups = np.repeat([0, 1], 150)
        params = {"threshold_on": "train", "scaler": None}
        detector = sliding(small(**params)).fit(apart, groups=groups)
        windows = [apart[i : i + 8] for i in (*range(143), *range(150, 293))]
        alone = small(random_state=0, **params).fit(np.stack(windows))
        np.testing.assert_array_equal(
            detector.detector_.train_errors_, alone.train_errors_
        )

    def test_a_short_piece_is_scored_with_its_mirror_image(self, X, fitted):
        scores = fitted.score_samples(X[:3])
        mirrored = X[[0, 1, 2, 2, 1, 0, 0, 1]]
        np.testing.assert_allclose(
            scores, fitted.score_samples(mirrored)[:3], rtol=1e-12
        )
        assert fitted.score_samples(X[:1]).shape == (1,)

    def test_pieces_that_are_all_too_short(self, X):
        with pytest.raises(ValueError, match="100 pieces of at most 3 time steps"):
            sliding().fit(X, groups=np.arange(300) // 3)

    def test_groups_of_another_length(self, X):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            sliding().fit(X, groups=np.zeros(299))


def test_windows_that_touch_outliers_do_not_train(X):
    y = np.ones(300)
    y[[100, 180]] = -1
    spoiled = X.copy()
    spoiled[[100, 180]] = 1e6
    labelled = sliding().fit(spoiled, y)
    replaced = sliding().fit(np.where(spoiled > 1e5, 0, spoiled), y)
    assert labelled.threshold_ == replaced.threshold_
    scores = labelled.score_samples(X)
    np.testing.assert_array_equal(scores, replaced.score_samples(X))
    assert (sliding().fit(spoiled).score_samples(X) != scores).any()


class TestThreshold:
    @pytest.mark.parametrize(
        ("n", "blocks"),
        [
            (100, [range(80, 100)]),  # of less than two windows, there would be two
            (300, [range(80, 100), range(180, 200), range(280, 300)]),
        ],
    )
    def test_the_last_fifth_of_each_part_of_time_is_held_out(self, X, n, blocks):
        detector = sliding().fit(X[:n])
        held = [step for block in blocks for step in block]
        starts = [i for i in range(n - 7) if not {*range(i, i + 8)} & {*held}]
        alone = small(random_state=0, threshold=0.0)
        alone.fit(np.stack([X[i : i + 8] for i in starts]))
        np.testing.assert_array_equal(
            alone.train_errors_, detector.detector_.train_errors_
        )
        errors = -detector.score_samples(X[:n])[held]
        np.testing.assert_allclose(detector.calibration_errors_, errors, rtol=1e-9)
        assert detector.threshold_ == pytest.approx(np.quantile(errors, 0.9), rel=0.05)

    def test_blocks_of_cross_fitting_share_no_step_with_what_trained(self, X):
        detector = sliding(small(threshold_on="cv")).fit(X)
        assert len(detector.calibration_errors_) == 300
        windows = [X[i : i + 8] for i in (*range(53), *range(120, 293))]
        other = small(random_state=0, threshold=0.0).fit(np.stack(windows))
        parts = other.feature_errors(np.stack([X[i : i + 8] for i in range(60, 113)]))
        whole = parts.sum(axis=(1, 2)) / 8
        expected = [whole[max(0, t - 7) : t + 1].mean() for t in range(7, 46)]
        found = detector.calibration_errors_[67:106]
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    @pytest.mark.parametrize("threshold_on", ["auto", "train", "validation", "cv"])
    def test_rules_of_the_detector(self, X, threshold_on):
        rule = MeanStd(2)
        detector = sliding(small(threshold=rule, threshold_on=threshold_on)).fit(X)
        expected = clone(rule).fit(detector.calibration_errors_)
        assert detector.threshold_ == expected.threshold_ == -detector.offset_
        decision = detector.decision_function(X)
        scores = detector.score_samples(X)
        np.testing.assert_array_equal(decision, scores - detector.offset_)
        np.testing.assert_array_equal(detector.predict(X) == 1, decision >= 0)

    def test_another_rule_needs_no_training(self, X):
        detector = sliding().fit(X)
        trained = detector.detector_
        detector.set_params(detector__threshold=Quantile(0.5)).fit_threshold()
        assert detector.detector_ is trained
        median = np.median(detector.calibration_errors_)
        assert detector.threshold_ == pytest.approx(median)
        other = waves(100, seed=1)
        detector.fit_threshold(other)
        median = np.median(-detector.score_samples(other))
        assert detector.threshold_ == pytest.approx(median)

    def test_errors_that_fit_did_not_keep(self, X):
        detector = sliding(small(threshold_on="train")).fit(X)
        detector.set_params(detector__threshold_on="cv")
        with pytest.raises(ValueError, match="needs errors by 'cv'"):
            detector.fit_threshold()
        with pytest.raises(ValueError, match="y is given without X"):
            detector.fit_threshold(y=np.ones(300))

    @pytest.mark.parametrize("threshold_on", ["auto", "cv"])
    def test_rules_with_labels_see_outliers(self, X, threshold_on):
        y, spoiled = np.ones(300), X.copy()
        y[50:60] = -1
        spoiled[50:60] += 5
        detector = sliding(small(threshold=BestF(), threshold_on=threshold_on))
        detector.fit(spoiled, y)
        normal = np.delete(-detector.score_samples(spoiled), range(40, 70))
        assert normal.mean() < detector.threshold_
        assert (detector.predict(spoiled)[50:60] == -1).all()
        with pytest.raises(ValueError, match="needs known outliers"):
            detector.fit(X)

    def test_promised_shares_hold_for_later_time(self):
        """Of series that do not drift: in the mean over some fits."""
        shares = []
        for seed in range(5):
            series = waves(1500, seed=seed)
            rule = small(threshold=Conformal(0.1), epochs=20)
            detector = sliding(rule, random_state=seed).fit(series[:1000])
            shares.append(np.mean(detector.predict(series[1000:]) == -1))
        assert 0.05 < np.mean(shares) < 0.2

    def test_too_few_steps_for_a_rule(self, X):
        with pytest.raises(ValueError, match="at least 999 normal rows"):
            sliding(small(threshold=Conformal(0.001))).fit(X)
        with pytest.raises(ValueError, match="needs errors of rows that did not train"):
            sliding(small(threshold=Conformal(0.1), threshold_on="train")).fit(X)
        with pytest.raises(ValueError, match="Of 300 time steps 0 windows of width=8"):
            sliding(small(threshold=Conformal(1 / 299))).fit(X)


class TestParameters:
    def test_nested_names_put_the_default_detector_first(self):
        detector = SlidingWindowDetector().set_params(detector__latent_dim=3)
        assert detector.detector.latent_dim == 3
        with pytest.raises(ValueError, match="Invalid parameter 'latent'"):
            SlidingWindowDetector().set_params(detector__latent=3)

    def test_random_state_is_the_detectors(self, X):
        scores = sliding(random_state=3).fit(X).score_samples(X)
        inner = sliding(small(random_state=3), random_state=None).fit(X)
        np.testing.assert_array_equal(scores, inner.score_samples(X))
        assert (sliding().fit(X).score_samples(X) != scores).all()

    def test_a_parameter_of_the_detector_is_checked(self, X):
        with pytest.raises(ValueError, match="'batch_size' parameter"):
            sliding(small(batch_size=0)).fit(X)

    def test_other_detectors_are_refused(self, X):
        with pytest.raises(ValueError, match="'detector' parameter"):
            SlidingWindowDetector(StandardScaler()).fit(X)

    def test_a_step_that_leaves_steps_out(self, X):
        with pytest.raises(ValueError, match="step=9 leaves steps between windows of"):
            sliding(step=9).fit(X)

    def test_short_series_have_windows_of_one_step(self, X):
        with pytest.warns(UserWarning, match="X has 23 time steps, too few.*width=7"):
            detector = sliding().fit(X[:23])
        assert detector.width_ == 1
        assert sliding(width=7).fit(X[:23]).width_ == 7

    def test_parameters_are_searched_by_blocks_of_time(self):
        X, y = waves(400), np.ones(400)
        for start in (60, 160, 260, 350):
            X[start : start + 8] += 1.5
            y[start : start + 8] = -1
        frame = pd.DataFrame(X, columns=["a", "b"])
        pipe = make_pipeline(StandardScaler().set_output(transform="pandas"), sliding())
        grid = {
            "slidingwindowdetector__width": [4, 16],
            "slidingwindowdetector__detector__latent_dim": [1, 2],
        }
        cv = BlockKFold(2, gap=16)
        search = GridSearchCV(pipe, grid, scoring=outlier_roc_auc, cv=cv)
        search.fit(frame, y)
        assert search.best_score_ > 0.8
        fitted = search.best_estimator_[-1]
        assert fitted.feature_names_in_.tolist() == ["a", "b"]

    def test_convolutions_learn_windows(self, X):
        network = ConvNetwork(filters=(4,))
        detector = sliding(small(network=network, latent_dim=None)).fit(X)
        assert detector.detector_.input_shape_ == (8, 2)
        assert np.isfinite(detector.score_samples(X)).all()


class TestInput:
    def test_a_series_is_one_channel(self, X):
        series = pd.Series(
            X[:, 0], pd.date_range("2026", periods=300, freq="D"), name="level"
        )
        detector = sliding().fit(series)
        array = sliding().fit(X[:, :1])
        np.testing.assert_array_equal(
            detector.score_samples(series), array.score_samples(X[:, :1])
        )
        assert detector.feature_names_in_.tolist() == ["level"]
        table = detector.explain(series, top_k=3)
        assert len(table) == 300
        assert (table.time == series.index).all()
        assert (table.channel == "level").all()
        np.testing.assert_array_equal(table.value, series)

    def test_reconstruct_has_the_shape_and_the_units_of_X(self, X):
        detector = sliding(small(epochs=100)).fit(5 + 100 * X)
        restored = detector.reconstruct(5 + 100 * X)
        assert np.corrcoef(restored[:, 0], X[:, 0])[0, 1] > 0.9
        assert restored[:, 0].std() > 30

    def test_equal_answers_whatever_the_blocks(self, X, fitted):
        """A long series is scored in blocks of windows."""
        long = np.tile(X, (900, 1))  # 270,000 windows of 16 numbers
        scores = fitted.score_samples(long)
        period = scores[300:600]
        np.testing.assert_allclose(scores[269_000:269_300], np.roll(period, -200))

    def test_float32(self, X, fitted):
        scores = fitted.score_samples(X.astype(np.float32))
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, fitted.score_samples(X), rtol=1e-3)

    def test_missing_values(self, X):
        gappy = X.copy()
        gappy[50:53, 0] = gappy[100:130] = np.nan
        with pytest.raises(ValueError, match="allow_nan=True"):
            sliding().fit(gappy)
        detector = sliding(small(allow_nan=True)).fit(gappy)
        scores = detector.score_samples(gappy)
        assert np.isfinite(scores).all()
        assert (scores[107:123] == 0).all()  # no window knows anything
        assert (scores[:100] < 0).all()

    def test_pickles(self, X, fitted):
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))

    def test_a_failing_fit_changes_nothing(self, X, fitted):
        detector = sliding().fit(X)
        before = vars(detector).copy()
        with pytest.raises(ValueError, match="labels all but"):
            detector.fit(waves(200, 3), np.full(200, -1))
        with pytest.raises(ValueError, match="features"):
            detector.partial_fit(waves(20, 3))
        assert vars(detector) == before


class TestStream:
    def test_small_chunks_go_on_where_the_last_ended(self, X):
        once = sliding().partial_fit(X[:100]).partial_fit(X[100:160])
        parts = sliding().partial_fit(X[:100])
        assert parts.buffer_.tolist() == X[93:100].tolist()
        parts.partial_fit(X[100:130]).partial_fit(X[130:160])
        assert len(parts.calibration_errors_) == len(once.calibration_errors_) == 80
        np.testing.assert_array_equal(once.buffer_, X[153:160])

    def test_row_by_row_until_windows_can_be_cut(self, X):
        detector = sliding()
        for step in X[:15]:
            detector.partial_fit(step[None])
            with pytest.raises(NotFittedError):
                detector.predict(X)
        detector.partial_fit(X[15:16])
        assert detector.predict(X).shape == (300,)
        assert detector.n_features_in_ == 2

    def test_it_learns(self):
        series = waves(3000)
        detector = sliding(small(threshold=Conformal(0.1)))
        for start in range(0, 2000, 50):
            detector.partial_fit(series[start : start + 50])
        assert np.mean(detector.predict(series[2000:]) == -1) < 0.2
        y = np.ones(1000)
        y[500:520] = -1
        later = series[2000:].copy()
        later[500:520] = 2
        assert outlier_roc_auc_score(y, detector.score_samples(later)) > 0.95

    def test_errors_are_those_before_the_step_trained(self, X):
        detector = sliding().partial_fit(X[:200])
        joined = np.concatenate([detector.buffer_, X[200:220]])
        errors = -detector.score_samples(joined)[7:]
        detector.partial_fit(X[200:220])
        np.testing.assert_allclose(detector.calibration_errors_[-20:], errors)

    def test_outliers_do_not_train(self, X):
        y = np.where(np.arange(100) == 50, -1, 1)
        spoiled = X[:100].copy()
        spoiled[50] = 1e6
        detector, other = (sliding().partial_fit(X[200:]) for _ in range(2))
        detector.partial_fit(spoiled, y)
        other.partial_fit(X[:100], y)
        np.testing.assert_array_equal(detector.score_samples(X), other.score_samples(X))

    def test_a_gap_between_chunks_cuts(self, X):
        frame = pd.DataFrame(X, index=pd.date_range("2026", periods=300, freq="h"))
        detector = sliding().partial_fit(frame[:100])
        n_errors = len(detector.calibration_errors_)
        detector.partial_fit(frame[150:155])  # shorter than a window
        assert len(detector.buffer_) == 5
        assert len(detector.calibration_errors_) == n_errors

    def test_it_goes_on_after_fit(self, X):
        detector = sliding().fit(X[:200]).partial_fit(X[200:])
        assert detector.detector_.n_iter_ == 6
        assert len(detector.calibration_errors_) == 40 + 100

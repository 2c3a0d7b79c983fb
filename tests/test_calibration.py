"""Which errors a detector's rule sees, and that their rows influenced nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skae import (
    BestF,
    Conformal,
    Contamination,
    DenseNetwork,
    FalseAlarmRate,
    MeanStd,
    PeaksOverThreshold,
    Precision,
    Quantile,
    ReconstructionOutlierDetector,
    benjamini_hochberg,
    conformal_p_values,
    outlier_f1,
)
from skae import _engine as engine
from skae._autoencoder import Table
from skae.thresholds import ThresholdRule
from skae.thresholds._calibration import hold_out

PROMISING = [Conformal(0.1), PeaksOverThreshold(0.05, 0.5), FalseAlarmRate(0.1)]


def quick(**params):
    defaults = {
        "latent_dim": 2,
        "network": DenseNetwork((6,)),
        "epochs": 3,
        "random_state": 0,
        "n_networks": 1,
    }
    return ReconstructionOutlierDetector(**{**defaults, **params})


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(
        size=(120, 5)
    )


@pytest.fixture(scope="module")
def y():
    return np.where(np.arange(120) % 6 == 0, -1, 1)


def held_rows(detector, X):
    """Return the places of the rows whose errors the rule saw."""
    errors = -detector.score_samples(X)
    return np.flatnonzero(np.isin(errors, detector.calibration_errors_))


def same_network(one, other):
    weights = one.autoencoder_.weights, other.autoencoder_.weights
    return all(np.array_equal(*pair) for pair in zip(*weights, strict=True))


@pytest.fixture
def trainings(monkeypatch):
    """A list that grows by one with every training."""
    made, real = [], engine.train

    def counted(*args, **options):
        made.append(1)
        return real(*args, **options)

    monkeypatch.setattr(engine, "train", counted)
    return made


# -------------------------------------------------------------------- validation


@pytest.mark.parametrize("error", ["standardized", "mse"])
@pytest.mark.parametrize("early", [{"patience": 1, "epochs": 30}, {}])
def test_held_out_rows_influence_nothing_but_the_threshold(X, error, early):
    """Neither weights, nor the epoch, nor the scaler, nor the scale of the errors."""
    detector = quick(threshold=Conformal(0.1), error=error, **early).fit(X)
    held = held_rows(detector, X)
    assert len(held) == len(detector.calibration_errors_) == 24
    assert len(detector.train_errors_) == 96
    spoiled = X.copy()
    spoiled[held] = 1e4 * (1 + np.arange(24))[:, np.newaxis]
    other = quick(threshold=Conformal(0.1), error=error, **early).fit(spoiled)
    assert same_network(detector, other)
    assert other.history_ == detector.history_
    np.testing.assert_array_equal(other.train_errors_, detector.train_errors_)
    np.testing.assert_array_equal(other.score_samples(X), detector.score_samples(X))
    assert other.threshold_ > 1e3 * detector.threshold_
    # A row that trained does influence it.
    spoiled = X.copy()
    spoiled[np.setdiff1d(np.arange(120), held)[0]] = 1e4
    assert not same_network(detector, quick(threshold=Conformal(0.1)).fit(spoiled))


def test_held_out_rows_are_left_out_of_a_plain_fit(X):
    """The network is the one of the kept rows alone."""
    detector = quick(threshold=MeanStd(2), threshold_on="validation").fit(X)
    held = held_rows(detector, X)
    plain = quick(threshold=MeanStd(2), threshold_on="train")
    plain.fit(np.delete(X, held, axis=0))
    assert same_network(detector, plain)
    expected = MeanStd(2).fit(-plain.score_samples(X[held])).threshold_
    assert detector.threshold_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rule", [None, MeanStd(1), BestF()])
def test_auto_shows_ordinary_rules_rows_that_did_not_train(X, y, rule):
    one = quick(threshold=rule).fit(X, y)
    assert len(one.train_errors_) == 80
    n_outliers = 20 if isinstance(rule, BestF) else 0
    assert len(one.calibration_errors_) == 20 + n_outliers
    several = quick(threshold=rule, n_networks=3).fit(X, y)
    assert len(several.train_errors_) == 100
    assert len(several.calibration_errors_) == 100 + n_outliers
    assert not np.isin(several.calibration_errors_[:100], several.train_errors_).any()


def test_auto_shows_training_errors_where_nothing_else_is_left(X):
    for detector in (
        quick(threshold=0.3).fit(X),  # a number sees none
        quick().fit(X[:9]),
        quick(warm_start=True).fit(X).fit(X),
        quick(n_networks=3, threshold_on="train").fit(X),
    ):
        errors = detector.train_errors_
        np.testing.assert_array_equal(detector.calibration_errors_, errors)


def test_out_of_fold_needs_several_networks(X):
    with pytest.raises(ValueError, match="threshold_on='out_of_fold' needs several ne"):
        quick(threshold_on="out_of_fold").fit(X)
    detector = quick(threshold_on="out_of_fold", n_networks=2).fit(X)
    assert len(detector.calibration_errors_) == 80  # two of three folds


def test_as_many_rows_are_held_out_as_the_rule_needs(X):
    detector = quick(threshold=Conformal(0.02)).fit(X)
    assert len(detector.calibration_errors_) == 49
    weight = np.repeat([2.0, 0.0], 60)
    weighted = quick(threshold=Conformal(0.02)).fit(X, sample_weight=weight)
    assert len(weighted.calibration_errors_) == 25  # copies count
    assert len(weighted.train_errors_) == 35


@pytest.mark.parametrize("threshold_on", ["validation", "cv"])
@pytest.mark.parametrize("rule", [Conformal(0.1), MeanStd(1)], ids=repr)
def test_outliers_never_calibrate_a_rule_for_normal_rows(X, y, rule, threshold_on):
    spoiled = np.where((y == -1)[:, np.newaxis], 1e6, X)
    params = {"threshold": rule, "threshold_on": threshold_on}
    labelled, inliers = quick(**params).fit(spoiled, y), quick(**params).fit(X[y == 1])
    assert labelled.threshold_ == inliers.threshold_
    np.testing.assert_array_equal(
        labelled.calibration_errors_, inliers.calibration_errors_
    )
    labelled, inliers = quick(**params), quick(**params)
    for rows in (slice(0, 60), slice(60, 120)):
        labelled.partial_fit(spoiled[rows], y[rows])
        inliers.partial_fit(X[rows][y[rows] == 1])
    assert labelled.threshold_ == inliers.threshold_


def test_weights_reach_the_rule(X):
    weight = np.random.default_rng(1).integers(0, 4, 120)
    detector = quick(threshold=Conformal(0.1)).fit(X, sample_weight=weight)
    held = held_rows(detector, X)
    held = held[weight[held] > 0]
    errors = np.repeat(-detector.score_samples(X[held]), weight[held])
    assert detector.threshold_ == Conformal(0.1).fit(errors).threshold_
    np.testing.assert_allclose(
        detector.p_values(X), conformal_p_values(-detector.score_samples(X), errors)
    )
    assert detector.fit_threshold().threshold_ == detector.threshold_


@pytest.mark.parametrize(
    ("rule", "needed"), [(Conformal(0.01), 99), (PeaksOverThreshold(0.01, 0.1), 100)]
)
def test_too_few_rows_to_hold_out(X, trainings, rule, needed):
    message = (
        f"needs the errors of at least {needed} normal rows .* that do not train the "
        "network, but of 100 normal rows at most 98 can be held out. Pass more rows, "
        r"or raise \w+ \(now .*\), or use threshold_on='cv'.$"
    )
    with pytest.raises(ValueError, match=message):
        quick(threshold=rule).fit(X[:100])
    with pytest.raises(
        ValueError, match=r"of 50 normal rows at most 48 .*raise \w+ \(now .*\).$"
    ):
        quick(threshold=rule).fit(X[:50])
    with pytest.raises(
        ValueError, match=r"of 50 normal rows at most 48 .*raise \w+ \(now .*\).$"
    ):
        quick(threshold=rule).partial_fit(X[:50])
    with pytest.raises(ValueError, match="of at least .* but there are 50. Pass"):
        quick(threshold=rule, threshold_on="cv").fit(X[:50])
    with pytest.raises(ValueError, match="of 2 normal rows at most 0 can be held out"):
        quick(threshold_on="validation").fit(X[:2])
    assert trainings == []


@pytest.mark.parametrize("rule", PROMISING, ids=repr)
def test_a_promise_about_training_errors_is_refused(X, y, rule):
    with pytest.raises(ValueError, match=r"did not train .* threshold_on='train'. Use"):
        quick(threshold=rule, threshold_on="train").fit(X, y)


def test_a_warm_start_may_have_seen_the_rows(X):
    detector = quick(threshold=Conformal(0.1), warm_start=True).fit(X)
    with pytest.raises(ValueError, match="warm_start=True continues a network that ma"):
        detector.fit(X)
    detector.set_params(threshold_on="cv").fit(X)
    assert len(detector.calibration_errors_) == 120


def test_rows_that_watch_the_loss_do_not_calibrate(X):
    detector = quick(threshold=Conformal(0.1)).fit(X[:100], X_val=X[100:])
    assert len(detector.calibration_errors_) == 20
    errors = -detector.score_samples(X[100:])
    assert not np.isin(errors, detector.calibration_errors_).any()


def test_bad_threshold_on(X):
    with pytest.raises(ValueError, match="The 'threshold_on' parameter of"):
        quick(threshold_on="test").fit(X)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)])
@pytest.mark.parametrize("threshold_on", ["validation", "cv"])
def test_any_random_state(X, threshold_on, random_state):
    detector = quick(
        threshold=Conformal(0.1), threshold_on=threshold_on, random_state=random_state
    ).fit(X)
    assert np.isfinite(detector.threshold_)


@given(
    n=st.integers(3, 80),
    alpha=st.floats(0.02, 0.9),
    weights=st.none() | st.lists(st.floats(1, 5), min_size=80, max_size=80),
)
@settings(max_examples=100)
def test_parts_are_disjoint_and_large_enough(n, alpha, weights):
    weight = None if weights is None else np.array(weights[:n])
    table = Table(np.arange(float(n))[:, np.newaxis], None, weight)
    rule = Conformal(alpha)
    try:
        kept, held = hold_out(table, rule, seed=0)
    except ValueError:
        assert rule.min_errors > n - 2
        return
    both = np.concatenate([kept.X[:, 0], held.X[:, 0]])
    np.testing.assert_array_equal(np.sort(both), np.arange(n))
    assert len(kept.X) >= 2
    assert len(held.X) >= round(0.2 * n)
    rule.fit(np.ones(len(held.X)), sample_weight=held.weight)  # has enough copies


# ---------------------------------------------------------------------------- cv


def test_cross_fitted_errors_come_from_networks_without_the_row(X):
    """A row changes the errors of all rows but those of its own fold."""
    detector = quick(threshold=Conformal(0.1), threshold_on="cv").fit(X)
    spoiled = X.copy()
    spoiled[7] *= 30
    other = quick(threshold=Conformal(0.1), threshold_on="cv").fit(spoiled)
    before, after = detector.calibration_errors_, other.calibration_errors_
    assert len(before) == len(X) == len(detector.train_errors_)
    assert (before == after).sum() == 120 // 5 - 1
    assert not np.isin(before, detector.train_errors_).any()
    plain = quick(threshold_on="train").fit(X)
    assert same_network(detector, plain)  # which all rows trained


def test_cross_fitting_is_deterministic_and_remembered(X, tmp_path, trainings):
    params = {"threshold": Conformal(0.1), "threshold_on": "cv"}
    first = quick(**params).fit(X)
    assert len(trainings) == 6
    params["memory"] = str(tmp_path)
    for rule in (Conformal(0.1), MeanStd(1), PeaksOverThreshold(0.01)):
        again = quick(**{**params, "threshold": rule}).fit(X)
        np.testing.assert_array_equal(
            again.calibration_errors_, first.calibration_errors_
        )
    assert len(trainings) == 12


@pytest.mark.parametrize("n", [3, 4, 11])
def test_cross_fitting_few_rows(X, n):
    detector = quick(threshold_on="cv").fit(X[:n])
    assert len(detector.calibration_errors_) == n
    with pytest.raises(
        ValueError, match="threshold_on='cv' needs at least 3 normal ro"
    ):
        quick(threshold_on="cv").fit(X[:2])


def test_cross_fitting_keeps_weights_and_watching_rows(X):
    weight = np.random.default_rng(0).integers(0, 3, 100)
    params = {"threshold": Conformal(0.1), "threshold_on": "cv"}
    detector = quick(**params).fit(X[:100], sample_weight=weight, X_val=X[100:])
    assert len(detector.calibration_errors_) == (weight > 0).sum()
    repeated = np.repeat(detector.calibration_errors_, weight[weight > 0])
    assert detector.threshold_ == Conformal(0.1).fit(repeated).threshold_


# ------------------------------------------------------------------------ labels


class Spy(ThresholdRule):
    """Keeps what it sees."""

    _parameter_constraints = {}
    needs_labels = True

    def fit(self, errors, y=None, sample_weight=None):
        self.seen_ = errors, y, sample_weight
        self.threshold_ = 0.0
        return self

    def _compute_threshold(self, errors, weights, outliers):
        raise NotImplementedError


@pytest.mark.parametrize("threshold_on", ["auto", "train", "validation", "cv"])
@pytest.mark.parametrize("weighted", [False, True])
def test_labelled_rules_see_outliers_as_common_as_they_are(
    X, y, threshold_on, weighted
):
    weight = 1.0 + (np.arange(120) % 3) if weighted else None
    detector = quick(threshold=Spy(), threshold_on=threshold_on)
    detector.fit(X, y, sample_weight=weight)
    errors, labels, weights = detector.threshold_rule_.seen_
    n_normal = 20 if threshold_on in ("auto", "validation") else 100
    assert (labels == 1).sum() == n_normal
    assert (labels == -1).sum() == 20
    np.testing.assert_array_equal(errors, detector.calibration_errors_)
    weights = np.ones(len(errors)) if weights is None else weights
    given = np.ones(120) if weight is None else weight
    share = weights[labels == -1].sum() / weights.sum()
    assert share == pytest.approx(given[y == -1].sum() / given.sum())
    if threshold_on != "cv":
        np.testing.assert_allclose(
            errors[labels == -1], -detector.score_samples(X[y == -1])
        )
    if threshold_on in ("train", "cv") and not weighted:
        trained = quick(threshold_on="train").fit(X[y == 1])
        assert same_network(detector, trained)  # outliers train nothing


def test_labelled_rules_see_outliers_as_common_from_the_first_pass(X, y):
    detector = quick(threshold=Spy())
    for _ in range(3):
        detector.partial_fit(X, y)
        _, labels, weights = detector.threshold_rule_.seen_
        assert weights[labels == -1].sum() / weights.sum() == pytest.approx(20 / 120)


def test_few_outliers_are_spread_over_the_folds(X, y):
    few = np.where((y == -1) & (np.arange(120) < 15), -1, 1)  # 3 of them, 5 folds
    detector = quick(threshold=Spy(), threshold_on="cv").fit(X, few)
    assert np.isfinite(detector.calibration_errors_).all()
    assert (detector.threshold_rule_.seen_[1] == -1).sum() == 3


@pytest.mark.parametrize("rule", [BestF(), FalseAlarmRate(0.1), Precision(0.5)])
def test_labelled_rules_without_outliers(X, y, trainings, rule):
    detector = quick(threshold=rule)
    for fit in (detector.fit, detector.partial_fit):
        with pytest.raises(ValueError, match="needs known outliers.* but y is None"):
            fit(X)
        with pytest.raises(ValueError, match="needs known outliers.* but y holds none"):
            fit(X, np.abs(y))
    with pytest.raises(ValueError, match="but y holds none"):
        detector.fit(X, y, sample_weight=(y == 1).astype(float))
    assert trainings == []


def test_best_f_on_training_errors_is_the_best_on_them(X, y):
    far = X + 3.0 * (y == -1)[:, np.newaxis] * np.random.default_rng(1).normal(
        size=(120, 5)
    )
    detector = quick(threshold=BestF(), threshold_on="train", epochs=50).fit(far, y)
    found = outlier_f1(detector, far, y)
    for threshold in -detector.score_samples(far):
        detector.threshold_, detector.offset_ = threshold, -threshold
        assert outlier_f1(detector, far, y) <= found + 1e-12


def test_a_rule_that_fails_leaves_the_detector_as_it_was(X, y):
    detector = quick(threshold=Precision(0.999))
    with pytest.raises(ValueError, match="Precision.* is out of reach: no thresh"):
        detector.fit(X, y)
    assert not hasattr(detector, "autoencoder_")
    detector.set_params(threshold=Conformal(0.1)).fit(X, y)
    scores, p_values = detector.score_samples(X), detector.p_values(X)
    detector.set_params(threshold=Precision(0.999), random_state=1)
    for fit in (detector.fit, detector.partial_fit, detector.fit_threshold):
        with pytest.raises(ValueError, match=r"Precision.* is out of reach"):
            fit(X, y)
        assert isinstance(detector.threshold_rule_, Conformal)
        assert np.array_equal(detector.score_samples(X), scores)
        assert np.array_equal(detector.p_values(X), p_values)
    # Another rule can be tried on the errors that the last fit kept.
    detector.set_params(threshold=MeanStd(1)).fit_threshold()
    assert isinstance(detector.threshold_rule_, MeanStd)


# -------------------------------------------------- fit_threshold, p_values, search


@pytest.mark.parametrize("threshold_on", ["validation", "cv"])
def test_fit_threshold_works_again_from_what_was_kept(X, y, threshold_on):
    detector = quick(threshold=FalseAlarmRate(0.1), threshold_on=threshold_on)
    learned = detector.fit(X, y).threshold_
    normal = detector.calibration_errors_[:-20]
    for rule in (Conformal(0.1), PeaksOverThreshold(0.01, 0.5), MeanStd(1)):
        detector.set_params(threshold=rule).fit_threshold()
        assert detector.threshold_ == rule.fit(normal).threshold_
        np.testing.assert_array_equal(detector.calibration_errors_, normal)
    detector.set_params(threshold=BestF()).fit_threshold()
    assert len(detector.calibration_errors_) == len(normal) + 20
    detector.set_params(threshold=FalseAlarmRate(0.1)).fit_threshold()
    assert detector.threshold_ == learned
    detector.set_params(threshold=Quantile(0.9), threshold_on="train").fit_threshold()
    assert detector.threshold_ == Quantile(0.9).fit(detector.train_errors_).threshold_


def test_fit_threshold_says_what_was_not_kept(X, y):
    detector = quick(threshold_on="train").fit(X, y).set_params(threshold_on="auto")
    message = (
        r"Conformal\(alpha=0.1\) with threshold_on='auto' needs errors by 'validation'"
        r", but this detector was fitted by 'train' and keeps no others. Fit again"
    )
    with pytest.raises(ValueError, match=message):
        detector.set_params(threshold=Conformal(0.1)).fit_threshold()
    with pytest.raises(ValueError, match=r"not train: fit_threshold\(X, y\)\."):
        detector.set_params(threshold=BestF()).fit_threshold()
    with pytest.raises(ValueError, match="but y holds none"):
        detector.set_params(threshold=BestF(), threshold_on="train").fit_threshold()


def test_fit_threshold_with_rows_is_held_out(X, y):
    detector = quick().fit(X[:60])
    detector.set_params(threshold=Conformal(0.1)).fit_threshold(X[60:], y[60:])
    normal = X[60:][y[60:] == 1]
    errors = -detector.score_samples(normal)
    assert detector.threshold_ == Conformal(0.1).fit(errors).threshold_
    np.testing.assert_array_equal(
        detector.p_values(X), conformal_p_values(-detector.score_samples(X), errors)
    )
    detector.set_params(threshold=BestF()).fit_threshold(X[60:], y[60:])
    assert len(detector.calibration_errors_) == 60
    with pytest.raises(ValueError, match="needs known outliers.* but y is None"):
        detector.fit_threshold(X[60:])


@pytest.mark.parametrize("threshold_on", ["auto", "cv"])
@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_predictions_are_p_values_at_most_alpha(X, threshold_on, alpha):
    detector = quick(threshold=Conformal(alpha), threshold_on=threshold_on).fit(X)
    fresh = 2 * X
    flagged = detector.predict(fresh) == -1
    np.testing.assert_array_equal(flagged, detector.p_values(fresh) <= alpha)
    assert 0 < flagged.sum() < 120
    selected = benjamini_hochberg(detector.p_values(fresh), alpha)
    assert (selected <= flagged).all()  # a step further than one by one


def test_p_values_of_labelled_rules_leave_outliers_out(X, y):
    detector = quick(threshold=FalseAlarmRate(0.1)).fit(X, y)
    normal = detector.calibration_errors_[:-20]
    np.testing.assert_array_equal(
        detector.p_values(X), conformal_p_values(-detector.score_samples(X), normal)
    )


def test_p_values_need_other_rows(X):
    detector = quick(threshold=Contamination(0.2), threshold_on="train").fit(X)
    with pytest.raises(
        ValueError, match=r"p_values needs errors of .* Contamination\(fraction=0.2\) s"
    ):
        detector.p_values(X)
    assert detector.fit_threshold(X[:30]).p_values(X).shape == (120,)


def test_a_search_trains_the_network_of_a_split_once(X, y, tmp_path, trainings):
    detector = quick(memory=str(tmp_path), threshold_on="validation")
    rules = [Conformal(0.2), PeaksOverThreshold(0.1, 0.4), MeanStd(1)]
    rules += [BestF(), FalseAlarmRate(0.2)]
    search = GridSearchCV(
        detector,
        {"threshold": rules},
        scoring=outlier_f1,
        cv=StratifiedKFold(2),
        refit=False,
        error_score="raise",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # 50 normal rows in each fold. Four rules hold out 10, one needs 25.
    assert len(trainings) == 4
    search.set_params(param_grid={"threshold__n_std": [1, 2]})
    search.set_params(estimator__threshold=MeanStd(3)).fit(X, y)
    assert len(trainings) == 4


# ------------------------------------------------------------------- partial_fit


@pytest.fixture(scope="module")
def stream():
    """Return rows of a stream, fresh normal rows and outliers."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 8))
    rows = [rng.normal(size=(n, 3)) @ mix + 0.2 * rng.normal(size=(n, 8))
            for n in (2000, 3000)]  # fmt: skip
    return *rows, 2 * rng.normal(size=(500, 8))


@pytest.mark.parametrize("rule", [None, Conformal(0.1)], ids=["default", "conformal"])
@pytest.mark.parametrize("n_networks", [1, 3])
@pytest.mark.parametrize("size", [20, 100])
def test_a_stream_keeps_its_rate(stream, rule, n_networks, size):
    """Errors are those of the present network: it gets better all the time."""
    rows, fresh, outliers = stream
    detector = quick(threshold=rule, n_networks=n_networks, network=None)
    detector.set_params(latent_dim=16).partial_fit(rows[:100])
    for start in range(100, 2000, size):
        detector.partial_fit(rows[start : start + size])
        if start in (1000, 1900):
            assert 0.04 < (detector.predict(fresh) == -1).mean() < 0.18
    assert (detector.predict(outliers) == -1).mean() > 0.5


def test_a_stream_may_come_row_by_row(stream):
    rows, fresh, _ = stream
    detector = quick(n_networks=1)
    shares = []
    for i in range(300):
        detector.partial_fit(rows[i : i + 1])
        shares.append((detector.predict(fresh[:500]) == -1).mean())
    assert max(shares[100:]) < 0.35
    assert abs(np.mean(shares[200:]) - 0.1) < 0.07


def test_rows_that_are_held_out_of_a_stream_train_nothing(X):
    detector = quick(threshold=Conformal(0.2)).partial_fit(X[:60])
    errors = -detector.score_samples(X[:60])
    held = np.isin(errors, detector.calibration_errors_)
    assert held.sum() == len(detector.calibration_errors_) >= 30
    spoiled = np.where(held[:, None], 1e3, X[:60])
    other = quick(threshold=Conformal(0.2)).partial_fit(spoiled)
    assert same_network(detector, other)
    assert len(detector.train_errors_) == 60 - held.sum()
    assert np.isfinite(detector.p_values(X)).all()


def test_a_stream_keeps_the_latest_rows(X):
    detector = quick().partial_fit(X[:60])
    many = X[np.arange(10_000) % len(X)]
    detector.partial_fit(many)
    assert len(detector.calibration_errors_) == 1000
    assert len(detector.train_errors_) == 1000
    detector.set_params(threshold=Conformal(0.0005)).partial_fit(many)
    assert len(detector.calibration_errors_) == 1999


def test_partial_fit_after_fit_begins_with_its_errors(X):
    detector = quick(threshold=Conformal(0.1)).fit(X[:100])
    kept = detector.calibration_errors_
    detector.partial_fit(X[100:])
    np.testing.assert_array_equal(detector.calibration_errors_[:20], kept)
    assert len(detector.calibration_errors_) > 20
    for start in (0, 30, 60):
        detector.partial_fit(X[start : start + 60])
    assert not np.isin(kept, detector.calibration_errors_).any()


def test_partial_fit_of_a_labelled_rule(X, y):
    detector = quick(threshold=BestF()).partial_fit(X[:60], y[:60])
    before = len(detector.calibration_errors_)
    detector.partial_fit(X[60:90], np.ones(30))  # the outliers seen are remembered
    assert len(detector.calibration_errors_) > before
    detector.partial_fit(X[90:], y[90:])
    outliers = -detector.score_samples(X[np.r_[0:60, 90:120]][y[:90] == -1])
    np.testing.assert_array_equal(detector.calibration_errors_[-15:], outliers)


def test_a_stream_can_show_the_training_rows(X):
    detector = quick(threshold=Quantile(0.8), threshold_on="train")
    detector.partial_fit(X[:60]).partial_fit(X[60:])
    assert detector.threshold_ == Quantile(0.8).fit(detector.train_errors_).threshold_
    assert len(detector.train_errors_) == 120

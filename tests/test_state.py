"""What a call leaves behind: all of it or nothing, and nothing that users can break."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    DenseNetwork,
    GaussianNoise,
    MaskingNoise,
    ReconstructionOutlierDetector,
    VariationalNetwork,
)
from skae._engine._numpy import NumpyTrainer
from skae.metrics import outlier_f1_score, reconstruction_error
from skae.thresholds import (
    Conformal,
    Contamination,
    FalseAlarmRate,
    MeanStd,
    PeaksOverThreshold,
    Quantile,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
FRAME = pd.DataFrame(X, columns=list("abcd"))
ESTIMATORS = {
    "transformer": AutoencoderTransformer(2, epochs=2, random_state=0),
    "denoiser": DenoisingRegressor(2, epochs=2, random_state=0),
    "detector": ReconstructionOutlierDetector(2, epochs=2, random_state=0),
}


def fresh(kind, **params):
    return copy.deepcopy(ESTIMATORS[kind]).set_params(**params)


def call(estimator, method, X, *args, **kwargs):
    if method.endswith("fit") and isinstance(estimator, DenoisingRegressor):
        args = args or (X,)
    return getattr(estimator, method)(X, *args, **kwargs)


def fingerprint(estimator):
    """Return everything an estimator holds, as bytes."""
    return pickle.dumps(vars(estimator))


# ------------------------------------------------------------ a failure changes nothing


class Stop(BaseException):
    """As a KeyboardInterrupt, no Exception."""


class Failing(BaseEstimator):
    """A scaler that fails in ``fit``."""

    def __init__(self, exception=ValueError):
        self.exception = exception

    def fit(self, X):
        raise self.exception("as asked")

    def transform(self, X):
        return X

    inverse_transform = transform


FAILURES = {
    "NaN": ({}, np.where(X > 1, np.nan, X), {}),
    "other names": ({}, FRAME[list("cbad")], {"sample_weight": -np.ones(60)}),
    "other width": ({}, X[:, :3], {"sample_weight": np.ones(59)}),
    "other axes": ({}, X.reshape(60, 2, 2), {"sample_weight": np.zeros(60)}),
    "no rows": ({}, X[:0], {}),
    "bad parameter": ({"batch_size": 0}, X, {}),
    "bad network": ({"network": DenseNetwork(hidden_units=(-1,))}, X, {}),
    "bad validation": ({}, X[:, ::-1], {"X_val": X[:, :2]}),
    "missing allowed": ({"allow_nan": True}, np.where(X > -9, np.nan, X), {}),
    "divergence": ({"learning_rate": 1e9, "optimizer": "sgd"}, 2 * X, {}),
    "in the scaler": ({"scaler": Failing()}, X[:, :3], {}),
    "stopped": ({"scaler": Failing(Stop)}, X[:, :3], {}),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("trained", [FRAME, None], ids=["fitted", "not fitted"])
def test_a_fit_that_fails_changes_nothing(kind, failure, trained):
    params, rows, kwargs = FAILURES[failure]
    estimator = fresh(kind)
    if trained is not None:
        call(estimator, "fit", trained)
    estimator.set_params(**params, random_state=np.random.RandomState(3))
    before = fingerprint(estimator)
    with pytest.raises((ValueError, TypeError, Stop)):
        call(estimator, "fit", rows, **kwargs)
    assert fingerprint(estimator) == before


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_partial_fit_that_fails_changes_nothing(kind):
    estimator = call(fresh(kind), "partial_fit", FRAME)
    calls = [
        (FRAME[list("cbad")], {}),
        (X[:, :3], {}),
        (np.full((1, 4), 1e300), {}),
        (X, {"latent_dim": 1}),
        (X, {"batch_size": -1}),  # scikit-learn checks none after the first call
        (X, {"learning_rate": 1e11}),
    ]
    for rows, params in calls:
        changed = copy.deepcopy(estimator).set_params(**params)
        before = fingerprint(changed)
        with pytest.raises((ValueError, TypeError)):
            call(changed, "partial_fit", rows)
        assert fingerprint(changed) == before


def test_the_number_of_axes_of_y_stays_as_it_was():
    denoiser = fresh("denoiser").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="y is too large"):
        denoiser.set_params(scaler=None).fit(X, X * 1e300)
    assert denoiser.predict(X).shape == (60,)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_predict"])
@pytest.mark.parametrize(
    "params",
    [
        {"threshold": MeanStd(1e308)},
        {"threshold": PeaksOverThreshold(1e-9, 1e-9)},
        {"threshold": FalseAlarmRate(0.1)},
        {"threshold": Quantile(7)},
        {"error": "negative_elbo"},
        {"error": "mse", "network": 3},
        {"n_networks": 0},
    ],
    ids=str,
)
def test_a_detector_whose_threshold_fails_keeps_network_and_threshold(method, params):
    detector = fresh("detector").fit(X)
    detector.set_params(**params)
    before = fingerprint(detector)
    with pytest.raises((ValueError, TypeError)):
        getattr(detector, method)(X[:50] + 1)
    assert fingerprint(detector) == before


def test_parameters_that_fail_change_nothing():
    detector = fresh("detector")
    before = fingerprint(detector)
    for params in (
        {"latent_dim": 3, "bogus": 1},
        {"epochs": 7, "network__bogus": 1},
        {"corruption__fraction": 0.2},
        {"epochs": 7, "optimizer__learning_rate": 1},
    ):
        with pytest.raises(ValueError):
            detector.set_params(**params)
        assert fingerprint(detector) == before


# -------------------------------------------------------------------- private copies


def overwrite(value):
    """Change a public attribute in place, as far as that goes."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        value[...] = 1e6
    elif isinstance(value, list):
        value.clear()
    elif isinstance(value, dict):
        for inner in value.values():
            overwrite(inner)
        value.clear()
    elif hasattr(value, "center_"):
        overwrite(value.center_)


@pytest.mark.parametrize("error", ["nearest", "standardized", "mse"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_attributes_that_users_overwrite_change_no_result(kind, error):
    params = {} if kind != "detector" else {"error": error, "threshold_on": "train"}
    weight = np.linspace(0.5, 2, 60)
    rows = X.copy()
    one = call(fresh(kind, **params), "fit", rows, sample_weight=weight)
    other = call(fresh(kind, **params), "fit", X, sample_weight=weight.copy())
    rows[...] = weight[...] = 7.0
    for name in [name for name in vars(one) if name.endswith("_")]:
        if name != "autoencoder_":  # a value, not a copy of one
            overwrite(getattr(one, name))
    for estimator in (one, other):
        if kind == "detector":
            estimator.set_params(threshold=MeanStd(1)).fit_threshold()
        call(estimator, "partial_fit", X)
        estimator.set_params(warm_start=True)
        call(estimator, "fit", X[:50])
    method = "score_samples" if hasattr(one, "score_samples") else "predict"
    assert np.array_equal(getattr(one, method)(X), getattr(other, method)(X))
    if kind == "detector":
        assert one.threshold_ == other.threshold_


# ----------------------------------------------------------------------- masked arrays

MASK = rng.random(X.shape) < 0.1
MASKED = np.ma.masked_array(np.where(MASK, 1e3, X), MASK)
GAPS = np.where(MASK, np.nan, X)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_masked_entries_are_missing_ones(kind):
    if kind == "detector":
        assert (~MASK).any(axis=1).all()
    one = call(fresh(kind, allow_nan=True), "fit", MASKED)
    other = call(fresh(kind, allow_nan=True), "fit", GAPS)
    listed = list(MASKED)
    for method in ("transform", "predict", "score_samples", "impute"):
        if hasattr(one, method):
            expected = getattr(other, method)(GAPS)
            assert np.array_equal(getattr(one, method)(MASKED), expected)
            assert np.array_equal(getattr(one, method)(listed), expected)
    scaled = one.scaler_.transform(MASKED)
    assert np.array_equal(scaled, one.scaler_.transform(GAPS), equal_nan=True)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_masked_entries_are_refused_where_none_may_be_missing(kind):
    for rows in (MASKED, list(MASKED)):
        with pytest.raises(ValueError, match="(?s)NaN.*Or set allow_nan=True and fit"):
            call(fresh(kind), "fit", rows, X)
    fitted = call(fresh(kind), "fit", X)
    with pytest.raises(ValueError, match="NaN"):
        call(fitted, "reconstruct" if kind == "detector" else "score", MASKED)
    weight = np.ma.masked_less(np.linspace(0, 1, 60), 0.5)
    with pytest.raises(ValueError, match="NaN"):
        call(fresh(kind), "fit", X, sample_weight=weight)
    plain = call(fresh(kind), "fit", np.ma.masked_array(X))
    assert np.array_equal(plain.impute(X), fitted.impute(X))


def test_masked_integers_labels_and_arguments_of_functions():
    counts = np.ma.masked_equal(rng.integers(5, size=(60, 4)), 0)
    detector = fresh("detector", allow_nan=True)
    assert np.isfinite(detector.fit(counts).train_errors_).all()
    labels = np.ma.masked_array(np.ones(60, int), np.arange(60) % 7 == 0)
    with pytest.raises(ValueError, match="NaN"):
        fresh("detector").fit(X, labels)
    with pytest.raises(ValueError, match="nan"):
        outlier_f1_score(labels, labels)
    with pytest.raises(ValueError, match="NaN"):
        reconstruction_error(X, MASKED)
    with pytest.raises(ValueError, match="NaN"):
        MeanStd(1).fit(MASKED[:, 0] ** 2)


# ---------------------------------------------------------------------------- no noise


def test_frames_are_scored_without_a_word():
    targets = pd.DataFrame(X, columns=list("abcd"))
    for y in (targets, targets["a"]):
        denoiser = fresh("denoiser").fit(FRAME, y)
        assert np.isfinite(denoiser.score(FRAME, y))
        search = GridSearchCV(denoiser, {"latent_dim": [1, 2]}, cv=2).fit(FRAME, y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# ------------------------------------------------------- extreme, but finite arguments


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": 1e36},
        {"learning_rate": 10**40},
        {"learning_rate": 1e-60},
        {"latent_dim": 10**30},
        {"network": DenseNetwork(hidden_units=(10**12,))},
        {"network": VariationalNetwork(beta=1e300)},
        {"corruption": GaussianNoise(1e300)},
        {"corruption": GaussianNoise((0.1, 1e300))},
    ],
    ids=str,
)
def test_parameters_that_float32_cannot_hold(kind, params, monkeypatch):
    from skae import _engine

    monkeypatch.setattr(_engine, "train", None)  # nothing is trained
    name = r"learning_rate|latent_dim|beta|std|Lower latent_dim, or the units"
    with pytest.raises(ValueError, match=name):
        call(fresh(kind, **params), "fit", X)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("params", [{"batch_size": 10**18}, {"patience": 10**30}])
def test_amounts_that_are_never_reached(kind, params):
    estimator = fresh(kind, **params, learning_rate="one_cycle")
    call(estimator, "fit", X)
    assert np.isfinite(estimator.r2_)


@pytest.mark.parametrize("value", [10**30, 1e308, 0, 1e-300, np.float32(2), np.int8(3)])
def test_thresholds_of_any_size(value):
    detector = fresh("detector", threshold=value).fit(X)
    assert detector.threshold_ == float(value)
    assert np.array_equal(
        detector.predict(X), np.where(detector.score_samples(X) >= -float(value), 1, -1)
    )


@pytest.mark.parametrize("rule", [MeanStd(10**400), 10**400, MeanStd(1e308)])
def test_rules_whose_threshold_no_float_can_hold(rule):
    with pytest.raises(ValueError, match="must learn a finite threshold, but got inf"):
        fresh("detector", threshold=rule).fit(X)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-30, 1e30, 1e300, 1e308])
def test_weights_of_any_size(kind, size):
    other = {} if kind != "detector" else {"threshold": Contamination(0.1)}
    estimator = call(fresh(kind, **other), "fit", X, sample_weight=np.full(60, size))
    assert np.isfinite(estimator.reconstruction_err_)
    uneven = np.where(np.arange(60) % 2, size, 1.0)
    estimator = call(fresh(kind, **other), "fit", X, sample_weight=uneven)
    assert np.isfinite(estimator.reconstruction_err_)


@pytest.mark.parametrize("convert", [list, tuple, pd.DataFrame, np.asarray])
def test_rows_of_any_type_are_explained(convert):
    detector = fresh("detector").fit(X)
    table = detector.explain(convert(X[:3].tolist()), top_k=10**30)
    assert table["row"].tolist() == [0] * 4 + [1] * 4 + [2] * 4


# ------------------------------------------------------------------- nested parameters


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("value", [None, "auto"])
def test_parameters_of_the_default_noise_can_be_set(kind, value):
    if value == "auto" and kind != "detector":
        pytest.skip("only a detector has it")
    estimator = fresh(kind, corruption=value).set_params(corruption__std=0.3)
    assert repr(estimator.corruption) == "GaussianNoise(std=0.3)"
    estimator = fresh(kind, corruption=value).set_params(corruption__clip=(-1, 1))
    expected = (0.1, 1.0) if value == "auto" else 0.1
    assert estimator.corruption.std == expected
    call(estimator, "fit", X)
    kept = fresh(kind, corruption=MaskingNoise(0.1)).set_params(
        corruption__fraction=0.2
    )
    assert repr(kept.corruption) == "MaskingNoise(fraction=0.2)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("optimizer__learning_rate", "optimizer is 'adam', .* pass an object that has"),
        (
            "scaler__with_mean",
            "scaler is 'standard', .* pass a scikit-learn transformer",
        ),
    ],
)
def test_parameters_of_what_has_none(name, words):
    with pytest.raises(ValueError, match=words):
        fresh("transformer").set_params(**{name: 1})


# -------------------------------------------------------------------- stopped by Ctrl-C


@pytest.fixture
def interrupts(monkeypatch):
    """Return a set of the epochs, of all trainings, in which Ctrl-C is pressed."""
    chosen, run_epoch, passed = set(), NumpyTrainer.run_epoch, []

    def pressed(self, *args):
        passed.append(None)
        losses = run_epoch(self, *args)
        if len(passed) in chosen:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(NumpyTrainer, "run_epoch", pressed)
    return chosen


INTERRUPTED = "Training was interrupted after 3 epochs of network 1 of"


@pytest.mark.parametrize("patience", [None, 8])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_interrupted_fit_keeps_what_was_learned(kind, patience, interrupts):
    interrupts.add(4)
    params = {"validation_fraction": 0.2, "patience": patience, "epochs": 9}
    estimator = fresh(kind, **params)
    with pytest.warns(UserWarning, match=INTERRUPTED) as caught:
        call(estimator, "fit", X)
    assert caught[0].filename == __file__
    assert estimator.n_iter_ == 3
    assert [len(losses) for losses in estimator.history_.values()] == [3, 3]
    assert np.isfinite(estimator.impute(X)).all()
    if kind == "detector":
        assert len(estimator.autoencoders_) == 1
        assert np.isfinite(estimator.threshold_)
    interrupts.clear()
    call(estimator.set_params(epochs=2, warm_start=True), "fit", X)
    assert estimator.n_iter_ == 2


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_interrupted_first_epoch_leaves_nothing(kind, interrupts):
    estimator = fresh(kind)
    for method in ("fit", "partial_fit"):
        interrupts.clear()
        interrupts.update(range(100))
        before = fingerprint(estimator)
        with pytest.raises(KeyboardInterrupt):
            call(estimator, method, X)
        assert fingerprint(estimator) == before
        interrupts.clear()
        call(estimator, "partial_fit", X)


def test_an_interrupted_network_is_not_kept_in_memory(interrupts, tmp_path):
    interrupts.add(4)
    detector = fresh("detector", epochs=6, memory=tmp_path)
    with pytest.warns(UserWarning, match=INTERRUPTED):
        detector.fit(X)
    expected = fresh("detector", epochs=6).fit(X)
    assert expected.n_iter_ == 6
    for again in (detector.fit(X), fresh("detector", epochs=6, memory=tmp_path).fit(X)):
        assert np.array_equal(again.score_samples(X), expected.score_samples(X))
        assert again.threshold_ == expected.threshold_


def test_ctrl_c_in_the_second_network_and_in_a_fold(interrupts):
    interrupts.add(9)
    detector = fresh("detector", epochs=6)
    with pytest.warns(UserWarning, match="after 2 epochs of network 2 of 3"):
        detector.fit(X)
    assert detector.n_iter_ == 6
    assert len(detector.autoencoders_) == 2
    before = fingerprint(detector.set_params(threshold_on="cv"))
    interrupts.update({9 + 18 + 5})
    with pytest.raises(KeyboardInterrupt):  # its errors are half of what is needed
        detector.fit(X)
    assert fingerprint(detector) == before


# ------------------------------------------------------------------------ row by row


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("scaler", ["standard", "minmax", "common", StandardScaler()])
def test_rows_one_by_one(kind, scaler):
    """The scaler is learned from the first hundred rows, however they come."""
    columns = X[:50] * [1, 10, 100, 1000] + 1e3
    one = fresh(kind, scaler=scaler, threshold=3.0) if kind == "detector" else None
    one = one or fresh(kind, scaler=scaler)
    other = copy.deepcopy(one)
    for row in columns:
        call(one, "partial_fit", row[None])
    call(other, "partial_fit", columns)
    scaled = other.scaler_.transform(columns)
    np.testing.assert_allclose(one.scaler_.transform(columns), scaled)
    assert one.n_iter_ == 50
    for _ in range(2):
        call(one, "partial_fit", columns + 1)
    assert not np.allclose(one.scaler_.transform(columns), scaled)
    scaled = one.scaler_.transform(columns)
    call(one, "partial_fit", columns + 1e3)
    assert np.array_equal(one.scaler_.transform(columns), scaled)


def test_the_first_row_with_a_gap():
    one, other = fresh("transformer", allow_nan=True), fresh("transformer")
    rows = np.vstack([X[0], GAPS[:8]])
    for row in rows:
        one.partial_fit(row[None])
    assert np.isfinite(one.impute(GAPS)).all()
    with pytest.raises(ValueError, match="column 1 of X has no observed value"):
        other.set_params(allow_nan=True).partial_fit([[1.0, np.nan, 2.0, 3.0]])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_weights_of_partial_fit_are_copies(kind):
    counts = np.arange(60) % 3
    params = {"batch_size": 200, "corruption": None}
    if kind == "detector":
        params |= {"error": "mse", "threshold": Contamination(0.2)}
        params |= {"threshold_on": "train"}
    one, other, third = (fresh(kind, **params) for _ in range(3))
    method = "predict" if kind == "denoiser" else "score_samples"
    for rows in (X, X[::-1]):
        call(one, "partial_fit", rows, sample_weight=counts)
        call(other, "partial_fit", np.repeat(rows, counts, axis=0))
        keep = counts > 0
        call(third, "partial_fit", rows[keep], sample_weight=counts[keep])
    expected = getattr(other, method)(X)
    np.testing.assert_allclose(getattr(one, method)(X), expected, atol=1e-4)
    assert np.array_equal(getattr(one, method)(X), getattr(third, method)(X))
    if kind == "detector":
        np.testing.assert_allclose(one.threshold_, other.threshold_, atol=1e-4)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_"):
        call(one, "partial_fit", X, sample_weight=-counts)


def test_weights_of_rows_that_pass_a_rule():
    detector = fresh("detector", threshold=Conformal(0.2), error="mse")
    for _ in range(3):
        detector.partial_fit(X, sample_weight=np.arange(60) % 3)
    assert len(detector.calibration_errors_) >= 3 * 8  # a fifth at least
    labels = np.where(np.arange(60) % 6 == 0, -1, 1)
    detector = fresh("detector", threshold=FalseAlarmRate(0.2), error="mse")
    for _ in range(2):
        detector.partial_fit(X, labels, sample_weight=1 + np.arange(60) % 3)
    assert np.isfinite(detector.threshold_)


def test_a_transformers_score_takes_weights():
    transformer = fresh("transformer").fit(X)
    counts = np.arange(60) % 3
    repeated = transformer.score(np.repeat(X, counts, axis=0))
    assert transformer.score(X, sample_weight=counts) == pytest.approx(repeated)
    assert transformer.score(X, None, np.full(60, 1e300)) == pytest.approx(
        transformer.score(X)
    )
